"""What is in use while the place of the model changes, breaks or goes away."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import pytest

from app.model_store import ModelManager, Poller, open_model_source
from app.recommender import Model
from app.recommender.artifact import MANIFEST_FILE, read_manifest
from tests.model_store.test_model_store import refused_unread
from tests.models import flip, version_of
from tests.storage_emulator import SECONDS, StorageEmulator


class Site:
    """A folder of versions: a directory, or a bucket that mirrors it."""

    def __init__(self, folder: Path, model: Path, emulator: StorageEmulator | None) -> None:
        self.folder, self.emulator = folder, emulator
        self.model = model
        self.url = "gs://bucket/m" if emulator else str(folder)
        folder.mkdir()

    def publish(self, version: str) -> None:
        version_of(self.model, self.folder / version, version)
        self.upload(version)
        self.point(version)

    def upload(self, version: str, *names: str) -> None:
        folder = self.folder / version
        for file in [folder / name for name in names] or folder.iterdir():
            if self.emulator:
                self.emulator.put("bucket", f"m/{version}/{file.name}", file.read_bytes())

    def point(self, version: str) -> None:
        new = self.folder / "latest.new"
        new.write_text(version)
        new.rename(self.folder / "latest")
        if self.emulator:
            self.emulator.put("bucket", "m/latest", version.encode())

    def keeper(self, cache: Path) -> ModelManager[Model]:
        return ModelManager(lambda: open_model_source(self.url, cache, retry_timeout=0), Model.open)


@pytest.fixture(params=["directory", "bucket"])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, tiny_model: Path, emulator: StorageEmulator
) -> Site:
    kind = emulator if request.param == "bucket" else None
    return Site(tmp_path / "site", tiny_model, kind)


@pytest.fixture
def bucket(tmp_path: Path, tiny_model: Path, emulator: StorageEmulator) -> Site:
    return Site(tmp_path / "site", tiny_model, emulator)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def version(keeper: ModelManager[Model]) -> str:
    assert keeper.current is not None
    return keeper.current.content.version


def test_a_new_model_takes_the_place_of_the_old_one(site: Site, cache: Path) -> None:
    site.publish("v1")
    keeper = site.keeper(cache)
    keeper.refresh()
    first = keeper.current
    keeper.refresh()
    assert keeper.current is first, "what has not changed is not opened again"
    site.publish("v2")
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v2", None)
    site.point("v1")
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v1", None)


def test_the_old_model_is_let_go(site: Site, cache: Path, tmp_path: Path) -> None:
    site.publish("v1")
    keeper = site.keeper(cache)
    keeper.refresh()
    assert keeper.current is not None
    old = weakref.ref(keeper.current.content)
    site.publish("v2")
    keeper.refresh()
    gc.collect()
    assert old() is None
    maps = Path("/proc/self/maps").read_text()
    # Other tests of this process may have models of such a name, elsewhere.
    mapped = {Path(line).parent.name for line in maps.splitlines() if str(tmp_path) in line}
    assert mapped == {"v2"}


def test_a_model_with_a_flipped_bit_is_refused_whichever_file_it_is_in(
    site: Site, cache: Path
) -> None:
    site.publish("v1")
    keeper = site.keeper(cache)
    keeper.refresh()
    first = keeper.current
    folder = version_of(site.model, site.folder / "v2", "v2")
    site.upload("v2")
    # In the order of downloading: a file that has arrived whole is not asked for again.
    names = [*read_manifest(folder).files, MANIFEST_FILE]
    assert {file.name for file in folder.iterdir()} == set(names)
    assert len(names) > 20
    for number, name in enumerate(names):
        good = (folder / name).read_bytes()
        # Anywhere: the first bit of the last byte, then the next bit of an earlier one, and so on.
        flip(folder / name, -1 - 31 * number, number % 8)
        site.upload("v2", name)
        site.point("v2")
        keeper.refresh(force=True)
        assert keeper.current is first
        assert keeper.load_error is not None
        assert name in keeper.load_error
        assert "\n" not in keeper.load_error
        (folder / name).write_bytes(good)
        site.upload("v2", name)
    keeper.refresh(force=True)
    assert (version(keeper), keeper.load_error) == ("v2", None)


def test_a_refused_model_is_not_tried_again_and_again(
    bucket: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket.emulator
    bucket.publish("v1")
    keeper = bucket.keeper(cache)
    keeper.refresh()
    version_of(bucket.model, bucket.folder / "v2", "v2")
    good = (bucket.folder / "v2" / "notes.txt").read_bytes()
    flip(bucket.folder / "v2" / "notes.txt", 0)
    bucket.upload("v2")
    bucket.point("v2")
    for _ in range(5):
        keeper.refresh()
        assert version(keeper) == "v1"
        assert keeper.load_error
        assert "m/v2/notes.txt" in keeper.load_error
    asked = bucket.emulator.gets["m/v2/notes.txt"]
    assert asked == 1
    keeper.refresh(force=True)
    assert bucket.emulator.gets["m/v2/notes.txt"] == 2
    bucket.emulator.put("bucket", "m/v2/notes.txt", good)  # as publishing again does
    keeper.refresh(force=True)
    assert (version(keeper), keeper.load_error) == ("v2", None)


def test_a_refused_model_is_tried_again_after_a_while(
    bucket: Site, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bucket.emulator
    monkeypatch.setattr("app.model_store.manager.RETRY_SECONDS", 0.0)
    bucket.publish("v1")
    keeper = bucket.keeper(cache)
    bucket.emulator.delete("bucket", "m/v1/notes.txt")
    keeper.refresh()
    assert keeper.current is None
    bucket.upload("v1")
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v1", None)


def test_a_model_that_cannot_answer_is_refused(site: Site, cache: Path) -> None:
    site.publish("v1")

    def read(path: Path) -> Model:
        model = Model.open(path)
        if model.version == "v2":
            raise ZeroDivisionError("a thing that\nnobody foresaw")
        return model

    keeper = ModelManager(lambda: open_model_source(site.url, cache, retry_timeout=0), read)
    keeper.refresh()
    site.publish("v2")
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v1", "a thing that nobody foresaw")
    site.publish("v3")
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v3", None)


def test_a_plain_model_that_is_replaced_in_place(tmp_path: Path, tiny_model: Path) -> None:
    from app.recommender.atomic_writes import exchange_paths

    place = version_of(tiny_model, tmp_path / "model", "v1")
    keeper = ModelManager(lambda: open_model_source(str(place), tmp_path), Model.open)
    keeper.refresh()
    assert exchange_paths(version_of(tiny_model, tmp_path / "new", "v2"), place)
    assert version(keeper) == "v1"
    keeper.refresh()
    assert version(keeper) == "v2"


@refused_unread
def test_a_bucket_that_does_not_answer_leaves_the_model_in_use(bucket: Site, cache: Path) -> None:
    assert bucket.emulator
    bucket.publish("v1")
    keeper = bucket.keeper(cache)
    keeper.refresh()
    for _ in range(2):
        bucket.emulator.refuse(f"m/{MANIFEST_FILE}", 503)
        keeper.refresh()
        assert version(keeper) == "v1"
        assert keeper.load_error
        assert "does not answer" in keeper.load_error
    bucket.publish("v2")
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v2", None)


@refused_unread
def test_a_bucket_that_does_not_answer_at_the_start(bucket: Site, cache: Path) -> None:
    assert bucket.emulator
    bucket.publish("v1")
    bucket.keeper(cache).refresh()
    bucket.publish("v2")
    bucket.emulator.refuse(f"m/{MANIFEST_FILE}", 503)
    keeper = bucket.keeper(cache)
    keeper.refresh()
    assert version(keeper) == "v1"
    assert keeper.load_error
    assert "does not answer" in keeper.load_error
    keeper.refresh()
    assert (version(keeper), keeper.load_error) == ("v2", None)


def test_a_bad_model_in_the_bucket_at_the_start(bucket: Site, cache: Path) -> None:
    bucket.publish("v1")
    bucket.keeper(cache).refresh()
    version_of(bucket.model, bucket.folder / "v2", "v2")
    flip(bucket.folder / "v2" / "item_relevance.npy", 200)
    bucket.upload("v2")
    bucket.point("v2")
    assert bucket.emulator
    keeper = bucket.keeper(cache)
    for _ in range(3):
        keeper.refresh()
        assert version(keeper) == "v1"
        assert keeper.load_error
        assert "item_relevance.npy" in keeper.load_error
    assert bucket.emulator.gets["m/v2/item_relevance.npy"] == 1


def test_without_any_model_the_fault_is_told(bucket: Site, cache: Path) -> None:
    keeper = bucket.keeper(cache)
    keeper.refresh()
    assert keeper.current is None
    assert keeper.load_error
    assert "neither manifest.json nor latest" in keeper.load_error
    assert keeper.checked_at


def test_a_copy_that_lost_bits_is_repaired(bucket: Site, cache: Path) -> None:
    bucket.publish("v1")
    keeper = bucket.keeper(cache)
    keeper.refresh()
    for copy in cache.rglob("item_relevance.npy"):
        flip(copy, 150)
    again = bucket.keeper(cache)
    again.refresh()
    assert (version(again), again.load_error) == ("v1", None)


def test_a_worker_that_was_forked_from_an_old_master_catches_up_by_itself(
    bucket: Site, cache: Path
) -> None:
    assert bucket.emulator
    bucket.publish("v1")
    master, worker = bucket.keeper(cache), bucket.keeper(cache)
    master.refresh()
    bucket.publish("v2")
    worker.refresh()
    asked = bucket.emulator.gets.total()
    master.activate_cached()
    assert version(master) == "v2"
    assert bucket.emulator.gets.total() == asked


def test_workers_that_look_at_the_same_moment_download_once(bucket: Site, cache: Path) -> None:
    assert bucket.emulator
    bucket.publish("v1")
    keepers = [bucket.keeper(cache) for _ in range(4)]
    threads = [threading.Thread(target=keeper.refresh) for keeper in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert [version(keeper) for keeper in keepers] == ["v1"] * 4
    assert bucket.emulator.gets["m/v1/notes.txt"] == 1


def test_a_watcher_looks_when_woken_and_when_its_time_has_come() -> None:
    looked: list[bool] = []
    come = threading.Condition()

    enough = threading.Event()

    def look(insist: bool) -> None:
        with come:
            looked.append(insist)
            come.notify()
        if len(looked) > 20:
            enough.wait()

    def wait_for(count: int) -> None:
        with come:
            assert come.wait_for(lambda: len(looked) >= count, SECONDS)

    sleeping = Poller(look, 0)
    sleeping.start()
    sleeping.start()
    sleeping.wake()
    wait_for(1)
    assert looked == [True], "one thread, and nothing but what was asked for"
    Poller(look, 0.001).start()
    wait_for(20)
    assert False in looked
