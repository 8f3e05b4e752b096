"""Fetch a model that was trained before: the bundled one, or one that was published."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from app.model_store import ModelRef, open_model_source
from app.recommender.artifact import ArtifactError, ensure_replaceable, open_artifact
from app.recommender.atomic_writes import fsync_path, replace_directory

BUNDLED_SOURCE = "bundled"
BUNDLED_MODEL_PATH = Path(__file__).resolve().parents[2] / "bundled_model"


def resolve_model_ref(source: str, version: str | None, cache: Path | None = None) -> ModelRef:
    """Return the model at a place: the live one, or ``version`` of those that were published there.

    ``source`` is ``bundled``, a directory or gs://bucket/prefix; copies from buckets are kept in
    ``cache``, which only fetching takes.

    Raises
    ------
    ArtifactError
        There is none, or it cannot be read.
    """
    if source == BUNDLED_SOURCE:
        source = str(BUNDLED_MODEL_PATH)
    url = source if version is None else f"{source.rstrip('/')}/{version}"
    try:
        offer = open_model_source(
            url, cache or Path(tempfile.gettempdir()), setting_prefix="--from "
        ).latest()
    except ArtifactError as error:  # which speaks to whoever serves
        raise ArtifactError(re.sub(r"\bHAKKEN_MODEL\b", "the address", str(error))) from error
    if version not in (None, offer.version):
        raise ArtifactError(f"{url}: holds version {offer.version}, not {version}.")
    return offer


def download_model(source: str, version: str | None, out: Path) -> str:
    """Put a copy of the model into the folder ``out``, whole or not at all; returns its version.

    A download that was stopped goes on where it was.

    Raises
    ------
    ArtifactError
        There is no such model, it is damaged, or something else stands at ``out``.
    """
    ensure_replaceable(out)
    out = out.absolute()
    cache = out.with_name(f".{out.name}.download")
    offer = resolve_model_ref(source, version, cache)
    there = offer.fetch(True)
    with replace_directory(out) as new:
        for name in ("manifest.json", *open_artifact(there).manifest.files):
            shutil.copyfile(there / name, new / name)
            fsync_path(new / name)
    open_artifact(out)
    shutil.rmtree(cache, ignore_errors=True)
    return offer.version
