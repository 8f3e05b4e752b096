"""Sums on disk, from which a model is refreshed: a folder beside the model.

    sums.json       what was added up, with which biases; vouches for every other file
    anime.npz       counts and biases of each item, by its number
    sample.npz      the ratings of the users drawn for the Gaussian
    KIND-000000.npz, ...   blocks of pair sums of each kind, without the pairs that no user has

They hold single users' ratings, so they are private, as the ratings are.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.recommender.array_types import Float64Array
from app.recommender.atomic_writes import fsync_path
from model_build.train.pair_sums import SUMS_PER_PAIR, RowRange
from model_build.util.errors import InputError

STATISTICS_FORMAT: Final = 2
INDEX_FILE = "sums.json"

ArrayDict = dict[str, npt.NDArray[Any]]


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FixedBiases(_StrictModel):
    """What sums are only good for: ``mean`` and ``spread`` (overall_std) with the item biases."""

    mean: float
    spread: float
    reg_user: float
    reg_item: float
    epochs: int


class StatisticsIndex(_StrictModel):
    """``sums.json``: of which partitions (their sha256) and how many users, in which ``rows``."""

    format: Literal[2]
    partitions: list[str]
    fans: int
    score_total: float
    fixed: FixedBiases
    rows: list[tuple[int, int]]
    files: dict[Annotated[str, Field(pattern=r"^[a-z]+(-[0-9]+)?\.npz$")], str]


def statistics_path(model: Path) -> Path:
    """Name the folder of the sums of a model."""
    model = model.absolute()
    return model.with_name(f"{model.name}.sums")


class SavedStatistics:
    """Opened sums."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        file = folder / INDEX_FILE
        try:
            self.index = StatisticsIndex.model_validate_json(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{file}: not found, so there are no sums to add to; train with --keep-sums first."
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(
                f"{file}: {where}: {first['msg']}; train in full with --keep-sums."
            ) from None
        self.rows = [RowRange(*rows) for rows in self.index.rows]

    def read(self, name: str) -> ArrayDict:
        """Read the arrays of a file."""
        file = self._folder / f"{name}.npz"
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise InputError(
                f"{file}: missing, but {INDEX_FILE} lists it; train in full."
            ) from None
        if hashlib.sha256(data).hexdigest() != self.index.files.get(file.name):
            raise InputError(f"{file}: is not what {INDEX_FILE} says; train in full.")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(arrays)

    def add_saved_block(self, block: Float64Array, kind: str, number: int) -> None:
        """Add the saved sums of a block (rows, items, 4) to those of other users."""
        arrays = self.read(f"{kind}-{number:06}")
        block.reshape(-1, SUMS_PER_PAIR)[arrays["place"]] += arrays["sums"]


class StatisticsWriter:
    """Sums that are being written into an empty ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, str] = {}

    def write(self, name: str, **arrays: npt.NDArray[Any]) -> None:
        """Write a file of arrays."""
        data = io.BytesIO()
        np.savez(data, allow_pickle=False, **arrays)
        file = self._folder / f"{name}.npz"
        file.write_bytes(data.getbuffer())
        fsync_path(file)
        self._files[file.name] = hashlib.sha256(data.getbuffer()).hexdigest()

    def write_block(self, block: Float64Array, kind: str, number: int) -> None:
        """Write a block of sums (rows, items, 4); pairs that are all 0 are left out."""
        flat = block.reshape(-1, SUMS_PER_PAIR)
        place = np.flatnonzero(flat.any(axis=1))
        self.write(f"{kind}-{number:06}", place=place.astype(np.uint32), sums=flat[place])

    def write_index(self, **facts: Any) -> None:
        """Write the index, after everything else."""
        index = StatisticsIndex(format=STATISTICS_FORMAT, files=self._files, **facts)
        (self._folder / INDEX_FILE).write_text(index.model_dump_json() + "\n", "utf-8")
        fsync_path(self._folder / INDEX_FILE)
