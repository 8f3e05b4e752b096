"""A model on disk: what is written opens again, and nothing damaged does."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from app.catalogue import Catalogue
from app.recommender import ArtifactError, Model
from app.recommender.artifact import (
    MANIFEST_FILE,
    Manifest,
    open_artifact,
    parse_manifest,
    write_artifact,
)
from model_build.cli import main
from tests.model_build.worlds import random_frame, train_model


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    """A copy of a good model, to be damaged."""
    return Path(shutil.copytree(model.catalogue_path.parent, tmp_path / "model"))


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    data.pop("digest", None)  # of what it said before
    change(data)
    (folder / MANIFEST_FILE).write_text(json.dumps(data), "utf-8")


def replace_array(folder: Path, name: str, array: npt.NDArray[Any]) -> None:
    """Put another array in place with a manifest that vouches for it."""
    file = folder / f"{name}.npy"
    np.save(file, array, allow_pickle=array.dtype == object)
    facts = {
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
        "dtype": array.dtype.str,
        "shape": array.shape,
    }
    edit_manifest(folder, lambda data: data["files"].update({file.name: facts}))


def refusal(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        Model.open(folder)
    return str(caught.value)


def test_a_good_model_opens(folder: Path, model: Model, world: pl.DataFrame) -> None:
    opened = Model.open(folder)
    assert opened.version == model.version
    assert len(opened) == world["anime_id"].n_unique()
    counts = world.group_by("anime_id").agg(
        pl.len().alias("entries"), (pl.col("rating") > 0).sum().alias("ratings")
    )
    counts = counts.sort("anime_id")
    np.testing.assert_array_equal(opened.anime_id, counts["anime_id"])
    np.testing.assert_array_equal(opened.entry_count, counts["entries"])
    np.testing.assert_array_equal(opened.rating_count, counts["ratings"])
    assert opened.global_mean == pytest.approx(world.filter(pl.col("rating") > 0)["rating"].mean())
    assert Catalogue.open(opened.catalogue_path).title(int(opened.anime_id[0])).startswith("Anime")


def test_the_manifest_says_what_is_there(folder: Path, world: pl.DataFrame) -> None:
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    assert manifest["format"] == 3
    assert manifest["counts"]["fans"] == world["user_id"].n_unique()
    assert manifest["counts"]["entries"] == len(world)
    assert manifest["counts"]["ratings"] == (world["rating"] > 0).sum()
    assert manifest["hyperparameters"]["shrinkage"] == 10
    assert set(manifest["files"]) | {MANIFEST_FILE} == {path.name for path in folder.iterdir()}
    for name, facts in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert (facts["bytes"], facts["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )


def test_a_visitor_need_not_be_regularised(folder: Path) -> None:
    edit_manifest(folder, lambda data: data["hyperparameters"].update(reg_user=0))
    assert Model.open(folder).reg_user == 0


def test_arrays_are_mapped_and_cannot_be_written(folder: Path) -> None:
    opened = open_artifact(folder)
    for name, array in opened.arrays.items():
        assert not array.flags.writeable, name
        assert isinstance(array.base, np.memmap), name


def test_every_file_is_vouched_for(folder: Path) -> None:
    damages: dict[str, Callable[[Path, bytes], object]] = {
        "flipped": lambda file, content: file.write_bytes(
            content[:-1] + bytes([content[-1] ^ 0x10])
        ),
        "first": lambda file, content: file.write_bytes(bytes([content[0] ^ 1]) + content[1:]),
        "truncated": lambda file, content: file.write_bytes(content[: len(content) // 2]),
        "empty": lambda file, content: file.write_bytes(b""),
        "longer": lambda file, content: file.write_bytes(content + b"\0"),
        "missing": lambda file, content: file.unlink(),
        "directory": lambda file, content: (file.unlink(), file.mkdir()),
    }
    files = list(json.loads((folder / MANIFEST_FILE).read_text("utf-8"))["files"])
    assert len(files) >= 8
    for name in files:
        file = folder / name
        content = file.read_bytes()
        for damage, apply in damages.items():
            apply(file, content)
            assert str(file) in refusal(folder), damage
            if file.is_dir():
                file.rmdir()
            file.write_bytes(content)
    Model.open(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"not json", b"[]", b"null", b'"format"', b"{}", b"\xff\xfe\x00{", b"\x80"],
)
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / MANIFEST_FILE).write_bytes(content)
    assert str(folder / MANIFEST_FILE) in refusal(folder)


def test_a_truncated_manifest_is_refused_wherever_it_ends(folder: Path) -> None:
    content = (folder / MANIFEST_FILE).read_bytes()
    for length in range(0, len(content.rstrip()), 97):
        (folder / MANIFEST_FILE).write_bytes(content[:length])
        assert MANIFEST_FILE in refusal(folder)


def test_a_manifest_with_any_bit_flipped_is_refused(folder: Path) -> None:
    content = (folder / MANIFEST_FILE).read_bytes()
    for at, byte in enumerate(content):  # of each byte another bit than of the one before
        damaged = bytearray(content)
        damaged[at] = byte ^ (1 << at % 8)
        with pytest.raises((ArtifactError, UnicodeDecodeError)):
            parse_manifest(damaged.decode("utf-8"), "here")
    assert parse_manifest(content.decode(), "here").version


def test_a_manifest_from_before_digests_opens(folder: Path, model: Model) -> None:
    edit_manifest(folder, lambda data: None)
    assert Model.open(folder).version == model.version


@pytest.mark.parametrize("found", [0, 1, 2, 4, 99, "3", None, [3]])
def test_another_format_is_refused_by_number(folder: Path, found: object) -> None:
    edit_manifest(folder, lambda data: data.update(format=found))
    told = refusal(folder)
    assert f"format {found!r}" in told
    assert str(folder / MANIFEST_FILE) in told


@pytest.mark.parametrize("part", sorted(set(Manifest.model_fields) - {"format", "digest"}))
def test_a_manifest_with_a_part_missing_is_refused(folder: Path, part: str) -> None:
    edit_manifest(folder, lambda data: data.pop(part))
    told = refusal(folder)
    assert MANIFEST_FILE in told
    assert part in told


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda data: data.update(further=1), "further"),
        (lambda data: data.update(version="../elsewhere"), "version"),
        (lambda data: data["files"].update({"../x.npy": {"sha256": "0" * 64, "bytes": 1}}), "../x"),
        (lambda data: data["files"].update({"a/b.npy": {"sha256": "0" * 64, "bytes": 1}}), "a/b"),
        (lambda data: data["files"]["anime_id.npy"].update(sha256="short"), "anime_id.npy"),
        (lambda data: data["files"]["anime_id.npy"].update(bytes=-1), "anime_id.npy"),
        (lambda data: data["hyperparameters"].pop("global_mean"), "global_mean"),
        (lambda data: data["hyperparameters"].update(global_mean="high"), "global_mean"),
        (lambda data: data["hyperparameters"].update(global_mean=float("nan")), "global_mean"),
        (lambda data: data["hyperparameters"].pop("similarity_scale"), "similarity_scale"),
        (lambda data: data["hyperparameters"].update(similarity_scale=0), "similarity_scale"),
        (lambda data: data["hyperparameters"].update(similarity_scale=-1.0), "similarity_scale"),
        (lambda data: data["hyperparameters"].update(k=0), "k is 0, a number of at least 1"),
        (lambda data: data["hyperparameters"].update(k=-3), "k is -3"),
        (lambda data: data["hyperparameters"].update(reg_user=-0.5), "reg_user is -0.5"),
        (lambda data: data["files"].pop("catalogue.json.gz"), "lists no catalogue.json.gz"),
    ],
)
def test_a_wrong_manifest_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], part: str
) -> None:
    edit_manifest(folder, change)
    told = refusal(folder)
    assert MANIFEST_FILE in told
    assert part in told


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("item_bias", {"dtype": "<f4"}),
        ("anime_id", {"dtype": "<i8"}),
        ("similarity_data", {"shape": [3]}),
        ("similarity_indptr", {"shape": [1, 61]}),
        ("rating_count", {"dtype": None}),
    ],
)
def test_an_array_other_than_the_manifest_says_is_refused(
    folder: Path, name: str, fact: dict[str, Any]
) -> None:
    edit_manifest(folder, lambda data: data["files"][f"{name}.npy"].update(fact))
    assert str(folder / f"{name}.npy") in refusal(folder)


def test_nothing_is_ever_unpickled(folder: Path) -> None:
    replace_array(folder, "item_bias", np.array([{"a": 1}] * 60, object))
    told = refusal(folder)
    assert str(folder / "item_bias.npy") in told
    assert "not a plain .npy" in told


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("anime_id", lambda a: a[::-1]),
        ("anime_id", lambda a: np.repeat(a[:1], len(a))),
        ("anime_id", lambda a: a[:0]),
        ("anime_id", lambda a: a.astype(np.int64)),
        ("item_bias", lambda a: a[:-1]),
        ("item_bias", lambda a: np.where(np.arange(len(a)) == 5, np.nan, a)),
        ("item_bias", lambda a: a.astype(np.float32)),
        ("rating_count", lambda a: a[:, None]),
        ("entry_count", lambda a: a.astype(np.float64)),
        ("similarity_indptr", lambda a: a[::-1]),
        ("similarity_indptr", lambda a: a + 1),
        ("similarity_indptr", lambda a: a[:-1]),
        ("similarity_indptr", lambda a: np.concatenate([a[:-1], a[-1:] + 1])),
        ("similarity_indices", lambda a: np.where(np.arange(len(a)) == 7, 60, a).astype(a.dtype)),
        ("similarity_indices", lambda a: np.where(np.arange(len(a)) == 7, -1, a.astype(np.int32))),
        ("similarity_indices", lambda a: a[:-1]),
        ("similarity_indices", lambda a: a.astype(np.float64)),
        ("similarity_data", lambda a: a[:-1]),
        ("similarity_data", lambda a: np.where(np.arange(len(a)) == 7, np.nan, a)),
        ("similarity_data", lambda a: np.where(np.arange(len(a)) == 7, np.inf, a)),
        ("similarity_data", lambda a: a.astype(np.complex64)),
    ],
)
def test_arrays_that_make_no_model_are_refused(
    folder: Path, name: str, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> None:
    replace_array(folder, name, np.ascontiguousarray(change(np.load(folder / f"{name}.npy"))))
    told = refusal(folder)
    assert str(folder) in told
    assert name.partition("_")[0] in told


@pytest.fixture(scope="module")
def compact_model(world: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compact")
    train_model(world, folder, precision="compact", pair_ratings=20)
    return folder / "model"


def with_bit(row_word: int, bit: int) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    """Set a bit of a word that was not."""

    def change(bits: npt.NDArray[Any]) -> npt.NDArray[Any]:
        changed = bits.copy()
        changed[row_word] |= np.uint64(1) << np.uint64(bit)
        assert changed[row_word] != bits[row_word]
        return changed

    return change


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("similarity_order", lambda a: np.where(a == 3, 60, a).astype(a.dtype), "past the anime"),
        ("similarity_order", lambda a: np.where(a == 3, -1, a).astype(a.dtype), "past the anime"),
        ("similarity_order", lambda a: np.where(a == 3, 4, a).astype(a.dtype), "twice"),
        ("similarity_order", lambda a: a.astype(np.int64), "int32"),
        ("similarity_bits", lambda a: np.append(a, np.zeros(99, a.dtype)), "no whole number"),
        ("similarity_bits", with_bit(0, 0), "where no pair is"),
        ("similarity_bits", with_bit(0, 63), "where no pair is"),
        ("similarity_code", lambda a: a[:-1], "bits are set for"),
        ("similarity_value", lambda a: a[:9], "past the values"),
        ("similarity_value", lambda a: a[::-1], "ascend"),
        ("similarity_value", lambda a: a * 0, "above 0"),
    ],
)
def test_pairs_that_make_no_matrix_are_refused(
    compact_model: Path,
    tmp_path: Path,
    name: str,
    change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    told: str,
) -> None:
    folder = Path(shutil.copytree(compact_model, tmp_path / "model"))
    Model.open(folder)
    replace_array(folder, name, np.ascontiguousarray(change(np.load(folder / f"{name}.npy"))))
    assert told in refusal(folder)


@pytest.mark.parametrize("name", ["nowhere", "model/anime_id.npy", "empty"])
def test_what_is_no_model_is_refused(folder: Path, name: str) -> None:
    (folder.parent / "empty").mkdir()
    assert f"{folder.parent / name / MANIFEST_FILE}: not found" in refusal(folder.parent / name)


def test_the_same_ratings_and_time_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    frame = random_frame(2, 40, 30, 0.4)
    for name, threads in (("a", 1), ("b", 3)):
        train_model(frame, tmp_path / name, threads=threads)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "model").iterdir()}
        for name in ("a", "b")
    )
    assert first == second
    assert json.loads(first[MANIFEST_FILE])["created"] == "2023-11-14T22:13:20+00:00"


def test_other_settings_or_ratings_give_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    frame = random_frame(2, 40, 30, 0.4)
    versions = {
        train_model(frame, tmp_path / "a").version,
        train_model(frame, tmp_path / "b", shrinkage=1).version,
        train_model(frame[:-1], tmp_path / "c").version,
    }
    assert len(versions) == 3
    assert all(version.startswith("20231114T221320Z-") for version in versions)


def test_a_directory_that_is_no_model_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    random_frame(1, 10, 8, 0.5).write_parquet(tmp_path / "ratings.parquet")
    home, file = tmp_path / "home", tmp_path / "file"
    home.mkdir()
    (home / "letter.txt").write_text("mine")
    file.write_text("mine")
    for place in (home, file):
        ratings = str(tmp_path / "ratings.parquet")
        assert main(["train", "--ratings", ratings, "--out", str(place)]) == 2
        assert f"{place}: exists and is not a model" in capsys.readouterr().err
    assert (home / "letter.txt").read_text() == file.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "ratings.parquet"]


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    train_model(random_frame(1, 10, 8, 0.5), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "ratings.parquet"]


def test_numbers_that_are_none_are_not_written(model: Model, tmp_path: Path) -> None:
    there = model.manifest
    with pytest.raises(ArtifactError, match=r"not written, as hyperparameters\.scale is nan; a "):
        write_artifact(
            tmp_path / "model",
            version=there.version,
            created=there.created,
            dataset=there.dataset,
            counts={},
            hyperparameters={"scale": float("nan")},
            serving_parameters=there.serving_parameters,
            metrics={},
            arrays={},
            catalogue=b"",
        )
    assert list(tmp_path.iterdir()) == []
