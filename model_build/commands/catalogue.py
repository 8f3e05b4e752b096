r"""Bring the table of anime facts up to date with a release of anime-offline-database.

Writes a Parquet table for train --catalogue. Example:

    python -m model_build catalogue --database anime-offline-database-minified.json.zst \
        --catalogue anime.parquet --out anime-new.parquet
"""

from __future__ import annotations

from pydantic import Field

from model_build.util.options import Config, InputFile, OutputFile


class CatalogueConfig(Config):
    """Options of `catalogue`."""

    database: InputFile = Field(description="the release")
    catalogue: InputFile | None = Field(None, description="the table so far")
    out: OutputFile = Field(description="may be the table so far")


CONFIG = CatalogueConfig


def run(config: CatalogueConfig) -> None:
    """Write the new table, and print what is new in it."""
    from app.recommender.atomic_writes import write_atomically
    from model_build.data.anime_database import read_anime_database, update_catalogue
    from model_build.data.catalogue import read_catalogue

    before = read_catalogue(config.catalogue) if config.catalogue else None
    after = update_catalogue(before, read_anime_database(config.database))
    write_atomically(config.out, after.write_parquet)
    known = 0 if before is None else len(before)
    print(f"{len(after):,} anime, {len(after) - known:,} of them new: {config.out}")
