"""Models in a bucket of S3: published, fetched, rolled back and pruned as anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.model_store import open_model_source
from app.model_store.layout import BucketUrl, StorageUnreachableError
from app.model_store.remote import AccessDeniedError, MissingObjectError
from app.model_store.s3 import open_s3_folder
from app.recommender import Model
from app.recommender.artifact import ArtifactError
from model_build.artifact.file_store import ConflictError
from model_build.artifact.store import S3Store
from model_build.cli import main
from tests.models import version_of
from tests.s3_emulator import S3Emulator, running_s3

PLACE = "s3://bucket/some/models"
URL = BucketUrl("bucket", "some/models", "s3")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Emulator]:
    with running_s3() as emulator:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        yield emulator


@pytest.fixture
def store(s3: S3Emulator) -> Iterator[S3Store]:
    with open_s3_folder(URL, 0) as folder:
        yield S3Store(folder)


def served(cache: Path) -> str:
    ref = open_model_source(PLACE, cache, retry_timeout=0).latest()
    return Model.open(ref.fetch(True)).version


def test_a_model_is_published_served_and_rolled_back(
    s3: S3Emulator, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("v1", "v2"):
        model = version_of(tiny_model, tmp_path / version, version)
        assert main(["publish", "--model", str(model), "--to", PLACE]) == 0
        assert served(tmp_path / "cache") == version
        for file in model.iterdir():
            name = f"some/models/{version}/{file.name}"
            assert s3.objects("bucket")[name] == file.read_bytes()
    capsys.readouterr()
    assert main(["publish", "--model", str(model), "--to", PLACE]) == 0
    assert "uploaded    0 files" in capsys.readouterr().out
    assert main(["rollback", "--at", PLACE]) == 0
    assert f"v1 at {PLACE} (before: v2)" in capsys.readouterr().out
    assert s3.objects("bucket")["some/models/latest"] == b"v1\n"
    assert main(["prune", "--keep", "1", "--at", PLACE]) == 0
    assert main(["versions", "--at", PLACE]) == 0
    assert [line[:4] for line in capsys.readouterr().out.splitlines()[-2:]] == ["  v2", "* v1"]
    assert main(["fetch", "--from", PLACE, "--out", str(tmp_path / "copy")]) == 0
    assert Model.open(tmp_path / "copy").version == "v1"


def test_nobody_s_change_is_overwritten(s3: S3Emulator, store: S3Store) -> None:
    store.put("latest", b"v1\n", None)
    first = store.list()["latest"]
    with pytest.raises(ConflictError):
        store.put("latest", b"v2\n", None)
    store.put("latest", b"v1\n", None)  # as a request that is repeated, for its answer got lost
    store.put("latest", b"v2\n", first.generation)
    with pytest.raises(ConflictError):
        store.put("latest", b"v3\n", first.generation)
    assert store.read("latest") == b"v2\n"
    store.delete("latest")
    store.delete("latest")
    with pytest.raises(ConflictError):
        store.put("latest", b"v3\n", store.folder.prefix)
    with pytest.raises(MissingObjectError, match="s3://bucket/some/models/latest: not found"):
        store.read("latest")
    s3.put("bucket", "some/modelsother", b"")
    assert store.list() == {}


def test_what_is_there_is_compared_whatever_its_etag(s3: S3Emulator, store: S3Store) -> None:
    s3.put("bucket", "some/models/v1/a.npy", b"content")
    (stored,) = store.list().values()
    assert (stored.name, stored.size) == ("v1/a.npy", 7)
    assert store.matches(stored, b"content")
    assert not store.matches(stored, b"contend")
    assert not store.matches(stored, b"contents")
    # With a key of the bucket's an ETag is no checksum.
    s3.set_etag("bucket", "some/models/v1/a.npy", "0" * 32)
    (stored,) = store.list().values()
    assert store.matches(stored, b"content")
    assert not store.matches(stored, b"contend")


def test_a_download_goes_on_and_ends(s3: S3Emulator, store: S3Store, tmp_path: Path) -> None:
    s3.put("bucket", "some/models/a.npy", b"0123456789")
    file = tmp_path / "a.npy"
    file.write_bytes(b"0123")
    for _ in range(2):
        store.folder.resume_download("a.npy", file, 10)
        assert file.read_bytes() == b"0123456789"
    with pytest.raises(ArtifactError, match="larger than 5 bytes"):
        store.folder.resume_download("a.npy", tmp_path / "b", 5)


def test_what_goes_wrong_is_one_sentence(
    s3: S3Emulator, store: S3Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (
        open_s3_folder(BucketUrl("nowhere", "", "s3"), 0) as folder,
        pytest.raises(MissingObjectError, match="s3://nowhere/: not found"),
    ):
        S3Store(folder).list()
    s3.close_to_strangers("bucket")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with (
        open_s3_folder(URL, 0) as folder,
        pytest.raises(AccessDeniedError, match="access is denied without credentials; set AWS_"),
    ):
        folder.read("latest")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with (
        open_s3_folder(URL, 0) as folder,
        pytest.raises(StorageUnreachableError, match=r"does not answer \(EndpointConnectionError"),
    ):
        folder.read("latest")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ArtifactError, match=r"cannot be asked .*nobody.*; correct AWS's settings"):
        open_model_source(PLACE, tmp_path, retry_timeout=0).latest()
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ArtifactError, match=f"^{PLACE}: needs boto3, which is not installed: "):
        open_model_source(PLACE, tmp_path, retry_timeout=0).latest()
