"""Measure whether what is alike makes sense, for every source of a model.

Of the best known anime the ten nearest are looked at: which share have a franchise, a studio or two
tags in common with the title, and which share next to nobody has rated. Example:

    python -m model_build alike --model model
"""

from __future__ import annotations

import json
from dataclasses import asdict

from pydantic import Field

from model_build.util.options import Config, Count, InputFolder, NonNegativeInt, named


class AlikeConfig(Config):
    """Options of `alike`."""

    model: InputFolder
    titles: Count = Field(200, description="best known anime to look at")
    seed: NonNegativeInt = Field(0, description="of the anime drawn to compare with")
    as_json: bool = named("json", "one JSON object a source instead of a table", False)


CONFIG = AlikeConfig
COLUMNS = (
    *("source", "shared", "by chance", "franchise", "studio", "two tags"),
    *("under 10 ratings", "ratings, median", "different anime"),
)


def run(config: AlikeConfig) -> None:
    """Print the measures, as a table or as JSON."""
    from app.catalogue import Catalogue
    from app.recommender import Model
    from model_build.evaluate.similar_anime import SimilarAnimeRow, measure_similar_anime
    from model_build.util.markdown_tables import format_cell, nan_to_null, print_table

    def cells(row: SimilarAnimeRow) -> list[str]:
        shares = (row.sense, row.by_chance, row.franchise, row.studio, row.tags, row.little_rated)
        return [
            row.source,
            *(format_cell(share, ".1%") for share in shares),
            format_cell(row.rating_count, ",.0f"),
            f"{row.different:,}",
        ]

    model = Model.open(config.model)
    rows = measure_similar_anime(
        model, Catalogue.open(model.catalogue_path), n_titles=config.titles, seed=config.seed
    )
    if config.as_json:
        for row in rows:
            print(json.dumps(nan_to_null(asdict(row))))
        return
    print_table(COLUMNS, map(cells, rows))
