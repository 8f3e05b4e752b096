"""The parts of a model: what was fitted, as the arrays and scalars that serving reads.

A part that is not there is one without anime in it: it predicts nothing, and costs nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from app.recommender import Model
from app.recommender.array_types import Int16Array, Int32Array
from app.recommender.artifact import FORMAT_VERSION, DatasetInfo, Manifest, ModelArtifact
from app.recommender.input_weights import InputWeights
from app.recommender.parameters import MatchCurve, ServingParameters
from app.recommender.reranking.feature_names import FeatureGroup
from app.recommender.trees import TreeEnsemble
from model_build.train.affinity import INPUT_WEIGHTS
from model_build.train.bias_model import BiasModel
from model_build.train.hyperparameters import Hyperparameters, MatrixPrecision
from model_build.train.score_model import (
    BIAS_REGULARISATION,
    STD_PRIOR_WEIGHT,
    GaussianFactorModel,
    StandardScores,
)
from model_build.train.serving_parameters import default_parameters
from model_build.train.similarity_pairs import SimilarityPairs, encode_pairs
from model_build.train.sufficient_statistics import ItemCounts


@dataclass(frozen=True, slots=True)
class ModelArrays:
    """``arrays`` by file name, and ``scalars`` that go among the manifest's hyperparameters."""

    arrays: dict[str, npt.NDArray[Any]]
    scalars: dict[str, float]


class SecondStage(NamedTuple):
    """Trees that rank again, and what they take off for popularity."""

    trees: TreeEnsemble
    popularity_weight: float


@dataclass(slots=True)
class TrainedModel:
    """The arrays of a model by name, and what the manifest says of them.

    ``match_curves`` are those of its second stage, if it has one; ``notes`` say what was left out.
    ``ablations`` are no part of it: second stages without some group of features, to compare with.
    """

    arrays: dict[str, npt.NDArray[Any]]
    counts: dict[str, int]
    hyperparameters: dict[str, float | int | str]
    seconds: dict[str, float] = field(default_factory=dict)
    match_curves: tuple[MatchCurve, ...] = ()
    notes: list[str] = field(default_factory=list)
    ablations: dict[FeatureGroup, SecondStage] = field(default_factory=dict)

    def serving_parameters(self, given: ServingParameters | None = None) -> ServingParameters:
        """Return those ``given``, or the defaults, with what was fitted."""
        parameters = given or default_parameters()
        if not self.match_curves:
            return parameters
        return parameters.model_copy(update={"match_curves": self.match_curves})

    def in_memory_model(self, parameters: ServingParameters | None = None) -> Model:
        """Build the model, to be measured without being written; it has no catalogue."""
        model = Model(in_memory_artifact(self.arrays, self.counts, self.hyperparameters))
        return model.with_parameters(self.serving_parameters(parameters))


def in_memory_artifact(
    arrays: Mapping[str, npt.NDArray[Any]],
    counts: dict[str, int],
    hyperparameters: dict[str, float | int | str],
) -> ModelArtifact:
    """Make what an opened model is read from, of arrays that were never written."""
    manifest = Manifest(
        format=FORMAT_VERSION,
        version="in-memory",
        created="",
        dataset=DatasetInfo(name="in memory", fingerprint=""),
        counts=counts,
        hyperparameters=hyperparameters,
        serving_parameters=default_parameters(),
        metrics={},
        files={},
    )
    return ModelArtifact(Path("in-memory"), manifest, arrays)


