r"""Bring the table of anime facts up to date.

Writes a Parquet table for train --catalogue. Example:

    python -m model_build catalogue --database anime-offline-database-minified.json.zst \
        --catalogue anime.parquet --out anime-new.parquet
"""

from __future__ import annotations

from pydantic import Field

from model_build.util.options import Config, Count, InputFile, InputFiles, OutputFile, OutputFolder

PATIENCE = 1800
"""Seconds to wait for one answer while AniList asks for rest."""


class CatalogueConfig(Config):
    """Options of `catalogue`."""

    database: InputFile | None = Field(None, description="the release")
    catalogue: InputFile | None = Field(None, description="the table so far")
    facts: InputFile | None = Field(
        None, description="facts, a row an anime and source: studios, tags, members and so on"
    )
    names: InputFile | None = Field(None, description="native titles, synonyms and pictures")
    relations: InputFiles = Field(
        (),
        description="tables of pairs of anime and what the second is to the first, and files "
        "(.txt) of erengy/anime-relations",
    )
    anilist: Count | None = Field(
        None,
        description="ask AniList for pictures and relations that are missing, at most so many "
        "times, for 50 anime each; the best known first",
        examples=[150],
    )
    answers: OutputFolder | None = Field(
        None,
        description="what AniList answered: nothing in it is asked for again (default: the "
        "table's name with .anilist)",
    )
    any_licence: bool = Field(
        False,
        description="also take rows that may not be given away; without it those under MIT, "
        "CC-BY-4.0 or in the public domain",
    )
    out: OutputFile = Field(description="may be the table so far")


CONFIG = CatalogueConfig


def run(config: CatalogueConfig) -> None:
    """Write the new table, and print what is new in it."""
    from app.recommender.atomic_writes import write_atomically
    from model_build.data.anime_database import read_anime_database, update_catalogue
    from model_build.data.catalogue import read_catalogue
    from model_build.data.facts import add_tables
    from model_build.data.relations import add_relations, read_anime_relations
    from model_build.data.watch_order import add_series
    from model_build.util.errors import InputError

    before = read_catalogue(config.catalogue) if config.catalogue else None
    if config.database:
        after = update_catalogue(before, read_anime_database(config.database))
    elif before is not None:
        after = before
    else:
        raise InputError("give --database, --catalogue or both: there is no table to begin with.")
    after = add_tables(
        after,
        facts=config.facts,
        names=config.names,
        relations=[path for path in config.relations if path.suffix.lower() != ".txt"],
        any_licence=config.any_licence,
    )
    for path in config.relations:
        if path.suffix.lower() == ".txt":
            after = add_relations(after, read_anime_relations(path, after))
    if config.anilist:
        from model_build.collect.runner import complete_from_anilist

        answers = config.answers or config.out.with_suffix(".anilist")
        after = complete_from_anilist(after, answers, config.anilist, patience=PATIENCE)
    after = add_series(after)
    write_atomically(config.out, after.write_parquet)
    known = 0 if before is None else len(before)
    series = after.filter(after["franchise_id"].is_not_null())
    print(
        f"{len(after):,} anime, {len(after) - known:,} of them new; {len(series):,} in "
        f"{series['franchise_id'].n_unique():,} series, {series['is_inferred'].sum():,} of them by "
        f"their titles: {config.out}"
    )
