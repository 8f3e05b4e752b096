"""What a refresh changed, as a page and in two lines: new anime, figures before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.catalogue import Anime, Catalogue
from app.recommender.artifact import ModelArtifact, open_artifact
from model_build.reporting.page import render_page

MAX_TITLES = 500
HEADLINE_METRICS = ("ndcg@10", "recall@10", "new_ndcg@10", "rmse")


def changes_page(
    number: int, verdict: str, model: Path, previous: Path | None, live: Mapping[str, Any] | None
) -> tuple[str, str]:
    """Return the page of round ``number``, and its summary as text.

    Parameters
    ----------
    verdict
        Whether it was published, and why not.
    model, previous
        Folders of the new model and of that of the round before.
    live
        Version, metrics and counts of the model that was live when the round began.
    """
    artifact = open_artifact(model)
    new = artifact.manifest
    before = live or {"version": None, "metrics": {}, "counts": {}}
    titles = [] if previous is None else _new_anime(artifact, open_artifact(previous))
    rows = [
        (name, float(old.get(name, math.nan)), float(now.get(name, math.nan)))
        for old, now in ((before["counts"], new.counts), (before["metrics"], new.metrics))
        for name in dict.fromkeys([*now, *old])
    ]
    page = render_page(
        "changes.html.j2",
        number=number,
        verdict=verdict,
        manifest=new,
        live_version=before["version"],
        figures=rows,
        is_first=previous is None,
        titles=titles[:MAX_TITLES],
        n_titles=len(titles),
    )
    figures = {name: f"{name} {_figure(old)} -> {_figure(now)}" for name, old, now in rows}
    headline = ", ".join(figures[name] for name in HEADLINE_METRICS if name in figures)
    new_titles = "" if previous is None else f"new         {len(titles):,} anime\n"
    return page, f"{new_titles}figures     {headline}\n{verdict}"


def _new_anime(artifact: ModelArtifact, previous: ModelArtifact) -> list[Anime]:
    """Return the anime that have a place now and had none, the best known first."""
    catalogue = Catalogue.open(artifact.catalogue_path)
    known = set(previous.arrays["anime_id"].tolist())
    new = [each for each in artifact.arrays["anime_id"].tolist() if each not in known]
    return sorted(map(catalogue.get_anime, new), key=lambda a: (-(a.members or 0), a.anime_id))


def _figure(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.4f}"
