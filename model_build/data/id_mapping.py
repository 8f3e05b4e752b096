"""Reads a mapping of ids between sites, as Fribb/anime-lists publishes them.

``anime-list-full.json`` and ``anime-list-mini.json`` are a list with an object an anime. TVDB's
number is that of the series that an anime is a season of; older lists call it ``thetvdb_id``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from model_build.util.errors import InputError

ID_COLUMNS = ("anilist_id", "kitsu_id", "tvdb_id")
"""Columns of a catalogue that a mapping can fill."""


def _number_or_none(value: object) -> object:
    """Some numbers are written as text, and some texts say that nobody knows."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    is_id = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
    return value if is_id else None


_Id = Annotated[int | None, BeforeValidator(_number_or_none)]


class _Mapping(BaseModel):
    mal_id: _Id = None
    anilist_id: _Id = None
    kitsu_id: _Id = None
    tvdb_id: _Id = Field(None, validation_alias=AliasChoices("tvdb_id", "thetvdb_id"))


_MAPPINGS = TypeAdapter(list[_Mapping])


def read_id_mapping(path: Path) -> pl.DataFrame:
    """Read the columns ``anime_id`` and `ID_COLUMNS` of what MyAnimeList has, by its id.

    Of two objects with the same id the first counts.
    """
    try:
        mappings = _MAPPINGS.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (OSError, ValidationError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InputError(
            f"{path}: cannot be read as a mapping of ids ({said}); anime-list-full.json of "
            "Fribb/anime-lists is one."
        ) from None
    rows = [each.model_dump() for each in mappings if each.mal_id]
    if not rows:
        raise InputError(f"{path}: has no mal_id; anime-list-full.json of Fribb/anime-lists does.")
    schema = dict.fromkeys(("mal_id", *ID_COLUMNS), pl.Int64)
    frame = pl.DataFrame(rows, schema=schema).rename({"mal_id": "anime_id"})
    return frame.unique("anime_id", keep="first", maintain_order=True)