def build_timestamp() -> datetime:
    """Now, or what SOURCE_DATE_EPOCH says, for builds that must come out the same."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def make_model_version(
    created: datetime, dataset: str, hyperparameters: Hyperparameters, parameters: ServingParameters
) -> str:
    """Make a name that sorts by time and differs for other data or settings."""
    settings = f"{dataset} {hyperparameters.model_dump()} {parameters}"
    digest = hashlib.sha256(settings.encode()).hexdigest()
    return f"{created:%Y%m%dT%H%M%SZ}-{digest[:8]}"


def item_statistics_arrays(
    counts: ItemCounts, n_users: int, years: Int16Array, as_of: int, members: Int32Array
) -> ModelArrays:
    """Count items, and average their relevance over all users.

    ``years`` and ``members`` (n,) are 0 where nobody knows.
    """
    arrays: dict[str, npt.NDArray[Any]] = {
        "anime_id": counts.anime_ids,
        "rating_count": counts.ratings.astype(np.int32),
        "entry_count": counts.entries.astype(np.int32),
        "item_relevance": counts.relevance / n_users,
        "item_year": years,
        "item_members": members,
    }
    return ModelArrays(arrays, {"as_of": float(as_of)})


def knn_arrays(bias_model: BiasModel, similarity: csr_array | SimilarityPairs) -> ModelArrays:
    """Encode KNN with baseline; row i of a matrix (n, n) holds the neighbours of item i."""
    scalars = {"global_mean": bias_model.mean}
    if isinstance(similarity, SimilarityPairs):
        arrays = encode_pairs("similarity", similarity)
    else:
        arrays, scale = encode_item_matrix("similarity", similarity.T, "exact")
        scalars["similarity_scale"] = scale
    return ModelArrays({"item_bias": bias_model.item_bias, **arrays}, scalars)


def score_model_arrays(
    standard_scores: StandardScores, similarity: csr_array, gaussian: GaussianFactorModel
) -> ModelArrays:
    """Encode the score model; row i of ``similarity`` (n, n) holds the neighbours of item i."""
    arrays, scale = encode_item_matrix("score_model_similarity", similarity.T, "compact")
    close, close_scale = encode_item_matrix(
        "score_model_close_covariance", gaussian.close, "compact"
    )
    return ModelArrays(
        {
            "score_model_item_bias": standard_scores.item_bias,
            **arrays,
            **close,
            "score_model_factor_position": gaussian.position,
            "score_model_item_factors": gaussian.factor.astype(np.float16),
            "score_model_noise_variance": gaussian.noise,
        },
        {
            "score_model_reg_user": BIAS_REGULARISATION,
            "score_model_score_std": standard_scores.overall_std,
            "score_model_score_std_weight": STD_PRIOR_WEIGHT,
            "score_model_constant_factor": float(np.sqrt(gaussian.user_bias_variance)),
            "score_model_similarity_scale": scale,
            "score_model_close_covariance_scale": close_scale,
        },
    )


def affinity_arrays(**matrices: csr_array) -> ModelArrays:
    """Encode affinities by their names; row j of each matrix (n, n) is the item on the list."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    scalars = dict(zip(InputWeights.number_names(), astuple(INPUT_WEIGHTS), strict=True))
    for name, matrix in matrices.items():
        encoded, scalars[f"{name}_scale"] = encode_item_matrix(name, matrix, "compact")
        arrays |= encoded
    return ModelArrays(arrays, scalars)


def encode_item_matrix(
    name: str, by_source: csr_array, precision: MatrixPrecision
) -> tuple[dict[str, npt.NDArray[Any]], float]:
    """Encode a matrix as `app.recommender.arrays.ItemMatrix` reads it; also its scale.

    Row j of ``by_source`` (n, n) holds what item j on a list gives. ``exact`` keeps float32 values;
    ``compact`` rounds them to 16-bit steps of the largest one. What rounds to 0 is left out.
    """
    by_source = by_source.tocsr(copy=True)
    by_source.sort_indices()
    narrow = np.uint16 if by_source.shape[0] <= np.iinfo(np.uint16).max else np.int32
    value, scale = by_source.data.astype(np.float32, copy=False), 1.0
    if precision == "compact" and len(value):
        signed = bool(value.min() < 0)
        steps = np.iinfo(np.int16 if signed else np.uint16).max
        scale = float(np.abs(value).max()) / steps
        value = np.rint(value / scale).astype(np.int16 if signed else np.uint16)
    by_source.data = value
    by_source.eliminate_zeros()
    return {
        f"{name}_indptr": by_source.indptr.astype(np.int64),
        f"{name}_indices": by_source.indices.astype(narrow),
        f"{name}_data": by_source.data,
    }, scale
