"""What ``/readyz`` tells whoever runs Hakken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from app.model_store.manager import LoadedModel
from app.web.services.library import Library

_PLACE = re.compile(r"""(?:[a-z0-9+.-]+:/|(?<![^\s'"(=]))/(?:[^\s/'"(),;:]*/)*""")


def describe_readiness(
    loaded_model: LoadedModel[Library] | None,
    *,
    version: str,
    checked_at: float | None,
    fault: str | None,
    places: Iterable[str] = (),
) -> dict[str, Any]:
    """Say which model is in use, or the reason why none is.

    ``stale`` says that the live model could not be had, for the reason that ``fault`` gives, and
    that an earlier one answers in its place; ``second_stage`` whether the model ranks once more;
    ``lists`` what lists are read from on each site, the preferred first. Where the model is
    (``places``) is for the log: strangers may ask this.
    """
    fault = fault and _without_places(fault, places)
    body = {"version": version, "checked": _iso_time(checked_at), "fault": fault}
    if loaded_model is None:
        return {"ready": False, "reason": fault, **body}
    model = loaded_model.content.model
    manifest, made = model.manifest, model.manifest.created_at
    return {
        "ready": True,
        "model": manifest.version,
        "created": manifest.created,
        "age": made and max(0, round((datetime.now(UTC) - made).total_seconds())),
        "loaded": _iso_time(loaded_model.loaded_at),
        "stale": fault is not None,
        **body,
        "second_stage": model.rerank_trees is not None,
        "lists": {slug: found.channels for slug, found in loaded_model.content.sources.items()},
        "counts": {**manifest.counts, "catalogue": len(loaded_model.content.catalogue)},
    }


def _without_places(text: str, places: Iterable[str]) -> str:
    """Leave of paths and addresses what stands behind the last slash."""
    for place in sorted((each for each in places if "/" in each), key=len, reverse=True):
        text = text.replace(place.rstrip("/"), "the model's place")
    return _PLACE.sub("", text).replace("the model's place/", "")


def _iso_time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")
