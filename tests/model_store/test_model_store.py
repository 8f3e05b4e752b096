"""Models on this host and in buckets, read over HTTP from a storage emulator."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given
from hypothesis import strategies as st

from app.model_store import open_model_source
from app.recommender.artifact import (
    CATALOGUE_FILE,
    MANIFEST_FILE,
    ArtifactError,
    DatasetInfo,
    open_artifact,
    write_artifact,
)
from model_build.train.serving_parameters import default_parameters
from tests.models import flip
from tests.storage_emulator import SECONDS, StorageEmulator

ROOT = Path(__file__).resolve().parents[2]
DATA_FILES = ("item_mean.npy", "item_bias.npy", CATALOGUE_FILE)
HOSTILE = (b"../../x", b"/etc", b"..", b".", b"\n", b"v1/../..", b"a b", b"\xff\xfe", b".v1")


def refused_unread(test: Callable[..., None]) -> Callable[..., None]:
    """Google's session leaves an answer that it refuses unread to the garbage collector."""
    ignored = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
    marked: Callable[..., None] = ignored(pytest.mark.usefixtures("garbage_of_test")(test))
    return marked


def write_model(path: Path, version: str = "v1", first: float = 0.0, items: int = 4) -> Path:
    write_artifact(
        path,
        version=version,
        created="2026-01-01T00:00:00Z",
        dataset=DatasetInfo(name="test", fingerprint="0"),
        counts={"items": 4},
        hyperparameters={},
        serving_parameters=default_parameters(),
        metrics={},
        arrays={
            "item_mean": np.arange(first, first + items),
            "item_bias": np.arange(4, dtype=np.float32),
        },
        catalogue=b"titles",
    )
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "trained")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def no_credentials(
    emulator: StorageEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator in the place of the real service, on a host without any credentials."""
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", emulator.url)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def locate_model(url: str, cache: Path, *, patience: float = 20.0) -> Path:
    """The directory of the model at ``url``, ready to be opened."""
    return open_model_source(url, cache, retry_timeout=patience).latest().fetch(False)


def start(url: str, cache: Path, *, room: int | None = None) -> subprocess.Popen[str]:
    """Another process that locates the model, logs its downloads and prints where it is.

    With ``room`` no file that it writes can become larger, as on a disk that fills up.
    """
    limit = "" if room is None else f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}));"
    code = (
        f"import resource; {limit}"
        "import logging, sys; from pathlib import Path; "
        "from app.model_store import open_model_source; "
        "logging.basicConfig(level=logging.INFO); "
        "print(open_model_source(sys.argv[1], Path(sys.argv[2])).latest().fetch(False))"
    )
    command = [sys.executable, "-c", code, url, str(cache)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def refusal(url: str, cache: Path, *, patience: float = 0.0) -> str:
    """The message of the error that locating the model raises: one sentence."""
    with pytest.raises(ArtifactError) as caught:
        locate_model(url, cache, patience=patience)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def loadable(cache: Path) -> list[Path]:
    """Every directory below the cache that opens as a model."""
    found = []
    for manifest in cache.rglob(MANIFEST_FILE):
        try:
            open_artifact(manifest.parent)
        except ArtifactError:
            continue
        found.append(manifest.parent)
    return found


def test_importing_does_not_import_what_storages_bring() -> None:
    code = "import sys, app.model_store; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for brought in ("google.cloud", "google.auth", "boto3", "huggingface_hub"):
        assert brought not in done.stdout


class TestOnThisHost:
    def test_a_directory_is_returned_as_it_is(self, model: Path, cache: Path) -> None:
        assert locate_model(str(model), cache) == model
        assert not cache.exists()

    def test_a_file_url(self, tmp_path: Path, cache: Path) -> None:
        model = write_model(tmp_path / "a model")
        assert locate_model(f"file://{quote(str(model))}", cache) == model
        assert locate_model(f"file://localhost{quote(str(model))}", cache) == model

    def test_latest_names_the_version(self, tmp_path: Path, cache: Path) -> None:
        write_model(tmp_path / "models" / "v1", "v1")
        second = write_model(tmp_path / "models" / "v2", "v2")
        (tmp_path / "models" / "latest").write_text("v2\n")
        assert locate_model(str(tmp_path / "models"), cache) == second

    def test_an_empty_directory(self, tmp_path: Path, cache: Path) -> None:
        message = refusal(str(tmp_path), cache)
        assert str(tmp_path) in message
        assert "neither manifest.json nor latest" in message

    def test_no_directory(self, tmp_path: Path, cache: Path) -> None:
        assert "neither manifest.json nor latest" in refusal(str(tmp_path / "none"), cache)

    def test_latest_names_a_version_that_is_gone(self, tmp_path: Path, cache: Path) -> None:
        (tmp_path / "latest").write_text("v9")
        assert str(tmp_path / "v9" / MANIFEST_FILE) in refusal(str(tmp_path), cache)

    @given(pointer=st.binary(max_size=40))
    @example(pointer=HOSTILE[0])
    def test_latest_never_leads_out_of_the_directory(self, pointer: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "a" / "b"
            place.mkdir(parents=True)
            (Path(folder) / "x").mkdir()
            for decoy in (Path(folder), place.parent, Path(folder) / "x"):
                (decoy / MANIFEST_FILE).touch()
            (place / "latest").write_bytes(pointer)
            assert str(place) in refusal(str(place), Path(folder) / "cache")


@pytest.mark.parametrize(
    "url", ["", "s3://", "https://example.org/m", "gs://", "gs:///models", "file://host/m"]
)
def test_a_url_that_cannot_be_used_names_the_setting(url: str, cache: Path) -> None:
    message = refusal(url, cache)
    assert f"HAKKEN_MODEL={url!r}" in message
    assert not cache.exists()


class TestInABucket:
    def test_what_is_downloaded_is_what_was_written(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "models/anime", model)
        found = locate_model("gs://bucket/models/anime", cache)
        assert found.is_relative_to(cache)
        assert found.name == "v1"
        assert {file.name for file in found.iterdir()} == {*DATA_FILES, MANIFEST_FILE}
        for file in found.iterdir():
            assert file.read_bytes() == (model / file.name).read_bytes()
        assert open_artifact(found).arrays["item_mean"].tolist() == [0.0, 1.0, 2.0, 3.0]

    def test_latest_names_the_version(
        self, emulator: StorageEmulator, tmp_path: Path, cache: Path
    ) -> None:
        for version in ("v1", "v2"):
            model = write_model(tmp_path / version, version)
            emulator.put_directory("bucket", f"models/{version}", model)
        emulator.put("bucket", "models/latest", b"v1\n")
        first = locate_model("gs://bucket/models", cache)
        emulator.put("bucket", "models/latest", b"v2\n")
        second = locate_model("gs://bucket/models", cache)
        assert (first.name, second.name) == ("v1", "v2")
        assert first.parent == second.parent
        assert sorted(loadable(cache)) == [first, second]

    def test_a_second_call_downloads_nothing(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        found = locate_model("gs://bucket/m", cache)
        for name in DATA_FILES:
            emulator.delete("bucket", f"m/{name}")
        assert locate_model("gs://bucket/m/", cache) == found
        assert [emulator.gets[f"m/{name}"] for name in (*DATA_FILES, MANIFEST_FILE)] == [1, 1, 1, 2]

    def test_a_model_at_the_root_of_a_bucket(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "", model)
        assert open_artifact(locate_model("gs://bucket", cache)).manifest.version == "v1"

    def test_two_buckets_never_mix(
        self, emulator: StorageEmulator, tmp_path: Path, cache: Path
    ) -> None:
        emulator.create_bucket("other")
        emulator.put_directory("bucket", "m", write_model(tmp_path / "1", first=0.0))
        emulator.put_directory("other", "m", write_model(tmp_path / "2", first=7.0))
        here = locate_model("gs://bucket/m", cache)
        there = locate_model("gs://other/m", cache)
        assert open_artifact(here).arrays["item_mean"][0] == 0.0
        assert open_artifact(there).arrays["item_mean"][0] == 7.0

    @refused_unread
    def test_a_request_that_fails_once_is_tried_again(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        emulator.refuse("m/item_mean.npy", 503)
        assert open_artifact(locate_model("gs://bucket/m", cache))
        assert emulator.gets["m/item_mean.npy"] == 2

    def test_a_copy_that_lost_bytes_is_completed(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        found = locate_model("gs://bucket/m", cache)
        os.truncate(found / "item_mean.npy", 10)
        assert locate_model("gs://bucket/m", cache) == found
        assert open_artifact(found)
        assert [emulator.gets[f"m/{name}"] for name in DATA_FILES] == [2, 1, 1]

    def test_a_version_published_anew_replaces_the_copy(
        self, emulator: StorageEmulator, tmp_path: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", write_model(tmp_path / "1", first=0.0))
        found = locate_model("gs://bucket/m", cache)
        mapped = open_artifact(found).arrays["item_mean"]
        (found / "only_in_the_first.npy").touch()
        emulator.put_directory("bucket", "m", write_model(tmp_path / "2", first=7.0))
        assert locate_model("gs://bucket/m", cache) == found
        assert open_artifact(found).arrays["item_mean"][0] == 7.0
        assert {file.name for file in found.iterdir()} == {*DATA_FILES, MANIFEST_FILE}
        assert mapped[0] == 0.0, "a running process keeps what it opened"


class TestSeveralProcesses:
    def test_one_downloads_and_the_others_wait(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        with emulator.holding("m/item_mean.npy") as gate, start("gs://bucket/m", cache) as first:
            emulator.wait_for_gets("m/item_mean.npy", 1)
            with start("gs://bucket/m", cache) as second:
                emulator.wait_for_gets(f"m/{MANIFEST_FILE}", 2)
                gate.set()
                ends = [child.communicate(timeout=SECONDS) for child in (first, second)]
        printed = [out for out, _ in ends]
        assert printed[0] == printed[1]
        assert sum(log.count("downloading model") for _, log in ends) == 1
        assert open_artifact(Path(printed[0].strip()))
        assert [emulator.gets[f"m/{name}"] for name in DATA_FILES] == [1, 1, 1]

    def test_waiting_for_another_process_ends(
        self, emulator: StorageEmulator, model: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.model_store.cache.LOCK_TIMEOUT", 0.0)
        emulator.put_directory("bucket", "m", model)
        with emulator.holding("m/item_mean.npy") as gate, start("gs://bucket/m", cache) as child:
            emulator.wait_for_gets("m/item_mean.npy", 1)
            message = refusal("gs://bucket/m", cache)
            gate.set()
            printed = child.communicate(timeout=SECONDS)[0]
        assert "another process" in message
        assert open_artifact(Path(printed.strip()))
        assert emulator.gets["m/item_mean.npy"] == 1

    def test_a_killed_download_leaves_nothing_that_loads_and_is_resumed(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        last = list(json.loads((model / MANIFEST_FILE).read_text())["files"])[-1]
        with emulator.holding(f"m/{last}"), start("gs://bucket/m", cache) as child:
            emulator.wait_for_gets(f"m/{last}", 1)
            child.kill()
            assert child.wait(SECONDS) == -signal.SIGKILL
        assert not list(cache.rglob(MANIFEST_FILE))
        found = locate_model("gs://bucket/m", cache)
        assert open_artifact(found)
        assert loadable(cache) == [found]
        for name in DATA_FILES:
            assert emulator.gets[f"m/{name}"] == (2 if name == last else 1)


class TestInterruptedDownloads:
    def test_a_download_goes_on_at_the_byte_where_it_stopped(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", write_model(model, items=10_000))
        for cut in (30_000, 20_000):  # what arrives is written in pieces of 8 KiB
            emulator.cuts["m/item_mean.npy"] = cut
            assert "does not answer" in refusal("gs://bucket/m", cache)
            assert not list(cache.rglob(MANIFEST_FILE))
        found = locate_model("gs://bucket/m", cache)
        assert open_artifact(found).arrays["item_mean"][9_999] == 9_999
        assert emulator.ranges["m/item_mean.npy"] == [None, "bytes=24576-", "bytes=40960-"]
        assert {file.name for file in found.iterdir()} == {*DATA_FILES, MANIFEST_FILE}

    def test_a_connection_that_breaks_is_mended_within_one_download(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", write_model(model, items=10_000))
        emulator.cuts["m/item_mean.npy"] = 30_000
        assert open_artifact(locate_model("gs://bucket/m", cache))
        assert emulator.ranges["m/item_mean.npy"] == [None, "bytes=24576-"]

    @pytest.mark.parametrize("begun", [b"wrong", b"x" * 160, b"x" * 1000], ids=len)
    def test_what_was_begun_with_something_else_is_fetched_anew(
        self, emulator: StorageEmulator, model: Path, cache: Path, begun: bytes
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        emulator.cuts["m/item_mean.npy"] = 0
        refusal("gs://bucket/m", cache)
        (part,) = cache.rglob("item_mean.npy.part")
        part.write_bytes(begun)
        assert open_artifact(locate_model("gs://bucket/m", cache))

    def test_an_object_that_was_cut_short_is_refused(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        content = (model / "item_mean.npy").read_bytes()
        emulator.put("bucket", "m/item_mean.npy", content[:-7])
        for _ in range(2):
            assert "153 bytes, the manifest says 160" in refusal("gs://bucket/m", cache)
        assert loadable(cache) == []

    def test_a_full_disk_gets_its_room_back(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        for room in (0, 159):
            with start("gs://bucket/m", cache, room=room) as child:
                out, log = child.communicate(timeout=SECONDS)
            assert child.returncode == 1, out
            last = log.strip().splitlines()[-1]
            assert "gs://bucket/m: cannot be kept in" in last
            assert "File too large" in last
            assert "HAKKEN_MODEL_CACHE" in last
            assert not list(cache.rglob("*.npy*"))
        assert open_artifact(locate_model("gs://bucket/m", cache))

    def test_a_damaged_copy_is_repaired_when_asked_to_look_closely(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        found = locate_model("gs://bucket/m", cache)
        flip(found / "item_mean.npy", -1)
        offer = open_model_source("gs://bucket/m", cache).latest()
        with pytest.raises(ArtifactError):
            open_artifact(offer.fetch(False))
        assert open_artifact(offer.fetch(True))
        assert [emulator.gets[f"m/{name}"] for name in DATA_FILES] == [2, 1, 1]


class TestOldCopies:
    def publish(self, emulator: StorageEmulator, folder: Path, version: str) -> None:
        model = write_model(folder / version, version)
        emulator.put_directory("bucket", f"m/{version}", model)
        emulator.put("bucket", "m/latest", version.encode())

    def test_the_one_in_use_and_the_one_before_it_stay(
        self, emulator: StorageEmulator, tmp_path: Path, cache: Path
    ) -> None:
        place = open_model_source("gs://bucket/m", cache)
        assert place.local_copy() is None
        for version in ("v1", "v2", "v3"):
            self.publish(emulator, tmp_path, version)
            found = place.latest().fetch(False)
            mapped = open_artifact(found).arrays["item_mean"]
            place.commit(found)
        assert [each.name for each in sorted(loadable(cache))] == ["v2", "v3"]
        emulator.put("bucket", "m/latest", b"v2")
        place.commit(place.latest().fetch(False))
        self.publish(emulator, tmp_path, "v4")
        place.commit(place.latest().fetch(False))
        assert [each.name for each in sorted(loadable(cache))] == ["v2", "v4"]
        assert mapped[0] == 0.0, "what is mapped stays until it is let go"
        assert emulator.gets["m/v2/item_mean.npy"] == 1
        nearby = place.local_copy()
        assert nearby is not None
        assert nearby.version == "v4"
        assert nearby.digest == place.latest().digest

    def test_leftovers_of_killed_downloads_go(
        self, emulator: StorageEmulator, tmp_path: Path, cache: Path
    ) -> None:
        self.publish(emulator, tmp_path, "v1")
        emulator.cuts["m/v1/item_mean.npy"] = 9
        refusal("gs://bucket/m", cache)
        assert list(cache.rglob("*.part"))
        self.publish(emulator, tmp_path, "v2")
        place = open_model_source("gs://bucket/m", cache)
        place.commit(place.latest().fetch(False))
        assert not list(cache.rglob("*.part*"))

    def test_a_cache_that_cannot_be_tidied_is_no_trouble(
        self, emulator: StorageEmulator, tmp_path: Path, cache: Path
    ) -> None:
        self.publish(emulator, tmp_path, "v1")
        place = open_model_source("gs://bucket/m", cache)
        found = place.latest().fetch(False)
        (found.parent / ".good.new").mkdir()
        place.commit(found)
        assert place.local_copy() is None


class TestRefusals:
    def test_a_damaged_object(self, emulator: StorageEmulator, model: Path, cache: Path) -> None:
        emulator.put_directory("bucket", "m", model)
        good = (model / "item_bias.npy").read_bytes()
        emulator.put("bucket", "m/item_bias.npy", good[:-1] + b"!")
        message = refusal("gs://bucket/m", cache)
        assert message.startswith("gs://bucket/m/item_bias.npy: ")
        assert "sha256" in message
        assert not list(cache.rglob(MANIFEST_FILE))
        assert not list(cache.rglob("item_bias.npy"))

        emulator.put("bucket", "m/item_bias.npy", good)
        assert open_artifact(locate_model("gs://bucket/m", cache))
        assert emulator.gets["m/item_mean.npy"] == 1

    @pytest.mark.parametrize("pointer", HOSTILE)
    def test_a_pointer_that_names_no_version(
        self, emulator: StorageEmulator, model: Path, cache: Path, pointer: bytes
    ) -> None:
        emulator.put_directory("bucket", "x", model)
        emulator.put("bucket", "a/b/latest", pointer)
        assert refusal("gs://bucket/a/b", cache).startswith("gs://bucket/a/b/latest: ")
        assert not cache.exists()
        assert set(emulator.gets) == {f"a/b/{MANIFEST_FILE}", "a/b/latest"}

    def test_no_bucket(self, emulator: StorageEmulator, cache: Path) -> None:
        message = refusal("gs://nowhere/models", cache)
        assert message.startswith("gs://nowhere/models: ")
        assert "there is no such bucket" in message

    def test_no_model_below_the_prefix(self, emulator: StorageEmulator, cache: Path) -> None:
        assert "neither manifest.json nor latest" in refusal("gs://bucket/none", cache)

    def test_latest_names_a_version_that_is_gone(
        self, emulator: StorageEmulator, cache: Path
    ) -> None:
        emulator.put("bucket", "m/latest", b"v9")
        assert "gs://bucket/m/v9/manifest.json: not found" in refusal("gs://bucket/m", cache)

    def test_a_file_of_the_manifest_is_gone(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        emulator.delete("bucket", f"m/{CATALOGUE_FILE}")
        assert f"gs://bucket/m/{CATALOGUE_FILE}: not found" in refusal("gs://bucket/m", cache)
        assert loadable(cache) == []

    @pytest.mark.parametrize("text", [b"\xff", b"no json", b"[]", b'{"format": 2}'])
    def test_a_manifest_that_is_none(
        self, emulator: StorageEmulator, cache: Path, text: bytes
    ) -> None:
        emulator.put("bucket", f"m/{MANIFEST_FILE}", text)
        assert refusal("gs://bucket/m", cache).startswith(f"gs://bucket/m/{MANIFEST_FILE}: ")

    def test_a_folder_with_the_manifest_of_another_version(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m/v2", model)
        emulator.put("bucket", "m/latest", b"v2")
        message = refusal("gs://bucket/m", cache)
        assert "version v1" in message
        assert "names v2" in message

    def test_a_cache_that_cannot_be_written(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        cache.touch()
        message = refusal("gs://bucket/m", cache)
        assert message.startswith("gs://bucket/m: ")
        assert "HAKKEN_MODEL_CACHE" in message

    def test_nobody_answers(
        self, emulator: StorageEmulator, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        message = refusal("gs://bucket/m", cache)
        assert "gs://bucket/m/manifest.json: the storage does not answer" in message

    @refused_unread
    def test_the_storage_stays_out_of_order(self, emulator: StorageEmulator, cache: Path) -> None:
        emulator.refuse(f"m/{MANIFEST_FILE}", 503)
        assert "the storage does not answer" in refusal("gs://bucket/m", cache)

    def test_an_answer_that_makes_no_sense(self, emulator: StorageEmulator, cache: Path) -> None:
        emulator.refuse(f"m/{MANIFEST_FILE}", 400)
        assert "the storage answered 400" in refusal("gs://bucket/m", cache)


class TestAccess:
    def test_a_public_bucket_needs_no_credentials(
        self, emulator: StorageEmulator, no_credentials: None, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m", model)
        assert open_artifact(locate_model("gs://bucket/m", cache))

    @refused_unread
    @pytest.mark.parametrize("status", [401, 403])
    def test_a_private_bucket_without_credentials(
        self, emulator: StorageEmulator, no_credentials: None, cache: Path, status: int
    ) -> None:
        emulator.refuse(f"m/{MANIFEST_FILE}", status)
        emulator.refuse("m/latest", status)
        message = refusal("gs://bucket/m", cache)
        assert "denied without credentials" in message
        assert "GOOGLE_APPLICATION_CREDENTIALS" in message

    def test_missing_objects_are_denied_to_those_who_may_not_list(
        self, emulator: StorageEmulator, model: Path, cache: Path
    ) -> None:
        emulator.put_directory("bucket", "m/v1", model)
        emulator.put("bucket", "m/latest", b"v1")
        emulator.refuse(f"m/{MANIFEST_FILE}", 403)
        assert open_artifact(locate_model("gs://bucket/m", cache))

    def test_a_key_file_that_is_not_there(
        self,
        emulator: StorageEmulator,
        no_credentials: None,
        tmp_path: Path,
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
        assert "the credentials of this host cannot be used" in refusal("gs://bucket/m", cache)
        assert not emulator.gets

    def test_a_key_that_is_not_accepted(
        self,
        emulator: StorageEmulator,
        no_credentials: None,
        tmp_path: Path,
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        account = {
            "type": "service_account",
            "client_email": "hakken@example.org",
            "private_key": pem.decode(),
            "token_uri": f"{emulator.url}/token",
        }
        file = tmp_path / "key.json"
        file.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        assert "the credentials of this host cannot be used" in refusal("gs://bucket/m", cache)
        assert not emulator.gets
