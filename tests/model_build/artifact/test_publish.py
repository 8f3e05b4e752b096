"""Publishing to a directory and to a bucket: all or nothing, whatever happens in between."""

from __future__ import annotations

import shutil
import signal
import threading
from bisect import bisect_left
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from app.recommender.artifact import MANIFEST_FILE
from model_build.artifact.file_store import ModelFileStore
from model_build.artifact.publish import QualityGate, publish_model
from model_build.artifact.store import open_model_store
from model_build.cli import main
from model_build.util.errors import InputError
from tests.model_build.artifact.publisher import start
from tests.model_build.places import BucketForModels, DirectoryForModels, PlaceForModels, served
from tests.models import flip, version_of
from tests.storage_emulator import SECONDS


@pytest.fixture
def one(tiny_model: Path, tmp_path: Path) -> Path:
    return version_of(tiny_model, tmp_path / "one", "v1")


@pytest.fixture
def two(tiny_model: Path, tmp_path: Path) -> Path:
    return version_of(tiny_model, tmp_path / "two", "v2")


def command(model: Path, place: PlaceForModels, *more: str) -> list[str]:
    return ["publish", "--model", str(model), "--to", place.url, *more]


def content_of(model: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in model.iterdir()}


def published(place: PlaceForModels, version: str) -> dict[str, bytes]:
    start = f"{version}/"
    return {
        name.removeprefix(start): content
        for name, content in place.files().items()
        if name.startswith(start)
    }


