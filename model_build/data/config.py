"""Options of `catalogue`, `prepare` and `split`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from pydantic import Field

from model_build.util.options import (
    Config,
    Count,
    InputFile,
    InputFiles,
    Metavar,
    NonNegativeInt,
    OptionRole,
    OutputFile,
    OutputFolder,
    PositiveInt,
    named,
)

CATALOGUE_FILE = "anime.parquet"
"""Catalogue facts in a prepared folder, if the dump has any."""
Limit = Annotated[int, Ge(0), Metavar("N")]


class CatalogueOptions(Config):
    """Bring the table of anime facts up to date. Left out, it is taken as it is."""

    database: Annotated[str, OptionRole.INPUT, Metavar("FILE")] | None = Field(
        None,
        description="the release of anime-offline-database: a file, or where to download it",
        examples=["https://example.org/anime-offline-database.jsonl.zst"],
    )
    ids: Annotated[str, OptionRole.INPUT, Metavar("FILE")] | None = Field(
        None,
        description="ids on AniList, Kitsu and TVDB, as anime-list-full.json of Fribb/anime-lists "
        "has them: a file, or where to download it",
        examples=["https://example.org/anime-list-full.json"],
    )
    facts: InputFile | None = Field(
        None, description="facts, a row an anime and source: studios, tags, members and so on"
    )
    names: InputFile | None = Field(None, description="native titles, synonyms and pictures")
    relations: InputFiles = Field(
        (),
        description="tables of pairs of anime and what the second is to the first, and files "
        "(.txt) of erengy/anime-relations",
        examples=[["relations.parquet"]],
    )
    anilist: Count | None = Field(
        None,
        description="ask AniList for pictures and relations that are missing, at most so many "
        "times, for 50 anime each; the best known first",
        examples=[150],
    )
    any_licence: bool = Field(
        False,
        description="also take rows that may not be given away; without it those under MIT, "
        "CC-BY-4.0 or in the public domain",
    )


class CatalogueConfig(CatalogueOptions):
    """All options of `catalogue`."""

    catalogue: InputFile | None = Field(None, description="the table so far")
    answers: OutputFolder | None = Field(
        None,
        description="what AniList answered: nothing in it is asked for again (default: the "
        "table's name with .anilist)",
    )
    out: OutputFile = Field(description="a .csv or .parquet file; may be the table so far")


class SplitOptions(Config):
    """Options of `split` that are not about files of one run."""

    fans: PositiveInt = Field(1000, description="fans to take out")
    collected_since: Annotated[int, Ge(1), Metavar("YEAR")] | None = Field(
        None,
        description="draw them from those whose list is of this year or later, by the column "
        "collected of the ratings (default: from all)",
        examples=[2023],
    )
    seed: NonNegativeInt = 0


class SplitConfig(SplitOptions):
    """All options of `split`."""

    ratings: InputFiles
    interactions: InputFile | None = Field(
        None,
        description="what `collect` found of the same users: who is not trained on is taken out of "
        "it, too",
    )
    out: OutputFolder = Field(description="a new directory")


class PrepareOptions(Config):
    """Clean a public dump. Left out, ratings are taken as they are."""

    dataset: Annotated[str, Metavar("NAME")] = Field(
        description="which dump it is", examples=["hernan2020"]
    )
    path: Annotated[Path, OptionRole.INPUT, Metavar("PATH")] | None = named(
        "from", "file, zip, folder", None, examples=["archive.zip"]
    )
    min_fan_entries: Limit = Field(
        5, description="drop fans with fewer entries, scored or not; 0: none"
    )
    max_fan_scores: Limit = Field(
        5000, description="drop fans who scored more anime: bots; 0: none"
    )
    same_score: Limit = Field(
        100, description="drop fans with so many scores that are all the same; 0: none"
    )
    min_anime_entries: Limit = Field(
        5, description="drop anime with fewer entries, after that; 0: none"
    )


class PrepareConfig(PrepareOptions):
    """All options of `prepare`."""

    out: OutputFolder = Field(description="the new folder")
    add: bool = Field(
        False,
        description="add a file of further fans to what DIR holds; one that was read before is "
        "not again",
    )
    add_to: InputFile | None = Field(
        None,
        description="with --add, the prepared.json that DIR had: what was added to it since, but "
        "for this file, is taken out again first",
    )
    quiet: bool = Field(False, description="no progress bar")
