"""Models in the registries of MLflow and of Weights & Biases, as places to fetch one from.

``models:/name/version`` (or ``/latest``, or ``@alias``) at an MLflow server, and
``wandb:entity/project/name:version``. Only the files of the model are taken.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.model_store import ModelRef
from app.model_store.layout import manifest_digest, parse_published_manifest
from app.recommender.artifact import MANIFEST_FILE, MAX_MANIFEST_BYTES, ArtifactError
from app.recommender.regular_files import TooLargeError, read_regular
from model_build.util.errors import InputError
from model_build.util.temporary_folders import temporary_folder
from model_build.util.tracker_clients import (
    MLFLOW_URI_VARIABLE,
    import_wandb,
    open_mlflow,
    require_packages,
)

MLFLOW_SCHEME, WANDB_SCHEME = "models:/", "wandb:"
LATEST = "latest"

Download = Callable[[str, Path], object]
"""Copies the file of this name into a folder."""


def is_registry_address(source: str) -> bool:
    """Whether a place is in a registry."""
    return source.startswith((MLFLOW_SCHEME, WANDB_SCHEME))


def find_registered_model(source: str, cache: Path, mlflow_uri: str | None) -> ModelRef:
    """Return a registered model; its files are downloaded below ``cache``.

    ``mlflow_uri`` is where MLflow is (default: the variable MLFLOW_TRACKING_URI).

    Raises
    ------
    InputError
        The address is none, MLflow's server is not named, or a package is not installed.
    ArtifactError
        There is no such model, or it cannot be read.
    """
    find = _find_in_mlflow if source.startswith(MLFLOW_SCHEME) else _find_in_wandb
    cache.mkdir(parents=True, exist_ok=True)
    download = find(source, cache, mlflow_uri)

    def get(name: str, folder: Path) -> None:
        try:
            download(name, folder)
        except Exception as error:  # theirs are many
            raise _unreadable(f"{source}: {name}", error) from error

    with temporary_folder(cache) as folder:
        get(MANIFEST_FILE, folder)
        try:
            content = read_regular(folder / MANIFEST_FILE, MAX_MANIFEST_BYTES)
        except (OSError, TooLargeError) as error:
            raise _unreadable(f"{source}: {MANIFEST_FILE}", error) from error
    manifest = parse_published_manifest(content, source, None)

    def fetch(_thorough: bool) -> Path:
        copy = Path(tempfile.mkdtemp(dir=cache))
        for name in (MANIFEST_FILE, *manifest.files):
            get(name, copy)
        return copy

    return ModelRef(manifest.version, manifest_digest(content), fetch)


def _find_in_mlflow(source: str, _cache: Path, uri: str | None) -> Download:
    found = re.fullmatch(rf"{MLFLOW_SCHEME}([^/@]+)(?:/([0-9]+|{LATEST})|@([^/@]+))", source)
    if not found:
        raise InputError(
            f"{source}: expected {MLFLOW_SCHEME}name/version, as {MLFLOW_SCHEME}hakken/3."
        )
    require_packages(source, "mlflow")
    uri = uri or os.environ.get(MLFLOW_URI_VARIABLE)
    if not uri:
        raise InputError(f"{source}: where is MLflow? Set {MLFLOW_URI_VARIABLE}, or --mlflow-uri.")
    client = open_mlflow(uri)
    from mlflow.artifacts import download_artifacts

    name, version, alias = found.groups()
    try:
        if alias:
            version = client.get_model_version_by_alias(name, alias).version
        elif version == LATEST:
            versions = client.search_model_versions(f"name = '{name}'")
            version = str(max(int(each.version) for each in versions))
        files = client.get_model_version_download_uri(name, str(version))
    except Exception as error:
        raise _unreadable(source, error) from error
    return lambda file, folder: download_artifacts(
        artifact_uri=f"{files}/{file}", dst_path=str(folder), tracking_uri=uri
    )


def _find_in_wandb(source: str, cache: Path, _uri: str | None) -> Download:
    name = source.removeprefix(WANDB_SCHEME)
    if not re.fullmatch(r"[^/:]+/[^/:]+/[^/:]+:[^/:]+", name):
        raise InputError(
            f"{source}: expected {WANDB_SCHEME}entity/project/name:version, "
            f"as {WANDB_SCHEME}me/hakken/model:v3."
        )
    require_packages(source, "wandb")
    wandb = import_wandb(cache / "wandb")
    try:
        artifact: Any = wandb.Api().artifact(name, type="model")
    except Exception as error:
        raise _unreadable(source, error) from error
    return lambda file, folder: artifact.download(
        root=str(folder), path_prefix=file, skip_cache=True
    )


def _unreadable(what: str, error: Exception) -> ArtifactError:
    words = " ".join(str(error).split()) or type(error).__name__
    return ArtifactError(
        f"{what} cannot be had ({words[:200]}); check name, version, server and key."
    )
