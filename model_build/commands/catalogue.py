r"""Bring the table of anime facts up to date.

Writes a table for train --catalogue, as CSV or Parquet, as its name ends. Example:

    python -m model_build catalogue --database anime-offline-database-minified.json.zst \
        --catalogue anime.parquet --out anime-new.parquet

The release may be an address, from which it is downloaded.
"""

from __future__ import annotations

from model_build.data.config import CatalogueConfig

CONFIG = CatalogueConfig
