"""Fetch a trained model: the bundled one, or a published one."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from app.model_store import ModelRef, open_model_source
from app.recommender.artifact import ArtifactError, ensure_replaceable, open_artifact
from app.recommender.atomic_writes import fsync_path, replace_directory
from app.shipped import find_shipped

BUNDLED_SOURCE = "bundled"
BUNDLED_MODEL_PATH = find_shipped("bundled_model")


def resolve_model_ref(source: str, version: str | None, cache: Path | None = None) -> ModelRef:
    """Return the live model of a source, or ``version`` of those that were published there.

    ``source`` is ``bundled``, a directory or gs://bucket/prefix; copies from buckets go to
    ``cache`` when they are fetched.

    Raises
    ------
    ArtifactError
        There is none, or it cannot be read.
    """
    if source == BUNDLED_SOURCE:
        source = str(BUNDLED_MODEL_PATH)
    url = source if version is None else f"{source.rstrip('/')}/{version}"
    try:
        ref = open_model_source(
            url, cache or Path(tempfile.gettempdir()), setting_prefix="--from "
        ).latest()
    except ArtifactError as error:  # which speaks to whoever serves
        raise ArtifactError(re.sub(r"\bHAKKEN_MODEL\b", "the address", str(error))) from error
    if version not in (None, ref.version):
        raise ArtifactError(f"{url}: holds version {ref.version}, not {version}.")
    return ref


def download_model(source: str, version: str | None, out: Path) -> str:
    """Copy the model into the folder ``out``, atomically, and return its version.

    An interrupted download is resumed.

    Raises
    ------
    ArtifactError
        There is no such model, it is damaged, or ``out`` is something else than a model.
    """
    ensure_replaceable(out)
    out = out.absolute()
    cache = out.with_name(f".{out.name}.download")
    ref = resolve_model_ref(source, version, cache)
    copy = ref.fetch(True)
    with replace_directory(out) as new:
        for name in ("manifest.json", *open_artifact(copy).manifest.files):
            shutil.copyfile(copy / name, new / name)
            fsync_path(new / name)
    open_artifact(out)
    shutil.rmtree(cache, ignore_errors=True)
    return ref.version
