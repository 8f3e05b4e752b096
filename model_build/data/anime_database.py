"""Reads a release of anime-offline-database: facts about every anime, new ones every week.

The format is that of the releases by manami-project and, since July 2026, of the fork that goes on
with them: ``anime-offline-database-minified.json`` or ``anime-offline-database.jsonl``, either with
``.zst`` behind. It has no synopses and no MyAnimeList scores; its data is under ODbL-1.0.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO

import polars as pl
import zstandard
from pydantic import BaseModel, Field, ValidationError

from app.catalogue import LIST_SEPARATORS
from app.pictures import standard_picture_url
from model_build.data.labels import sort_labels, spell_studios
from model_build.data.relations import Relation, add_relations
from model_build.util.errors import InputError, first_error

DATABASE_SCHEMA: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "anime_id": pl.Int32,
    "anilist_id": pl.Int64,
    "kitsu_id": pl.Int64,
    "title": pl.String,
    "synonyms": pl.String,
    "type": pl.String,
    "episodes": pl.Int32,
    "season": pl.String,
    "year": pl.Int32,
    "genres": pl.String,
    "themes": pl.String,
    "demographics": pl.String,
    "studios": pl.String,
    "picture": pl.String,
    "adult": pl.Boolean,
    "related": pl.List(pl.Int32),
}
_NAME_SEPARATOR = LIST_SEPARATORS["synonyms"]
_DATABASE_SUFFIX = " of the database"
_OVERWRITTEN_COLUMNS = {"episodes", "season", "year"}
_UNKNOWN_VALUES = {"UNKNOWN", "UNDEFINED"}
_SITE_ID_PATTERNS = {
    "anime_id": re.compile(r"https://myanimelist\.net/anime/(\d+)$"),
    "anilist_id": re.compile(r"https://anilist\.co/anime/(\d+)$"),
    "kitsu_id": re.compile(r"https://kitsu\.(?:app|io)/anime/(\d+)$"),
}


class _AnimeSeason(BaseModel):
    season: str = "UNDEFINED"
    year: Annotated[int, Field(gt=0)] | None = None


class _AnimeRecord(BaseModel):
    sources: list[str]
    title: str
    type: str
    episodes: Annotated[int, Field(ge=0)] = 0
    anime_season: Annotated[_AnimeSeason, Field(alias="animeSeason")] = _AnimeSeason()
    picture: str = ""
    thumbnail: str = ""
    synonyms: list[str] = []
    related: Annotated[list[str], Field(alias="relatedAnime")] = []
    tags: list[str] = []
    studios: list[str] = []


class _DatabaseRelease(BaseModel):
    data: list[_AnimeRecord]


def read_anime_database(path: Path) -> pl.DataFrame:
    """Read the anime of a release that MyAnimeList knows, by its id, as `DATABASE_SCHEMA`.

    ``related`` are the MyAnimeList ids of related anime, without the kind of the relation.
    Of two entries with the same id the first counts.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with path.open("rb") as file:
            anime = list(_catalogue_rows(_parse_release(path, file)))
    except zstandard.ZstdError as error:
        raise InputError(f"{path}: is cut off or not a zstd file ({error}).") from None
    except ValidationError as error:
        raise InputError(
            f"{path}: {first_error(error)}; an anime-offline-database release was expected."
        ) from None
    if not anime:
        raise InputError(f"{path}: holds no anime of MyAnimeList; a whole release was expected.")
    frame = pl.DataFrame(anime, schema=dict(DATABASE_SCHEMA))
    return frame.unique("anime_id", keep="first", maintain_order=True).sort("anime_id")


def _parse_release(path: Path, file: BinaryIO) -> Iterable[_AnimeRecord]:
    name = path.name.lower()
    if name.endswith(".zst"):
        name = name.removesuffix(".zst")
        text = zstandard.ZstdDecompressor().stream_reader(file).read()
        if not text:
            raise zstandard.ZstdError("nothing in it")
    else:
        text = file.read()
    if not name.endswith(".jsonl"):
        return _DatabaseRelease.model_validate_json(text).data
    lines = io.BytesIO(text)
    lines.readline()  # says what the file is
    return [_AnimeRecord.model_validate_json(line) for line in lines if line.strip()]


