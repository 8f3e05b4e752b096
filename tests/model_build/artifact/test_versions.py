"""What is listed, how one goes back, and what is deleted and never deleted."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from app.recommender.artifact import MANIFEST_FILE, MAX_MANIFEST_BYTES
from model_build.artifact.file_store import ModelFileStore
from model_build.artifact.publish import QualityGate, publish_model
from model_build.artifact.store import open_model_store
from model_build.artifact.versions import prune_versions, rollback_version
from model_build.cli import main
from model_build.util.errors import InputError
from tests.model_build.artifact.publisher import start
from tests.model_build.places import BucketForModels, DirectoryForModels, PlaceForModels, served
from tests.models import version_of
from tests.storage_emulator import SECONDS


@pytest.fixture
def filled(place: PlaceForModels, tiny_model: Path, tmp_path: Path) -> PlaceForModels:
    fill(place, tiny_model, tmp_path)
    return place


def fill(place: PlaceForModels, tiny_model: Path, tmp_path: Path) -> None:
    """Four versions, made on four days, of which the last is live."""
    for day in range(1, 5):
        facts = {"created": f"2026-01-0{day}T00:00:00+00:00", "metrics": {"ndcg@10": day / 10}}
        model = version_of(tiny_model, tmp_path / f"m{day}", f"v{day}", **facts)
        for file in model.iterdir():
            place.put(f"v{day}/{file.name}", file.read_bytes())
    place.put("latest", b"v4\n")


def listed(place: PlaceForModels, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["versions", "--at", place.url, "--json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def folders(place: PlaceForModels) -> set[str]:
    return {name.partition("/")[0] for name in place.files() if "/" in name}


class TestVersions:
    def test_each_with_its_facts(
        self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = listed(filled, capsys)
        assert [each["version"] for each in found] == ["v4", "v3", "v2", "v1"]
        assert [each["live"] for each in found] == [True, False, False, False]
        assert found[1]["metrics"] == {"ndcg@10": 0.3}
        assert all(each["complete"] for each in found)
        sizes = [len(content) for name, content in filled.files().items() if name[:3] == "v2/"]
        assert (found[2]["bytes"], found[2]["files"]) == (sum(sizes), len(sizes))

    def test_as_a_table(self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]) -> None:
        filled.remove("v2/item_relevance.npy")
        filled.put("v3/item_relevance.npy", b"short")
        filled.remove(f"v1/{MANIFEST_FILE}")
        filled.put("note.txt", b"of somebody else")
        filled.put("v5/item_relevance.npy", b"begun")
        capsys.readouterr()
        assert main(["versions", "--at", filled.url]) == 0
        head, *rows = capsys.readouterr().out.splitlines()
        assert head.split() == [
            *("version", "made", "MB", "anime"),
            *("ndcg@10", "recall@10", "new_ndcg@10", "rmse"),
        ]
        told = {row[2:4]: row for row in rows}
        assert [row[0] for row in rows] == ["*", " ", " ", " ", " "]
        assert rows[0].split()[:3] == ["*", "v4", "2026-01-04T00:00"]
        assert "missing or cut short: item_relevance.npy" in told["v2"]
        assert "missing or cut short: item_relevance.npy" in told["v3"]
        assert "no manifest.json" in told["v1"]
        assert "no manifest.json" in told["v5"]
        assert "0.4000" in told["v4"]

    def test_of_an_empty_place(
        self, place: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert listed(place, capsys) == []

    def test_a_damaged_manifest_is_told(
        self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        filled.put(f"v2/{MANIFEST_FILE}", b"{}")
        (two,) = [each for each in listed(filled, capsys) if each["version"] == "v2"]
        assert two["complete"] is False
        assert "format" in str(two["fault"])

    def test_a_bucket_that_does_not_answer(
        self, bucket: BucketForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bucket.emulator.refuse("/storage/v1/b/bucket/o", 400)
        assert main(["versions", "--at", bucket.url]) == 2
        assert "the storage answered 400" in capsys.readouterr().err


class TestRollback:
    def test_to_a_version_and_forth_again(self, filled: PlaceForModels, tmp_path: Path) -> None:
        for version in ("v2", "v4"):
            assert main(["rollback", version, "--at", filled.url]) == 0
            assert served(filled, tmp_path / "cache") == version

    def test_to_a_version_with_a_large_file(
        self, filled: PlaceForModels, tiny_model: Path, tmp_path: Path
    ) -> None:
        notes = bytes(range(256)) * (MAX_MANIFEST_BYTES // 256) + b"more than a manifest may have"
        for file in version_of(tiny_model, tmp_path / "large", "v0", notes=notes).iterdir():
            filled.put(f"v0/{file.name}", file.read_bytes())
        assert main(["rollback", "v0", "--at", filled.url]) == 0
        assert served(filled, tmp_path / "cache") == "v0"

    def test_without_a_version_to_the_one_before(
        self, filled: PlaceForModels, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        filled.remove("v3/item_relevance.npy")
        for before, now in (("v4", "v2"), ("v2", "v1")):
            capsys.readouterr()
            assert main(["rollback", "--at", filled.url]) == 0
            assert f"{now} at {filled.url} (before: {before})" in capsys.readouterr().out
            assert served(filled, tmp_path / "cache") == now
        assert main(["rollback", "--at", filled.url]) == 2
        assert "no whole version was made before the live one" in capsys.readouterr().err

    @pytest.mark.parametrize("names", [("v5-9999", "v5-1111"), ("v5-1111", "v5-9999")])
    def test_from_an_annotated_model_to_what_it_was_made_of(
        self, tiny_model: Path, tmp_path: Path, names: tuple[str, str]
    ) -> None:
        """Both were made at the same time, and one was written later; the names say nothing."""
        place = DirectoryForModels(tmp_path / "models")
        fill(place, tiny_model, tmp_path)
        for at, name in enumerate(names):
            model = version_of(
                tiny_model, tmp_path / name, name, created="2026-01-05T00:00:00+00:00"
            )
            for file in model.iterdir():
                place.put(f"{name}/{file.name}", file.read_bytes())
            for file in (tmp_path / "models" / name).iterdir():
                os.utime(file, (1_000_000 + at, 1_000_000 + at))
        place.put("latest", f"{names[1]}\n".encode())
        assert main(["rollback", "--at", place.url]) == 0
        assert place.files()["latest"].decode().strip() == names[0]

    def test_not_to_what_lost_bits_since(
        self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        whole = filled.files()["v2/item_relevance.npy"]
        filled.put("v2/item_relevance.npy", whole[:-1] + bytes([whole[-1] ^ 1]))
        assert main(["rollback", "v2", "--at", filled.url]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{filled.url}/v2/item_relevance.npy: sha256 is" in line
        assert filled.files()["latest"] == b"v4\n"

    @pytest.mark.parametrize(
        ("version", "told"),
        [
            ("v9", "there is no version 'v9'; there are: v4, v3, v2, v1."),
            ("v4", "v4 is live already."),
            ("v3", "v3: cannot be live (missing or cut short: item_relevance.npy)."),
            ("../v1", "there is no version '../v1'"),
        ],
    )
    def test_not_to_what_cannot_be_live(
        self,
        filled: PlaceForModels,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        version: str,
        told: str,
    ) -> None:
        filled.remove("v3/item_relevance.npy")
        before = filled.files()
        assert main(["rollback", version, "--at", filled.url]) == 2
        assert told in capsys.readouterr().err
        assert filled.files() == before


class TestPrune:
    @pytest.mark.parametrize(
        ("live", "keep", "left"),
        [
            ("v4", 1, {"v4"}),
            ("v4", 3, {"v4", "v3", "v2"}),
            ("v4", 9, {"v4", "v3", "v2", "v1"}),
            ("v1", 1, {"v4", "v1"}),
            ("v2", 2, {"v4", "v3", "v2"}),
        ],
    )
    def test_the_last_ones_and_the_live_one_stay(
        self, filled: PlaceForModels, tmp_path: Path, live: str, keep: int, left: set[str]
    ) -> None:
        filled.put("latest", live.encode())
        filled.put("note.txt", b"of somebody else")
        kept = {
            name: content
            for name, content in filled.files().items()
            if name.partition("/")[0] in {*left, "latest", "note.txt"}
        }
        assert main(["prune", "--keep", str(keep), "--at", filled.url, "--dry-run"]) == 0
        assert len(folders(filled)) == 4
        assert main(["prune", "--keep", str(keep), "--at", filled.url]) == 0
        assert filled.files() == kept
        assert served(filled, tmp_path / "cache") == live

    def test_what_was_left_incomplete_goes_after_a_day(
        self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for version, days in (("x1", 1.1), ("x2", 0.9)):
            filled.put(f"{version}/item_relevance.npy", b"begun")
            filled.make_older(version, days)
        filled.remove("v2/item_relevance.npy")
        assert main(["prune", "--keep", "3", "--at", filled.url]) == 0
        assert folders(filled) == {"v4", "v3", "v2", "v1", "x2"}, "v2 may just be being published"
        assert "x1, 0.0 MB (no manifest.json)" in capsys.readouterr().out

    def test_what_another_hakken_made_stays_and_is_told(
        self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It may be whole, whatever this one can read of it."""
        for version, manifest in (("v1", b'{"format": 2}'), ("v2", b"{}")):
            filled.put(f"{version}/{MANIFEST_FILE}", manifest)
            filled.make_older(version, 9)
        before = filled.files()
        assert main(["prune", "--keep", "2", "--at", filled.url]) == 0
        assert filled.files() == before
        told = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in told] == ["nothing", "kept", "kept"]
        assert any("v1, " in line and "format 2, but this Hakken reads" in line for line in told)

    def test_the_live_one_stays_whatever_it_looks_like(self, filled: PlaceForModels) -> None:
        filled.remove("v4/item_relevance.npy")
        filled.make_older("v4", 9)
        assert main(["prune", "--keep", "1", "--at", filled.url]) == 0
        assert folders(filled) == {"v4", "v3"}

    def test_nothing_is_deleted_while_nothing_is_live(
        self, filled: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        filled.remove("latest")
        assert main(["prune", "--keep", "1", "--at", filled.url]) == 2
        assert "no version is live" in capsys.readouterr().err
        filled.put("latest", b"../..")
        assert main(["prune", "--keep", "1", "--at", filled.url]) == 2
        assert len(folders(filled)) == 4

    def test_a_manifest_that_cannot_be_read_now_is_not_a_missing_one(
        self, bucket: BucketForModels, tiny_model: Path, tmp_path: Path
    ) -> None:
        fill(bucket, tiny_model, tmp_path)
        for day in range(1, 5):
            bucket.make_older(f"v{day}", 9)
        bucket.emulator.refuse(f"some/models/v2/{MANIFEST_FILE}", 400)
        assert main(["prune", "--keep", "1", "--at", bucket.url]) == 2
        assert len(folders(bucket)) == 4

    def test_killed_at_any_moment_it_leaves_nothing_that_looks_whole(
        self,
        directory: DirectoryForModels,
        tiny_model: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        fill(directory, tiny_model, tmp_path)
        full = directory.files()
        for at in range(0, 60, 4):
            for name in set(full) - set(directory.files()):
                directory.put(name, full[name])
            command = ["prune", "--keep", "2", "--at", directory.url]
            process = start(command, tmp_path / "log", kill_at=at)
            process.join(SECONDS)
            assert process.exitcode == -signal.SIGKILL
            left = directory.files()
            for each in listed(directory, capsys):
                if each["complete"]:
                    start_ = f"{each['version']}/"
                    assert {n: c for n, c in full.items() if n.startswith(start_)} == {
                        n: c for n, c in left.items() if n.startswith(start_)
                    }
            assert served(directory, tmp_path / "cache") == "v4"
        assert main(["prune", "--keep", "2", "--at", directory.url]) == 0
        for version in ("v1", "v2"):
            if version in folders(directory):
                directory.make_older(version, 2)
        assert main(["prune", "--keep", "2", "--at", directory.url]) == 0
        assert folders(directory) == {"v4", "v3"}


class Meddled:
    """A store in which something else happens around a deletion or a writing."""

    put_all, delete_all = ModelFileStore.put_all, ModelFileStore.delete_all

    def __init__(self, store: ModelFileStore, meddle: Callable[[str, str], None]) -> None:
        self._store, self._meddle = store, meddle
        self.url = store.url
        self.list, self.read, self.download = store.list, store.read, store.download
        self.matches = store.matches

    def put(self, name: str, content: bytes, replaces: str | None) -> None:
        self._store.put(name, content, replaces)
        self._meddle("put", name)

    def delete(self, name: str) -> None:
        self._meddle("delete", name)
        self._store.delete(name)


class TestBothAtOnce:
    def test_a_version_that_becomes_live_while_it_is_deleted_is_kept(
        self, filled: PlaceForModels, tmp_path: Path
    ) -> None:
        def go_back(deed: str, name: str) -> None:
            if (deed, name) == ("delete", f"v1/{MANIFEST_FILE}"):
                assert main(["rollback", "v1", "--at", filled.url]) == 0

        before = filled.files()
        with (
            open_model_store(filled.url, "--at") as store,
            pytest.raises(InputError, match="it is kept"),
        ):
            prune_versions(Meddled(store, go_back), 3)
        assert served(filled, tmp_path / "cache") == "v1"
        assert {**filled.files(), "latest": b""} == {**before, "latest": b""}

    def test_a_version_that_is_deleted_while_it_becomes_live_does_not_stay_live(
        self, filled: PlaceForModels, tmp_path: Path
    ) -> None:
        def begin_to_delete(deed: str, name: str) -> None:
            if (deed, name) == ("put", "latest") and filled.files()["latest"] == b"v1\n":
                filled.remove(f"v1/{MANIFEST_FILE}")

        with (
            open_model_store(filled.url, "--at") as store,
            pytest.raises(InputError, match="v4 is live"),
        ):
            rollback_version(Meddled(store, begin_to_delete), "v1")
        assert served(filled, tmp_path / "cache") == "v4"

    def test_nor_when_it_is_published_again(self, filled: PlaceForModels, tmp_path: Path) -> None:
        def begin_to_delete(deed: str, name: str) -> None:
            if (deed, name) == ("put", "latest") and filled.files()["latest"] == b"v1\n":
                filled.remove(f"v1/{MANIFEST_FILE}")

        gate = QualityGate(force=True)
        with (
            open_model_store(filled.url, "--at") as store,
            pytest.raises(InputError, match="v4 is live"),
        ):
            publish_model(tmp_path / "m1", Meddled(store, begin_to_delete), gate)
        assert served(filled, tmp_path / "cache") == "v4"
