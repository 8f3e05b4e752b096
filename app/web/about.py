"""``/about``: what the model is, how good it is, and one recommendation worked through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template

from app.lists.entry import FanList
from app.recommender import Model, Visitor
from app.web.answering import answer, to_listed
from app.web.options import Options
from app.web.sample import SAMPLE
from app.web.state import Library, library

blueprint = Blueprint("about", __name__)

# Measure -> what it tells, and how it is written.
MEASURES = {
    "rmse": ("How far a predicted score is off, large errors counting more (RMSE)", "{:.3f}"),
    "mae": ("How far a predicted score is off on average", "{:.3f}"),
    "within_expected_error": ("Scores that fall within the ± shown beside them", "{:.0%}"),
    "ndcg@10": (
        "How well the first ten are filled and ordered, 1 at best (NDCG@10)",
        "{:.3f}",
    ),
    "recall@10": (
        "Hidden favourites (8 or more, ten at most) that are among the first ten",
        "{:.0%}",
    ),
    "new_ndcg@10": ("The same as NDCG@10, for series that the fan did not know", "{:.3f}"),
    "coverage": ("Different anime that they were recommended, ten each", "{:,.0f}"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """A number that is added, and what it stands for."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Worked:
    """A recommendation as two sums: the terms add up to the match and to the predicted score."""

    anime_id: int
    title: str
    match_terms: tuple[Term, ...]
    match: float
    score_terms: tuple[Term, ...]
    score: float


@blueprint.get("/about")
def about() -> Response:
    """The page."""
    held = library()
    manifest = held.model.manifest
    shown = make_response(
        render_template(
            "about.html",
            manifest=manifest,
            measures=measures(manifest.metrics),
            worked=worked(held, SAMPLE),
        )
    )
    shown.headers["Cache-Control"] = "public, max-age=3600"
    return shown


def measures(metrics: Mapping[str, float]) -> list[tuple[str, str]]:
    """What was measured, in words; nothing that was not."""
    return [
        (told, shape.format(metrics[name]))
        for name, (told, shape) in MEASURES.items()
        if name in metrics
    ]


def worked(held: Library, fan_list: FanList) -> Worked | None:
    """The best match of a list with its sums; None if the model knows nothing of the list."""
    found = answer(held, to_listed(fan_list), Options())
    if not found.personal or not found.recommendations:
        return None
    best = max(found.recommendations, key=lambda item: item.match)
    given = [
        Term(
            f"{held.catalogue.title(why.anime_id)}{f', scored {why.score:g}' if why.score else ''}",
            why.weight,
        )
        for why in best.because
    ]
    at = int(held.model.anime_id.searchsorted(best.anime_id))
    return Worked(
        anime_id=best.anime_id,
        title=held.catalogue.title(best.anime_id),
        match_terms=(*given, Term("Everything else on the list, together", best.rest)),
        match=best.match,
        score_terms=_score_terms(held.model, found.visitor, at, best.predicted_score),
        score=best.predicted_score,
    )


def _score_terms(model: Model, visitor: Visitor, at: int, score: float) -> tuple[Term, ...]:
    """The formula of `app.recommender.taste`, with all that is about this list as one term."""
    taste = model.taste
    deviation = visitor.score - model.mean - taste.item_bias[visitor.rated]
    level = float(deviation.sum() / max(taste.reg_user + len(deviation), 1.0))
    bias = float(taste.item_bias[at])
    return (
        Term("The average of all scores", model.mean),
        Term("How much better than average fans find this anime", bias),
        Term("How much higher than others this fan scores", level),
        Term(
            "What the scores on this list say about this anime", score - model.mean - bias - level
        ),
    )
