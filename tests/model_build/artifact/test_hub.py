"""Models at the Hugging Face Hub: published, fetched, rolled back and pruned as anywhere else."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.model_store import hub as hub_folder
from app.model_store import open_model_source
from app.model_store.hub import NEEDED_CLIENT, open_hub_folder
from app.model_store.layout import BucketUrl, StorageUnreachableError, parse_model_url
from app.model_store.remote import AccessDeniedError, MissingObjectError
from app.recommender import Model
from app.recommender.artifact import MAX_MANIFEST_BYTES, ArtifactError
from model_build.artifact import hub_store
from model_build.artifact.file_store import ConflictError
from model_build.artifact.hub_store import FRONT_MATTER, HubStore, render_page
from model_build.cli import main
from tests.hub_emulator import READER, UNKNOWN_LICENCE, WRITER, HubEmulator, HubFile, running_hub
from tests.models import version_of
from tests.test_docs_commands import LINES

PLACE = "hf://owner/name"
URL = BucketUrl("owner/name", "", "hf")
ROOT = Path(__file__).parents[3]
Capture = pytest.CaptureFixture[str]
# How huggingface_hub gives a file to httpx2.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEmulator]:
    with running_hub() as emulator:
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(hub_store, "FIRST_WAIT", 0.001)
        yield emulator


@pytest.fixture
def store(hub: HubEmulator) -> Iterator[HubStore]:
    with open_hub_folder(URL, 0) as folder:
        yield HubStore(folder)


@pytest.fixture
def one(tiny_model: Path, tmp_path: Path) -> Path:
    return version_of(tiny_model, tmp_path / "one", "v1")


def served(cache: Path, place: str = PLACE) -> str:
    ref = open_model_source(place, cache, retry_timeout=0).latest()
    return Model.open(ref.fetch(True)).version


def publish(model: Path, place: str = PLACE, *more: str) -> int:
    return main(["publish", "--model", str(model), "--to", place, *more])


def refused(capsys: Capture, code: int) -> str:
    """The one sentence that a command ended with."""
    out, told = capsys.readouterr()
    assert (code, out) == (2, "")
    assert told.startswith("model_build ")
    assert told.endswith(".\n")
    assert told.count("\n") == 1
    return told


def test_a_model_is_published_served_and_rolled_back(
    hub: HubEmulator, tiny_model: Path, tmp_path: Path, capsys: Capture
) -> None:
    for version in ("v1", "v2"):
        model = version_of(tiny_model, tmp_path / version, version)
        assert publish(model) == 0
        assert served(tmp_path / "cache") == version
        for file in model.iterdir():
            assert hub.files("owner/name")[f"{version}/{file.name}"] == file.read_bytes()
    files = len([*model.iterdir()]) - 1
    told = [f"Write {files} files of v2", "Write v2/manifest.json", "Write latest"]
    assert hub.repositories["owner/name"].messages[-3:] == told
    assert set(hub.strangers) == {None}, "the token is for the Hub alone"
    assert hub.requests["agent-harnesses"] == hub.requests["telemetry"] == 0
    capsys.readouterr()
    assert publish(model) == 0
    assert "uploaded    0 files" in capsys.readouterr().out
    assert main(["rollback", "--at", PLACE]) == 0
    assert f"v1 at {PLACE} (before: v2)" in capsys.readouterr().out
    assert hub.files("owner/name")["latest"] == b"v1\n"
    assert main(["fetch", "--from", PLACE, "--out", str(tmp_path / "copy")]) == 0
    assert Model.open(tmp_path / "copy").version == "v1"
    assert main(["rollback", "v2", "--at", PLACE]) == 0
    assert main(["prune", "--keep", "1", "--at", PLACE]) == 0
    told = ["Delete v1/manifest.json", f"Delete {files} files of v1"]
    assert hub.repositories["owner/name"].messages[-2:] == told
    capsys.readouterr()
    assert main(["versions", "--at", PLACE]) == 0
    assert [line[:4] for line in capsys.readouterr().out.splitlines()[1:]] == ["* v2"]


def test_a_branch_and_a_folder_are_a_place_of_their_own(
    hub: HubEmulator, one: Path, tmp_path: Path, capsys: Capture
) -> None:
    repository = hub.create("owner/name")
    repository.branches["try/1"], repository.heads["try/1"] = {}, 0
    place = "hf://owner/name@try%2F1/some/models"
    assert publish(one, place) == 0
    assert f"live        v1 at {place} " in capsys.readouterr().out
    assert served(tmp_path / "cache", place) == "v1"
    assert hub.files("owner/name") == {}
    assert hub.files("owner/name", "try/1")["some/models/latest"] == b"v1\n"
    assert "README.md" not in hub.files("owner/name", "try/1"), "which is of more than this place"
    assert f"{PLACE}: neither manifest.json nor latest is there; publish" in refused(
        capsys, main(["fetch", "--from", PLACE, "--out", str(tmp_path / "out")])
    )
    for told in ("hf://owner/name@nowhere", "hf://owner/name@0123456"):
        assert "no such branch, tag or commit" in refused(capsys, publish(one, told))


def test_the_hub_shows_the_card_of_what_is_live(
    hub: HubEmulator, tiny_model: Path, tmp_path: Path
) -> None:
    cards = {}
    for version in ("v1", "v2"):
        model = version_of(tiny_model, tmp_path / version, version)
        cards[version] = (model / "MODEL_CARD.md").read_text("utf-8")
        assert publish(model) == 0
    assert hub.files("owner/name")["README.md"].decode() == f"{FRONT_MATTER}\n{cards['v2']}"
    hub.commit("owner/name", {"README.md": f"---\nlicense: mit\n---\n{cards['v2']}".encode()})
    assert main(["rollback", "--at", PLACE]) == 0
    shown = f"---\nlicense: mit\n---\n\n{cards['v1']}"
    assert hub.files("owner/name")["README.md"].decode() == shown
    hub.commit("owner/name", {"README.md": b"# Our picks\n"})
    assert main(["rollback", "v2", "--at", PLACE]) == 0
    assert hub.files("owner/name")["README.md"] == b"# Our picks\n"


def test_a_page_that_the_hub_refuses_is_not_in_the_way(
    hub: HubEmulator, one: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = f"---\n{UNKNOWN_LICENCE}\n---\n".encode()
    hub.commit("owner/name", {"README.md": page})
    assert publish(one) == 0
    assert hub.files("owner/name")["latest"] == b"v1\n"
    assert hub.files("owner/name")["README.md"] == page
    assert caplog.messages == [
        "hf://owner/name/README.md stays as it is, for the Hub refuses its front matter "
        '("license" must be a known one); correct it there.'
    ]


CARD_1, CARD_2 = (
    f"# Model {version}\n\nTrained on lists (ratings with sha256 `0a1b`).\n" for version in "12"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{FRONT_MATTER}\n{CARD_2}"),
        ("---\nlicense: mit\n---\n", f"---\nlicense: mit\n---\n\n{CARD_2}"),
        ("---\r\na: 1\r\n---", f"---\r\na: 1\r\n---\n\n{CARD_2}"),
        (f"---\na: '---'\n---\n\n{CARD_1}", f"---\na: '---'\n---\n\n{CARD_2}"),
        (CARD_1.replace("\n", "\r\n"), f"{FRONT_MATTER}\n{CARD_2}"),
        (f"{CARD_1}\n---\n", f"{FRONT_MATTER}\n{CARD_2}"),
        *((page, page) for page in ("---\na: 1\n---\nOurs\n", "---\nno end")),
        *((page, page) for page in ("# Model Card for Model ID\n", "# Model zoo\n\nOurs\n")),
    ],
)
def test_a_page_keeps_what_somebody_wrote(before: str, after: str) -> None:
    assert render_page(CARD_2, before) == after


def test_nobody_s_change_is_overwritten(hub: HubEmulator, store: HubStore) -> None:
    store.put("latest", b"v1\n", None)
    first = store.list()["latest"]
    with pytest.raises(ConflictError):
        store.put("latest", b"v2\n", None)
    store.put("latest", b"v1\n", None)  # as a request that is repeated, for its answer got lost
    store.put("latest", b"v2\n", first.generation)
    with pytest.raises(ConflictError):
        store.put_all([("v3/a.npy", b"3", None), ("latest", b"v3\n", first.generation)])
    assert hub.files("owner/name") == {"latest": b"v2\n"}
    store.delete("latest")
    store.delete("latest")
    with pytest.raises(ConflictError):
        store.put("latest", b"v3\n", first.generation)
    with pytest.raises(MissingObjectError, match="hf://owner/name/latest: not found"):
        store.read("latest")
    store.put_all([])
    assert store.list() == {}


def test_a_commit_that_comes_between_is_looked_at(hub: HubEmulator, store: HubStore) -> None:
    """The precondition of a commit is the one below it; what counts is the file."""
    others: list[tuple[str, bytes]] = [("notes.txt", b"a person's")]

    def come_between(_method: str, path: str) -> None:
        if path.endswith("/commit/main") and others:
            hub.commit("owner/name", dict([others.pop()]))

    hub.interfere = come_between
    store.put("v1/a.npy", b"1", None)
    assert hub.files("owner/name") == {"notes.txt": b"a person's", "v1/a.npy": b"1"}
    assert hub.requests["commit"] == 2
    others.append(("latest", b"v2\n"))
    with pytest.raises(ConflictError):
        store.put("latest", b"v1\n", None)
    assert hub.files("owner/name")["latest"] == b"v2\n"


def test_the_hub_tells_late_of_commits(hub: HubEmulator, one: Path, store: HubStore) -> None:
    hub.lag = 1000
    assert publish(one) == 0
    assert hub.requests["commit"] == 3
    assert hub.files("owner/name")["latest"] == b"v1\n"
    hub.lag = 3
    hub.commit("owner/name", {"notes.txt": b"a person's"})
    store.put("v2/a.npy", b"2", None)
    assert hub.requests["commit"] == 3 + hub.lag + 1
    store.delete("v2/a.npy")
    assert "v2/a.npy" not in hub.files("owner/name")
    assert hub.requests["commit"] == 3 + hub.lag + 2


def test_commits_that_the_hub_is_busy_with(hub: HubEmulator, store: HubStore) -> None:
    statuses = iter([409, 412, 409])
    hub.interfere = lambda _, path: next(statuses, None) if path.endswith("/commit/main") else None
    store.put("latest", b"v1\n", None)
    assert hub.files("owner/name") == {"latest": b"v1\n"}


def test_others_who_never_pause(hub: HubEmulator, store: HubStore) -> None:
    hub.interfere = lambda _method, path: 412 if path.endswith("/commit/main") else None
    with pytest.raises(StorageUnreachableError, match="without a pause; try again later"):
        store.put("latest", b"v1\n", None)
    assert hub.requests["commit"] == hub_store.COMMIT_TRIES


def test_the_second_of_two_publishers_is_told(
    hub: HubEmulator, one: Path, tiny_model: Path, tmp_path: Path, capsys: Capture
) -> None:
    two = version_of(tiny_model, tmp_path / "two", "v2")
    begun = iter([True])

    def publish_another(_method: str, path: str) -> None:
        if path.endswith("/commit/main") and hub.requests["commit"] == 3 and next(begun, None):
            hub.commit("owner/name", {"latest": b"v0\n"})

    hub.interfere = publish_another
    told = refused(capsys, publish(two))
    assert "somebody else moved it meanwhile, so v2 is not live" in told
    assert hub.files("owner/name")["latest"] == b"v0\n"


def test_an_interrupted_publish_is_completed(
    hub: HubEmulator, one: Path, tmp_path: Path, capsys: Capture
) -> None:
    hub.interfere = lambda _method, path: 500 if path.endswith("/commit/main") else None
    assert "the Hub answered 500" in refused(capsys, publish(one))
    assert hub.files("owner/name") == {}
    hub.interfere = lambda _method, path: None
    uploads = hub.requests["upload"]
    assert publish(one) == 0
    assert hub.requests["upload"] == uploads, "the files of before were not lost"
    assert served(tmp_path / "cache") == "v1"


def test_what_is_listed_goes_over_pages(hub: HubEmulator, store: HubStore) -> None:
    hub.commit("owner/name", {f"v{n}/a.npy": b"%d" % n for n in range(70)})
    found = store.list()
    assert len(found) == 70
    assert store.matches(found["v7/a.npy"], b"7")
    assert not store.matches(found["v7/a.npy"], b"8")
    assert not store.matches(found["v7/a.npy"], b"77")
    hub.commit("owner/name", {"notes.txt": b"text"})
    assert store.matches(store.list()["notes.txt"], b"text")


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_download_goes_on_and_ends(
    hub: HubEmulator, store: HubStore, tmp_path: Path, *, knows_ranges: bool
) -> None:
    hub.knows_ranges = knows_ranges
    hub.commit("owner/name", {"a.npy": b"0123456789"})
    file = tmp_path / "a.npy"
    file.write_bytes(b"0123")
    for _ in range(2):
        store.folder.resume_download("a.npy", file, 10)
        assert file.read_bytes() == b"0123456789"
    assert hub.ranges == (["bytes=4-", "bytes=10-"] if knows_ranges else [])
    with pytest.raises(ArtifactError, match="larger than 5 bytes"):
        store.folder.resume_download("a.npy", tmp_path / "b", 5)


def test_a_download_that_breaks_off_goes_on_the_next_time(
    hub: HubEmulator, one: Path, tmp_path: Path
) -> None:
    hub.commit("owner/name", {"a.npy": b"0123456789"})
    with open_hub_folder(URL, 1) as folder:
        hub.cut = 4
        told = r"a.npy: the Hub does not answer \(RemoteProtocolError\)"
        with pytest.raises(StorageUnreachableError, match=told):
            folder.resume_download("a.npy", tmp_path / "a.npy", 10)
        assert (tmp_path / "a.npy").read_bytes() == b"0123"
        folder.resume_download("a.npy", tmp_path / "a.npy", 10)
    assert (tmp_path / "a.npy").read_bytes() == b"0123456789"
    assert hub.ranges == ["bytes=4-"]


def test_a_request_that_fails_is_tried_again(
    hub: HubEmulator, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_folder, "FIRST_WAIT", 0.001)
    assert publish(one) == 0
    statuses = iter([503, 500])
    hub.interfere = lambda _method, path: next(statuses, None) if "resolve" in path else None
    ref = open_model_source(PLACE, tmp_path / "cache", retry_timeout=1).latest()
    assert Model.open(ref.fetch(True)).version == "v1"


def test_no_wait_is_longer_than_it_may_be(hub: HubEmulator, tmp_path: Path) -> None:
    hub.retry_after = "86400"
    hub.interfere = lambda _method, _path: 503
    with open_hub_folder(URL, 0.1) as folder:
        with pytest.raises(StorageUnreachableError, match="the Hub answered 503"):
            folder.resume_download("a.npy", tmp_path / "a.npy", 10)
        assert hub.requests["resolve"] == 2
    with (
        open_hub_folder(URL, 0) as folder,
        pytest.raises(StorageUnreachableError, match="the Hub answered 503"),
    ):
        folder.resume_download("a.npy", tmp_path / "a.npy", 10)
    assert hub.requests["resolve"] == 3


@pytest.mark.parametrize("status", [304, 403, 500, 503])
def test_the_text_of_a_refusal_is_not_waited_for(
    hub: HubEmulator, store: HubStore, tmp_path: Path, status: int
) -> None:
    hub.dripping, hub.dripping_status = "a.npy", status
    with pytest.raises(ArtifactError, match=r"the Hub answered|may not do that"):
        store.folder.resume_download("a.npy", tmp_path / "a.npy", 10)
    assert (tmp_path / "a.npy").read_bytes() == b""


def test_what_does_not_arrive_as_published_is_refused_and_the_last_good_copy_stays(
    hub: HubEmulator, one: Path, tiny_model: Path, tmp_path: Path
) -> None:
    assert publish(one) == 0
    source = open_model_source(PLACE, tmp_path / "cache", retry_timeout=0)
    source.commit(source.latest().fetch(True))
    assert publish(version_of(tiny_model, tmp_path / "two", "v2")) == 0
    hub.damaged = "anime_id.npy"
    with pytest.raises(ArtifactError, match=r"v2/anime_id\.npy: not what the manifest lists"):
        source.latest().fetch(True)
    good = source.local_copy()
    assert good is not None
    assert Model.open(good.fetch(True)).version == "v1"


def test_a_damaged_version_is_not_gone_back_to(
    hub: HubEmulator, one: Path, tiny_model: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert publish(one) == 0
    assert publish(version_of(tiny_model, tmp_path / "two", "v2")) == 0
    hub.damaged = "anime_id.npy"
    capsys.readouterr()
    assert "v1/anime_id.npy" in refused(capsys, main(["rollback", "--at", PLACE]))
    assert hub.files("owner/name")["latest"] == b"v2\n"


def put(store: HubStore) -> None:
    store.put("v1/a.npy", b"1", None)


@pytest.mark.parametrize(
    ("where", "deed"),
    [
        ("resolve", lambda store: store.read("latest")),
        ("tree", HubStore.list),
        ("preupload", put),
        ("/upload/", put),
        ("paths-info", put),
        ("/commit/", put),
    ],
)
def test_an_answer_that_never_ends_is_given_up(
    hub: HubEmulator,
    store: HubStore,
    where: str,
    deed: Callable[[HubStore], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.model_store.remote.READ_DEADLINE", 0.1)
    hub.dripping = where
    told = r"^hf://owner/name/\S*: the Hub does not answer \(TimeoutError\)"
    monkeypatch.setattr(hub_store, "CALL_SECONDS", 0.3)
    with pytest.raises(StorageUnreachableError, match=told):
        deed(store)


def test_what_is_far_too_large_is_not_read(hub: HubEmulator, store: HubStore) -> None:
    hub.commit("owner/name", {"latest": b"a" * (MAX_MANIFEST_BYTES + 1)})
    with pytest.raises(ArtifactError, match=r"latest: larger than 4,194,304 bytes"):
        store.read("latest")


def test_who_may_not_is_told_so(
    hub: HubEmulator, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    hub.create("owner/secret", private=True)
    assert "there is no such repository" in refused(capsys, publish(one, "hf://owner/none"))
    monkeypatch.setenv("HF_TOKEN", READER)
    told = refused(capsys, publish(one))
    assert "the token of this host may not do that; give it the right to" in told
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    assert "the Hub does not know the token of this host" in refused(capsys, publish(one))
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", os.devnull)
    assert "set HF_TOKEN" in refused(capsys, publish(one))
    for place in ("hf://owner/none", "hf://owner/secret"):
        with pytest.raises(AccessDeniedError, match=r"no such repository, or .* set HF_TOKEN"):
            open_model_source(place, tmp_path, retry_timeout=0).latest()
    hub.interfere = lambda _method, _path: 429
    with pytest.raises(StorageUnreachableError, match=r"too many requests for now; .* HF_TOKEN"):
        open_model_source(PLACE, tmp_path, retry_timeout=0).latest()


def test_a_token_that_cannot_be_had_is_told(
    hub: HubEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(words: str) -> None:
        with pytest.raises(ArtifactError, match=f"^{PLACE}: the token of this host {words}.*TOKEN"):
            open_model_source(PLACE, tmp_path, retry_timeout=0).latest()

    monkeypatch.setenv("HF_TOKEN", "hf_é")
    told("has characters in it that no token has; set HF_")
    monkeypatch.delenv("HF_TOKEN")
    file = tmp_path / "token"
    file.write_bytes(b"hf_\xff")
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", file)
        told(r"cannot be had \(.*codec can't decode byte")
    for variable in ("HF_OIDC_RESOURCE", "HF_OIDC_ID_TOKEN"):
        monkeypatch.setenv(variable, "owner/name")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    told(r"cannot be had \(.*refused")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    told(r"cannot be had \(Client error '404")
    hub.dripping = "/oauth/token"
    monkeypatch.setattr(hub_folder, "READ_DEADLINE", 0.1)
    told(r"cannot be had \(TimeoutError\)")


def test_what_is_no_hub_is_told(
    hub: HubEmulator, store: HubStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ArtifactError, match="no repository has such a name"):
        open_model_source("hf://owner/a--b", tmp_path, retry_timeout=0).latest()
    with monkeypatch.context() as patch:
        patch.setattr(HubFile, "told", lambda _file, _path, *, expand: {"type": "file"})
        hub.commit("owner/name", {"latest": b"v1"})
        with pytest.raises(StorageUnreachableError, match=r"as the Hub does \(KeyError\)"):
            store.list()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StorageUnreachableError, match=r"does not answer \(ConnectError\)"):
        open_model_source(PLACE, tmp_path, retry_timeout=0).latest()
    monkeypatch.setenv("HF_ENDPOINT", "127.0.0.1")
    with pytest.raises(StorageUnreachableError, match=r"UnsupportedProtocol.*check .*HF_ENDPOINT"):
        open_model_source(PLACE, tmp_path, retry_timeout=0).latest()
    monkeypatch.setenv("HF_ENDPOINT", "http://é..x")
    with pytest.raises(StorageUnreachableError, match=r"answer \(InvalidURL.*check .*HF_ENDPOINT"):
        open_model_source(PLACE, tmp_path, retry_timeout=0).latest()


def test_a_client_that_is_not_there_is_told(
    hub: HubEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr("huggingface_hub.errors.DeviceCodeError")
        with pytest.raises(ArtifactError, match=f"needs huggingface_hub {NEEDED_CLIENT} or later"):
            open_model_source(PLACE, tmp_path, retry_timeout=0).latest()
    assert f'"huggingface-hub~={NEEDED_CLIENT}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "huggingface_hub", None)
        with pytest.raises(ArtifactError, match=f"^{PLACE}: needs huggingface_hub, which is not"):
            open_model_source(PLACE, tmp_path, retry_timeout=0).latest()


@pytest.mark.parametrize(
    "url", ["hf://", "hf://owner", "hf://owner/", "hf:///name", "hf://owner/@main", "hf://o@m/n"]
)
def test_an_address_without_a_repository_is_refused(
    url: str, one: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert f"--to {url!r} names no repository of models; write hf://owner/name" in refused(
        capsys, publish(one, url)
    )
    with pytest.raises(ArtifactError, match=r"^HAKKEN_MODEL='hf://.*names no repository"):
        open_model_source(url, tmp_path)


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ("/../x", "a folder that no repository can have"),
        ("/x/./y", "a folder that no repository can have"),
        ("//x", "a folder that no repository can have"),
        ("/x/.git", "a folder that no repository can have"),
        ("/x\ny", "a folder that no repository can have"),
        ("@..", "no branch; write hf://owner/name@branch"),
        ("@%2E/x", "no branch; write hf://owner/name@branch"),
    ],
)
def test_a_place_that_cannot_be_in_a_repository_is_refused(
    rest: str, told: str, one: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert f"{PLACE + rest!r} names {told}" in refused(capsys, publish(one, PLACE + rest))
    with pytest.raises(ArtifactError, match=f"^HAKKEN_MODEL='.*names {told}"):
        open_model_source(PLACE + rest, tmp_path)


def test_slashes_at_the_end_say_nothing() -> None:
    for place in ("hf://owner/name", "hf://owner/name@try%2F1", "hf://owner/name@main/a/b"):
        assert str(parse_model_url(f"{place}//", "--to ")) == place


def test_data_sets_and_spaces_are_no_repositories_of_models(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="names no repository of models"):
        open_model_source("hf://datasets/owner/name", tmp_path)


def test_command_lines_of_the_documentation_run(
    hub: HubEmulator, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in LINES if " hf://" in line]
    assert {line.split()[0] for line in lines} == {"publish", "versions", "rollback", "prune"}
    assert publish(version_of(tiny_model, tmp_path / "before", "v0")) == 0
    version_of(tiny_model, tmp_path / "model", "v1")
    monkeypatch.chdir(tmp_path)
    for line in lines:
        assert main(shlex.split(line)) == 0
    assert hub.files("owner/name")["latest"] == b"v0\n"


def test_neither_the_token_nor_signed_addresses_are_logged(
    hub: HubEmulator, store: HubStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hub.commit("owner/name", {"a.npy": b"content"})
    assert store.read("a.npy") == b"content"
    assert "/large/" not in caplog.text
    assert WRITER not in repr(store)
