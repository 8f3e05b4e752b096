"""Fetch a trained model: the bundled one, a published one, or one of a registry."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from app.model_store import ModelRef, open_model_source
from app.recommender.artifact import ArtifactError, ensure_replaceable, open_artifact
from app.recommender.atomic_writes import fsync_path, replace_directory
from app.shipped import find_shipped
from model_build.artifact.registries import find_registered_model, is_registry_address
from model_build.util.errors import InputError

BUNDLED_SOURCE = "bundled"
BUNDLED_MODEL_PATH = find_shipped("bundled_model")


def resolve_model_ref(
    source: str, version: str | None, cache: Path | None = None, mlflow_uri: str | None = None
) -> ModelRef:
    """Return the live model of a source, or ``version`` of those that were published there.

    ``source`` is ``bundled``, a directory, gs:// or s3://bucket/prefix, hf://owner/name,
    models:/name/version (of MLflow, at ``mlflow_uri``) or wandb:entity/project/name:version; copies
    from elsewhere go to ``cache`` when they are fetched.

    Raises
    ------
    InputError
        A version of a registry is asked for in two ways, or a package is not installed.
    ArtifactError
        There is none, or it cannot be read.
    """
    cache = cache or Path(tempfile.gettempdir())
    if is_registry_address(source):
        if version is not None:
            raise InputError(f"{source}: names its version itself; leave out --version.")
        return find_registered_model(source, cache, mlflow_uri)
    if source == BUNDLED_SOURCE:
        source = str(BUNDLED_MODEL_PATH)
    url = source if version is None else f"{source.rstrip('/')}/{version}"
    try:
        ref = open_model_source(url, cache, setting_prefix="--from ").latest()
    except ArtifactError as error:  # which speaks to whoever serves
        raise ArtifactError(re.sub(r"\bHAKKEN_MODEL\b", "the address", str(error))) from error
    if version not in (None, ref.version):
        raise ArtifactError(f"{url}: holds version {ref.version}, not {version}.")
    return ref


def download_model(
    source: str, version: str | None, out: Path, mlflow_uri: str | None = None
) -> str:
    """Copy the model into the folder ``out``, atomically, and return its version.

    An interrupted download from elsewhere is resumed.

    Raises
    ------
    InputError
        The address of a registry cannot be used here.
    ArtifactError
        There is no such model, it is damaged, or ``out`` is something else than a model.
    """
    ensure_replaceable(out)
    out = out.absolute()
    cache = out.with_name(f".{out.name}.download")
    ref = resolve_model_ref(source, version, cache, mlflow_uri)
    copy = ref.fetch(True)
    with replace_directory(out) as new:
        for name in ("manifest.json", *open_artifact(copy).manifest.files):
            shutil.copyfile(copy / name, new / name)
            fsync_path(new / name)
    open_artifact(out)
    shutil.rmtree(cache, ignore_errors=True)
    return ref.version
