"""What fitting a further engine has in common, and adding it to a model.

A model is immutable: an engine is added by writing another model, with the arrays of the first and
those of the engine. What another engine of the same name had put there is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from app.recommender import Model
from app.recommender.array_types import Int32Array
from app.recommender.arrays import find_positions
from app.recommender.artifact import ArtifactError, Manifest, ModelArtifact, open_artifact
from app.recommender.engines import Engine
from app.recommender.training_users import LOVED_MIN_SCORE, MAX_LOVED_ITEMS
from app.recommender.user_list import KnownEntries
from model_build.artifact.metrics import rewrite_model
from model_build.data.grouping import rows_by_user
from model_build.data.interactions import Interactions, known_entries
from model_build.train.model_arrays import build_timestamp
from model_build.util.errors import InputError

HyperparameterValue = float | int | str


@dataclass(frozen=True, slots=True)
class FittedEngine:
    """Arrays, hyperparameters and what was measured, by name without the engine's own.

    Arrays have a row for each of the anime that the engine was fitted for, except those called
    ``*_projection``, ``*_output_weight`` and ``user_prior_*``.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    hyperparameters: Mapping[str, HyperparameterValue]
    metrics: Mapping[str, float] = field(default_factory=dict)

    def align(self, fitted_anime_ids: Int32Array, anime_ids: Int32Array) -> FittedEngine:
        """Give the arrays a row for each of ``anime_ids`` (n,), zeros where not fitted."""
        row = find_positions(fitted_anime_ids, anime_ids)
        arrays = {}
        for name, array in self.arrays.items():
            if name.endswith(("_projection", "_output_weight")) or name.startswith("user_prior_"):
                arrays[name] = array
                continue
            arrays[name] = np.zeros((len(anime_ids), *array.shape[1:]), array.dtype)
            arrays[name][row >= 0] = array[row[row >= 0]]
        return FittedEngine(arrays, self.hyperparameters, self.metrics)


def add_engine(model: Path, name: str, fitted: FittedEngine, out: Path) -> Manifest:
    """Write the model at ``model`` with an engine called ``name`` to ``out``.

    Raises
    ------
    ArtifactError
        It could not be opened; what stands at ``out`` is left alone.
    """
    artifact = open_artifact(model)
    changed = _with_engine(artifact, name, fitted, out)
    _open_unwritten(changed)
    manifest, arrays, numbers = artifact.manifest, changed.arrays, changed.manifest.hyperparameters
    digest = hashlib.sha256(f"{manifest.version} {sorted(numbers.items())}".encode())
    for array_name in sorted(arrays):
        digest.update(array_name.encode())
        digest.update(np.ascontiguousarray(arrays[array_name]).data)
    created = build_timestamp()
    return rewrite_model(
        artifact,
        out,
        f"{created:%Y%m%dT%H%M%SZ}-{digest.hexdigest()[:8]}",
        metrics=replace_prefixed(name, manifest.metrics, fitted.metrics),
        created=created.isoformat(timespec="seconds"),
        hyperparameters=numbers,
        arrays=arrays,
    )


def model_with_engine(artifact: ModelArtifact, name: str, fitted: FittedEngine, out: Path) -> Model:
    """Open what `add_engine` is going to write to ``out``, without a file.

    Raises
    ------
    ArtifactError
        It could not be opened: a network gone astray has numbers beyond all sense.
    """
    return _open_unwritten(_with_engine(artifact, name, fitted, out))


def _with_engine(
    artifact: ModelArtifact, name: str, fitted: FittedEngine, out: Path
) -> ModelArtifact:
    manifest = artifact.manifest
    numbers = replace_prefixed(name, manifest.hyperparameters, fitted.hyperparameters)
    changed = manifest.model_copy(update={"hyperparameters": numbers})
    return ModelArtifact(out, changed, replace_prefixed(name, artifact.arrays, fitted.arrays))


def _open_unwritten(artifact: ModelArtifact) -> Model:
    try:
        return Model(artifact)
    except ArtifactError as error:
        told = f"{artifact.path}: not written, as it could not be opened; {error}"
        raise ArtifactError(told) from None


def replace_prefixed(
    name: str, of_model: Mapping[str, Any], of_engine: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a model's values, with those of the engine in place of all called ``NAME_*``."""
    prefix = f"{name}_"
    others = {key: value for key, value in of_model.items() if not key.startswith(prefix)}
    return others | {prefix + key: value for key, value in of_engine.items()}


def training_user_arrays(
    model: Model, engine: Engine, interactions: Interactions
) -> dict[str, npt.NDArray[Any]]:
    """Fold in the users that an engine was fitted to, for a model that keeps them, nameless.

    Such a model holds, of every user, a vector made of the list and what the user loved most: rows
    of people. The bundled model has none. Every user is folded in as a visitor would be; one who
    loved nothing, or of whom the engine can say nothing, is left out. Loved are at most
    `MAX_LOVED_ITEMS` of the scores from `LOVED_MIN_SCORE`, those furthest above what the anime gets
    from others first. Users come in a shuffled order.

    Returns
    -------
    dict
        ``training_users_embedding`` (users, d) float32, rows of length 1, and the loved anime in
        CSR form: ``training_users_indptr`` (users + 1,) int64 delimits ``training_users_indices``
        int32, positions in the model.

    Raises
    ------
    InputError
        Nobody is left.
    """
    ratings = interactions.entries
    rows_of = rows_by_user(ratings.user, len(ratings.user_ids))
    vectors, loved = [], []
    shuffled = np.random.default_rng(0).permutation(len(rows_of))
    for user in tqdm(shuffled.tolist(), "fans", unit=" fan", disable=None):
        known = known_entries(interactions.user_list(rows_of[user]), model.anime_id)
        most_loved = _most_loved_items(model, known)
        vector = engine.user_embedding(known) if len(most_loved) else np.zeros(1)
        length = np.linalg.norm(vector)
        if length:
            vectors.append((vector / length).astype(np.float32))
            loved.append(most_loved)
    if not vectors:
        raise InputError(
            f"there are no fans to keep: nobody scored an anime of the model {LOVED_MIN_SCORE:g} "
            "or more; leave out --with-fans or --with-centres."
        )
    return {
        "training_users_embedding": np.stack(vectors),
        "training_users_indptr": np.cumsum([0, *map(len, loved)], dtype=np.int64),
        "training_users_indices": np.concatenate(loved),
    }


def _most_loved_items(model: Model, known: KnownEntries) -> Int32Array:
    is_loved = known.score >= LOVED_MIN_SCORE
    at = known.position[is_loved]
    above = known.score[is_loved] - model.item_bias[at]
    return at[np.argsort(-above, kind="stable")[:MAX_LOVED_ITEMS]].astype(np.int32)