def _catalogue_rows(anime: Iterable[_AnimeRecord]) -> Iterator[dict[str, object]]:
    for each in anime:
        ids = {site: _site_id(site, each.sources) for site in _SITE_ID_PATTERNS}
        if ids["anime_id"] is None:
            continue
        genres, themes, demographics = sort_labels(each.tags)
        season = each.anime_season.season
        related = (_site_id("anime_id", [address]) for address in each.related)
        yield {
            **ids,
            "title": each.title,
            "synonyms": _join_names(name for name in each.synonyms if name != each.title),
            "type": None if each.type in _UNKNOWN_VALUES else each.type,
            "episodes": each.episodes or None,
            "season": None if season in _UNKNOWN_VALUES else season.lower(),
            "year": each.anime_season.year,
            "genres": ";".join(genres) or None,
            "themes": ";".join(themes) or None,
            "demographics": ";".join(demographics) or None,
            "studios": ";".join(name.title() for name in each.studios) or None,
            "picture": standard_picture_url(each.picture) or standard_picture_url(each.thumbnail),
            "adult": "Hentai" in genres,
            "related": sorted({number for number in related if number}),
        }


def _join_names(names: Iterable[str]) -> str | None:
    plain = (name.replace(_NAME_SEPARATOR, "/") for name in names)
    return _NAME_SEPARATOR.join(dict.fromkeys(plain)) or None


def _unite_names(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    both = pl.concat_str(one, other, separator=_NAME_SEPARATOR, ignore_nulls=True)
    names = both.str.split(_NAME_SEPARATOR).list.unique(maintain_order=True)
    return names.list.join(_NAME_SEPARATOR).replace("", None)


def _site_id(site: str, urls: Iterable[str]) -> int | None:
    """Return the id in the first URL of a site."""
    found = (_SITE_ID_PATTERNS[site].match(address) for address in urls)
    return next((int(match[1]) for match in found if match), None)


def update_catalogue(catalogue: pl.DataFrame | None, database: pl.DataFrame) -> pl.DataFrame:
    """Return the catalogue completed from the database, or without a catalogue the database alone.

    New anime are added. Of known ones ``episodes``, ``season`` and ``year``, which change while an
    anime runs, are those of the database; synonyms are those of both; other columns are only filled
    in where they are missing.
    Studios, which it writes in small letters, are spelled as in the catalogue.
    Related anime go to the column ``relations``, as "related": the release does not say how they
    are, so they only decide between series that titles name.
    """
    if catalogue is None:
        catalogue = pl.DataFrame(schema={"anime_id": pl.Int32})
    database = database.with_columns(pl.col("anime_id").cast(catalogue.schema["anime_id"]))
    joined = catalogue.join(
        database, on="anime_id", how="full", coalesce=True, suffix=_DATABASE_SUFFIX
    )
    facts = []
    for name in set(catalogue.columns) & set(database.columns) - {"anime_id"}:
        old, new = pl.col(name), pl.col(name + _DATABASE_SUFFIX).cast(catalogue.schema[name])
        if name == "synonyms":
            fact = _unite_names(old, new)
        elif name in _OVERWRITTEN_COLUMNS:
            fact = pl.coalesce(new, old)
        else:
            fact = pl.coalesce(old, new)
        facts.append(fact.alias(name))
    joined = (
        joined.with_columns(facts).drop(pl.selectors.ends_with(_DATABASE_SUFFIX)).sort("anime_id")
    )
    written = catalogue["studios"].to_list() if "studios" in catalogue.columns else []
    known = [name for names in written if names for name in names.split(";")]
    studios = pl.Series("studios", spell_studios(joined["studios"].to_list(), known), pl.String)
    joined = joined.with_columns(studios)
    related = [
        Relation(other, "related", anime_id)
        for anime_id, others in joined.select("anime_id", "related").iter_rows()
        for other in others or ()
    ]
    return add_relations(joined.drop("related"), related)