class TestPublishing:
    def test_a_version_is_what_was_trained_and_becomes_live(
        self, place: PlaceForModels, one: Path, two: Path, tmp_path: Path
    ) -> None:
        for model, version in ((one, "v1"), (two, "v2")):
            assert main(command(model, place)) == 0
            assert published(place, version) == content_of(model)
            assert served(place, tmp_path / "cache") == version
        assert published(place, "v1") == content_of(one)
        assert place.files()["latest"] == b"v2\n"

    def test_again_changes_nothing(
        self, place: PlaceForModels, one: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(command(one, place)) == 0
        before = place.files()
        capsys.readouterr()
        assert main(command(one, place)) == 0
        assert place.files() == before
        told = capsys.readouterr().out
        assert "it is the live model already" in told
        assert "uploaded    0 files" in told

    def test_only_what_is_missing_or_different_is_sent(
        self,
        place: PlaceForModels,
        one: Path,
        two: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(command(one, place)) == 0
        for name, content in content_of(two).items():
            if name not in (MANIFEST_FILE, "item_relevance.npy"):
                place.put(f"v2/{name}", content)
        place.put("v2/anime_id.npy", b"cut short")
        capsys.readouterr()
        assert main(command(two, place)) == 0
        assert "uploaded    3 files" in capsys.readouterr().out
        assert published(place, "v2") == content_of(two)

        place.put("v2/anime_id.npy", content_of(two)["anime_id.npy"][:-1] + b"!")
        assert main(command(two, place)) == 0
        assert "uploaded    1 files" in capsys.readouterr().out
        assert published(place, "v2") == content_of(two)

    def test_a_large_file(self, place: PlaceForModels, tiny_model: Path, tmp_path: Path) -> None:
        large = bytes(range(256)) * 36_000  # more than goes into one request
        model = version_of(tiny_model, tmp_path / "large", "v1", notes=large)
        assert main(command(model, place)) == 0
        assert main(command(model, place)) == 0
        assert published(place, "v1") == content_of(model)


class TestRefusals:
    def refused(
        self, command: list[str], place: PlaceForModels, capsys: pytest.CaptureFixture[str]
    ) -> str:
        before = place.files()
        capsys.readouterr()
        assert main(command) == 2
        assert place.files() == before
        out, told = capsys.readouterr()
        assert out == ""
        assert told.startswith("model_build publish: ")
        assert told.endswith(".\n")
        assert told.count("\n") == 1
        return told

    def test_a_version_that_is_there_with_other_content(
        self,
        place: PlaceForModels,
        one: Path,
        tiny_model: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert main(command(one, place)) == 0
        other = version_of(tiny_model, tmp_path / "other", "v1", notes=b"of another training")
        assert "v1: this version is there with other content" in self.refused(
            command(other, place), place, capsys
        )

    def test_a_damaged_model(
        self, place: PlaceForModels, one: Path, two: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(command(one, place)) == 0
        for file in sorted(two.iterdir()):
            good = file.read_bytes()
            flip(file, len(good) // 2, 3)
            assert file.name in self.refused(command(two, place), place, capsys)
            file.write_bytes(good)
        assert main(command(two, place)) == 0

    def test_a_place_that_is_a_model_itself(
        self, directory: DirectoryForModels, one: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        directory.put(MANIFEST_FILE, (one / MANIFEST_FILE).read_bytes())
        assert "holds a model itself" in self.refused(command(one, directory), directory, capsys)

    @pytest.mark.parametrize("url", ["ftp://bucket/m", "", "gs://", "s3:///m", "file://host/x"])
    def test_a_url_that_is_no_place(
        self, url: str, one: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["publish", "--model", str(one), "--to", url]) == 2
        assert f"--to {url!r}" in capsys.readouterr().err

    def test_a_bucket_that_is_not_there(
        self, bucket: BucketForModels, one: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["publish", "--model", str(one), "--to", "gs://nowhere/models"]) == 2
        assert "gs://nowhere/models/: not found" in capsys.readouterr().err

    def test_a_directory_that_cannot_be_written(
        self, tmp_path: Path, one: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "file").touch()
        assert main(["publish", "--model", str(one), "--to", str(tmp_path / "file" / "x")]) == 2
        assert "cannot be read or written (Not a directory)" in capsys.readouterr().err

    def test_what_arrived_is_compared_with_what_was_sent(
        self, place: PlaceForModels, one: Path, two: Path, tmp_path: Path
    ) -> None:
        assert main(command(one, place)) == 0

        def damage(name: str) -> None:
            if name == f"v2/{MANIFEST_FILE}":
                place.put(
                    "v2/item_relevance.npy", b"!" * len(content_of(two)["item_relevance.npy"])
                )

        told = r"item_relevance\.npy: is not what was uploaded"
        with open_model_store(place.url, "--to") as store, pytest.raises(InputError, match=told):
            publish_model(two, Meddled(store, damage), QualityGate())
        assert served(place, tmp_path / "cache") == "v1"


class TestGate:
    def publish(
        self,
        tmp_path: Path,
        tiny_model: Path,
        measures: tuple[dict[str, float], dict[str, float]],
        *more: str,
    ) -> int:
        place = DirectoryForModels(tmp_path / "place")
        statuses = []
        for version, metrics in zip(("v1", "v2"), measures, strict=True):
            model = version_of(tiny_model, tmp_path / version, version, metrics=metrics)
            options = more if version == "v2" else ()
            statuses.append(main(command(model, place, *options)))
            assert served(place, tmp_path / "cache") == (version if statuses[-1] == 0 else "v1")
        assert statuses[0] == 0
        return statuses[1]

    @pytest.mark.parametrize(
        ("before", "now", "more", "status"),
        [
            (0.58, 0.60, (), 0),
            (0.58, 0.57, (), 0),  # as much as is allowed
            (0.58, 0.569, (), 2),
            (0.58, 0.569, ("--allow-drop", "0.02"), 0),
            (0.58, 0.579, ("--allow-drop", "0"), 2),
            (0.58, 0.1, ("--force",), 0),
        ],
    )
    def test_quality_may_fall_a_little(
        self,
        tmp_path: Path,
        tiny_model: Path,
        capsys: pytest.CaptureFixture[str],
        before: float,
        now: float,
        more: tuple[str, ...],
        status: int,
    ) -> None:
        measures = ({"ndcg@10": before}, {"ndcg@10": now})
        assert self.publish(tmp_path, tiny_model, measures, *more) == status
        told = "".join(capsys.readouterr())
        assert f"ndcg@10 {now:.4f} against {before:.4f} of the live model v1" in told
        assert ("--force" in told) == (status == 2)

    def test_another_metric(self, tmp_path: Path, tiny_model: Path) -> None:
        measures = ({"ndcg@10": 0.5, "recall@10": 0.5}, {"ndcg@10": 0.6, "recall@10": 0.4})
        assert self.publish(tmp_path, tiny_model, measures, "--metric", "recall@10") == 2

    @pytest.mark.parametrize("now", [{}, {"rmse": 1.0}])
    def test_a_model_that_was_not_measured_does_not_replace_one_that_was(
        self,
        tmp_path: Path,
        tiny_model: Path,
        capsys: pytest.CaptureFixture[str],
        now: dict[str, float],
    ) -> None:
        assert self.publish(tmp_path, tiny_model, ({"ndcg@10": 0.5}, now)) == 2
        assert "that of v2 was not measured; train it with --metrics" in capsys.readouterr().err

    @pytest.mark.parametrize("now", [{}, {"ndcg@10": 0.5}])
    def test_where_the_live_one_was_not_measured_there_is_nothing_to_compare(
        self,
        tmp_path: Path,
        tiny_model: Path,
        capsys: pytest.CaptureFixture[str],
        now: dict[str, float],
    ) -> None:
        assert self.publish(tmp_path, tiny_model, ({}, now)) == 0
        assert "the live model v1 has no ndcg@10 to compare with" in capsys.readouterr().out

    def test_a_live_model_that_is_gone_can_be_replaced(
        self, place: PlaceForModels, one: Path, two: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(command(one, place)) == 0
        place.remove(f"v1/{MANIFEST_FILE}")
        assert main(command(two, place)) == 0
        assert "the live model v1 cannot be compared with (no manifest" in capsys.readouterr().out


class Meddled:
    """A store in which something else happens just before a file is written."""

    put_all = ModelFileStore.put_all

    def __init__(self, store: ModelFileStore, meddle: Callable[[str], None]) -> None:
        self._store = store
        self._meddle = meddle
        self.url = store.url
        self.list, self.read, self.matches = store.list, store.read, store.matches
        self.delete = store.delete

    def put(self, name: str, content: bytes, replaces: str | None) -> None:
        self._meddle(name)
        self._store.put(name, content, replaces)


class TestTwoPublishers:
    def test_the_one_that_comes_late_is_refused(
        self, place: PlaceForModels, one: Path, two: Path, tiny_model: Path, tmp_path: Path
    ) -> None:
        assert main(command(one, place)) == 0
        three = version_of(tiny_model, tmp_path / "three", "v3")

        def publish_another(name: str) -> None:
            if name == "latest":
                assert main(command(three, place)) == 0

        with (
            open_model_store(place.url, "--to") as store,
            pytest.raises(InputError, match="somebody else moved it meanwhile, so v2 is not live"),
        ):
            publish_model(two, Meddled(store, publish_another), QualityGate())
        assert served(place, tmp_path / "cache") == "v3"
        assert main(command(two, place)) == 0
        assert served(place, tmp_path / "cache") == "v2"

    def test_the_same_version_with_other_content_never_mixes(
        self, place: PlaceForModels, one: Path, tiny_model: Path, tmp_path: Path
    ) -> None:
        other = version_of(tiny_model, tmp_path / "other", "v1", notes=b"of another training")

        def publish_another(name: str) -> None:
            if name == f"v1/{MANIFEST_FILE}":
                assert main(command(other, place)) == 0

        with (
            open_model_store(place.url, "--to") as store,
            pytest.raises(InputError, match="other cont"),
        ):
            publish_model(one, Meddled(store, publish_another), QualityGate())
        assert published(place, "v1") == content_of(other)
        assert served(place, tmp_path / "cache") == "v1"

    def test_of_many_at_once_the_live_one_is_one_that_succeeded(
        self, place: PlaceForModels, one: Path, tiny_model: Path, tmp_path: Path
    ) -> None:
        assert main(command(one, place)) == 0
        logs, running = {}, {}
        for number in range(5):
            version = f"many{number}"
            model = version_of(tiny_model, tmp_path / version, version)
            logs[version] = tmp_path / f"{version}.log"
            running[version] = start(command(model, place), logs[version])
        for process in running.values():
            process.join(SECONDS)
        won = {version for version, process in running.items() if process.exitcode == 0}
        assert served(place, tmp_path / "cache") in won
        for version in set(running) - won:
            assert running[version].exitcode == 2
            assert "somebody else moved it meanwhile" in logs[version].read_text()


def moments(stride: int, last: int, finished: Callable[[int], bool]) -> int:
    """Try moments ``stride`` apart until one is past the end, then the ``last`` ones before the
    end one by one: there everything is decided. Returns how many came before the end."""
    end = 0
    while not finished(end):
        end += stride
    tried = end // stride
    end = bisect_left(range(end), True, lo=max(0, end - stride + 1), key=finished)
    return tried + sum(not finished(end - back) for back in range(1, last + 1) if back <= end)


class TestKilled:
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_at_any_request_to_a_bucket(
        self, bucket: BucketForModels, one: Path, two: Path, tmp_path: Path, when: str
    ) -> None:
        """The request is lost, or obeyed without an answer, and the publisher is killed."""
        assert main(command(one, bucket)) == 0
        begun = bucket.files()

        def finished(at: int) -> bool:
            for name in set(bucket.files()) - set(begun):
                bucket.remove(name)
            bucket.put("latest", b"v1\n")
            done = self.kill_at_request(bucket, when, at, command(two, bucket), tmp_path / "log")
            self.check(bucket, two, tmp_path / "cache", done=done)
            return done

        assert moments(11, 6, finished) > 7

    def test_at_any_change_of_a_directory(
        self, directory: DirectoryForModels, one: Path, two: Path, tmp_path: Path
    ) -> None:
        assert main(command(one, directory)) == 0
        log = tmp_path / "log"

        def finished(at: int) -> bool:
            shutil.rmtree(directory.path / "v2", ignore_errors=True)
            directory.put("latest", b"v1\n")
            process = start(command(two, directory), log, kill_at=at)
            process.join(SECONDS)
            assert process.exitcode in (0, -signal.SIGKILL), log.read_text()
            self.check(directory, two, tmp_path / "cache", done=process.exitcode == 0)
            return process.exitcode == 0

        assert moments(19, 9, finished) > 12

    def check(self, place: PlaceForModels, two: Path, cache: Path, *, done: bool) -> None:
        """One of the two is live, whole; and the same command completes what was begun."""
        moved = place.files()["latest"] == b"v2\n"
        assert served(place, cache) == ("v2" if moved else "v1")
        assert moved or not done
        assert main(command(two, place)) == 0
        assert served(place, cache) == "v2"
        assert published(place, "v2") == content_of(two)

    def kill_at_request(
        self, bucket: BucketForModels, when: str, at: int, command: list[str], log: Path
    ) -> bool:
        """Whether the publisher came to its end before there were so many requests."""
        ready, dead = threading.Event(), threading.Event()
        seen = 0
        process = None

        def watch(now: str, method: str, name: str) -> bool:
            nonlocal seen
            assert ready.wait(SECONDS)
            if now != when or dead.is_set():
                return not dead.is_set()
            seen += 1
            if seen - 1 < at:
                return True
            assert process is not None
            dead.set()
            process.kill()
            assert wait([process.sentinel], SECONDS)
            return False

        bucket.emulator.watch = watch
        process = start(command, log)
        ready.set()
        process.join(SECONDS)
        bucket.emulator.watch = lambda *_: True
        assert process.exitcode == (-signal.SIGKILL if dead.is_set() else 0), log.read_text()
        return not dead.is_set()

    def test_a_disk_that_fills_up(
        self, directory: DirectoryForModels, one: Path, two: Path, tmp_path: Path
    ) -> None:
        assert main(command(one, directory)) == 0
        before, log = directory.files(), tmp_path / "log"
        sizes = sorted(len(content) for content in content_of(two).values())
        for room in (0, 1, sizes[len(sizes) // 2], sizes[-1] - 1):
            process = start(command(two, directory), log, room=room)
            process.join(SECONDS)
            assert process.exitcode == 2
            left = directory.files()
            assert {name: left[name] for name in before} == before
            assert not [name for name in left if "partial" in name]
            for name, content in published(directory, "v2").items():
                assert content == content_of(two)[name]
            assert served(directory, tmp_path / "cache") == "v1"
        assert main(command(two, directory)) == 0
        assert served(directory, tmp_path / "cache") == "v2"
