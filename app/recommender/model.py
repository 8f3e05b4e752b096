"""The trained model in memory: typed views of the artifact's arrays."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from app.recommender.array_types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int16Array,
    Int32Array,
    Int64Array,
)
from app.recommender.arrays import ArtifactReader, ItemMatrix, ascends, find_positions
from app.recommender.artifact import ArtifactError, Manifest, ModelArtifact, open_artifact
from app.recommender.engines import load_engines
from app.recommender.input_weights import InputWeights
from app.recommender.pair_matrix import PairMatrix
from app.recommender.parameters import ServingParameters
from app.recommender.reranking.content_features import ContentFeatures
from app.recommender.reranking.feature_names import (
    CORRECTION_FEATURES,
    FEATURES,
    TOLD_GROUP_OF_FEATURE,
    TOLD_GROUPS,
)
from app.recommender.training_users import TrainingUsers
from app.recommender.trees import LeafTable, TreeEnsemble

RECENT_YEARS = 5
POPULARITY_YEARS, MIN_POPULARITY_ANIME = 2, 30
"""What lists stand for is that of so many anime or more within so many years."""


@dataclass(frozen=True)
class ScoreModel:
    """What `app.recommender.score_model` predicts scores with.

    ``item_bias`` (n,) belongs to ``reg_user``; ``similarity`` holds shrunk similarities of standard
    scores; ``score_std`` is that of all users, ``score_std_weight`` how many scores it counts for.
    ``factor_position`` (m,) are the anime that the Gaussian knows, ``factor_row`` (n,) its inverse
    (-1 where not known), ``item_factors`` (m, f) float32 with ``constant_factor`` as its last
    column, ``close_covariance`` (m, m) what pairs have in common beside them, ``noise_variance``
    (m,) float32 above 0.
    """

    item_bias: Float64Array
    reg_user: float
    similarity: ItemMatrix
    score_std: float
    score_std_weight: float
    factor_position: Int32Array
    factor_row: Int32Array
    item_factors: Float32Array
    constant_factor: float
    close_covariance: ItemMatrix
    noise_variance: Float32Array

    @classmethod
    def from_arrays(cls, arrays: ArtifactReader, n_items: int) -> ScoreModel:
        """From the arrays ``score_model_*`` of a model of n anime."""
        factor_position = arrays.read_positions("score_model_factor_position", np.int32, n_items)
        if not ascends(factor_position, strictly=True):
            raise ArtifactError(
                f"{arrays.array_path('score_model_factor_position')}: positions must ascend."
            )
        item_factors = arrays.read_array("score_model_item_factors")
        arrays.check_values("score_model_item_factors", item_factors)
        if (
            item_factors.ndim != 2
            or len(item_factors) != len(factor_position)
            or item_factors.dtype.kind != "f"
        ):
            raise ArtifactError(
                f"{arrays.array_path('score_model_item_factors')}: {item_factors.dtype}"
                f"{item_factors.shape}; expected a row of factors for each of "
                f"{len(factor_position)} anime."
            )
        noise_variance = arrays.read_vector(
            "score_model_noise_variance", np.float32, len(factor_position)
        )
        if (noise_variance <= 0).any():
            raise ArtifactError(
                f"{arrays.array_path('score_model_noise_variance')}: noise must be above 0."
            )
        factor_row = np.full(n_items, -1, np.int32)
        factor_row[factor_position] = np.arange(len(factor_position), dtype=np.int32)
        constant_factor = arrays.read_number("score_model_constant_factor")
        return cls(
            item_bias=arrays.read_vector("score_model_item_bias", np.float64, n_items),
            reg_user=arrays.read_number("score_model_reg_user"),
            similarity=arrays.read_sparse_matrix("score_model_similarity", n_items),
            score_std=arrays.read_number("score_model_score_std"),
            score_std_weight=arrays.read_number("score_model_score_std_weight"),
            factor_position=factor_position,
            factor_row=factor_row,
            item_factors=np.column_stack(
                [
                    item_factors.astype(np.float32),
                    np.full(len(factor_position), constant_factor, np.float32),
                ]
            ),
            constant_factor=constant_factor,
            close_covariance=(
                arrays.read_sparse_matrix("score_model_close_covariance", len(factor_position))
                if "score_model_close_covariance_indptr" in arrays
                else ItemMatrix.empty(len(factor_position))  # older models have none
            ),
            noise_variance=noise_variance,
        )

    @cached_property
    def prior_variance(self) -> float:
        """That of a standard score of the average anime, for a user of whom nothing is known."""
        return float((self.item_factors**2).sum(axis=1).mean() + self.noise_variance.mean())


def recent_mask(years: Int16Array, as_of: int) -> BoolArray:
    """Where anime are of the last `RECENT_YEARS` years before ``as_of`` or newer, (n,).

    ``years`` (n,) and ``as_of`` are 0 where nobody knows; then nothing is recent.
    """
    return np.asarray((years >= as_of - RECENT_YEARS) & (years > 0) & (as_of > 0))


def item_popularity(
    members: Int32Array, entry_count: Int32Array | Int64Array, years: Int16Array
) -> Float64Array:
    """How well anime are known, (n,): their members, or by the lists that they are on.

    Lists count as many members as they usually stand for, for anime of about the same ``years``
    (n,): most lists were collected before recent anime came, so one of these stands for many more.
    Without any members lists count as themselves. Where nothing is known ``years`` are 0.
    """
    known = (members > 0) & (entry_count > 0)
    if not known.any():
        return np.where(members > 0, members, entry_count).astype(np.float64)
    ratio = members[known] / entry_count[known]
    known_years = years[known].astype(np.int64)
    scale = np.full(len(members), np.median(ratio))
    for year in np.unique(years[(members <= 0) & (entry_count > 0) & (years > 0)]):
        about = np.abs(known_years - int(year)) <= POPULARITY_YEARS
        if about.sum() >= MIN_POPULARITY_ANIME:
            scale[years == year] = np.median(ratio[about])
    return np.where(members > 0, members, entry_count * scale)


class Model:
    """What recommending needs, for the n anime of the training ratings.

    ``anime_id`` (n,) ascending int32, ``item_bias`` (n,) float64, ``rating_count`` and
    ``entry_count`` (n,) int32: how many users scored an anime, how many have it on their list;
    ``item_relevance`` (n,) float64: its mean over all users, 0 where it is not on the list.
    ``item_year`` (n,) int16 is when they are from, ``item_members`` (n,) int32 how many people have
    them on MyAnimeList, both 0 where unknown; ``as_of`` is the year that the model was trained for.
    ``content_features`` and ``rerank_trees`` are of the second stage of ranking
    (`app.recommender.reranking`), None in models without it; ``rerank_popularity_weight`` is what
    it takes off for each unit of `log_lists`. ``score_trees`` are those of
    `app.recommender.score_correction`, None in models without. ``engines`` are the further ones
    that it has, by name, and ``training_users`` those that they were fitted to, where these are
    stored.
    """

    def __init__(self, artifact: ModelArtifact) -> None:
        self.manifest: Manifest = artifact.manifest
        self.catalogue_path: Path = artifact.catalogue_path
        self.parameters = artifact.manifest.serving_parameters
        arrays = ArtifactReader(artifact)
        self.anime_id = arrays.read_vector("anime_id", np.int32)
        n = len(self.anime_id)
        if n == 0 or self.anime_id[0] < 1 or not ascends(self.anime_id, strictly=True):
            raise ArtifactError(
                f"{arrays.array_path('anime_id')}: ids must ascend from 1 or more, at least one."
            )
        self.item_bias = arrays.read_vector("item_bias", np.float64, n)
        self.rating_count = arrays.read_vector("rating_count", np.int32, n)
        self.entry_count = arrays.read_vector("entry_count", np.int32, n)
        self.item_relevance = arrays.read_vector("item_relevance", np.float64, n)
        # Older models have neither years nor members.
        self.as_of = int(arrays.read_number("as_of", minimum=0)) if "item_year" in arrays else 0
        self.item_year = arrays.read_optional_vector("item_year", np.int16, n)
        self.item_members = arrays.read_optional_vector("item_members", np.int32, n)
        self.content_features = ContentFeatures.from_arrays(arrays, self.entry_count)
        self.similarity: ItemMatrix | PairMatrix = (
            PairMatrix.from_arrays(arrays, "similarity", n)
            if "similarity_bits" in arrays
            else arrays.read_sparse_matrix("similarity", n)
        )
        self.affinity_matrix = arrays.read_sparse_matrix("affinity", n)
        self.short_history_matrix = arrays.read_sparse_matrix("short_history", n)
        self.little_known_matrix: ItemMatrix | None = None  # older models have none
        if "little_known_indptr" in arrays:
            self.little_known_matrix = arrays.read_sparse_matrix("little_known", n)
        self.score_model = ScoreModel.from_arrays(arrays, n)
        self.input_weights = InputWeights.from_arrays(arrays)
        self.global_mean = arrays.read_number("global_mean")
        self.reg_user = arrays.read_number("reg_user", minimum=0)
        self.neighbour_count = int(arrays.read_number("k", minimum=1))
        self.score_trees = TreeEnsemble.from_arrays(arrays, "score_correction", CORRECTION_FEATURES)
        self.rerank_trees = TreeEnsemble.from_arrays(arrays, "rerank", FEATURES)
        self.rerank_popularity_weight = 0.0
        if self.rerank_trees is not None:
            self.rerank_popularity_weight = arrays.read_number(
                "rerank_popularity_weight", minimum=0
            )
        self.engines = load_engines(arrays, n)
        training_users = {name: TrainingUsers.from_arrays(arrays, name, n) for name in self.engines}
        self.training_users = {
            name: users for name, users in training_users.items() if users is not None
        }

    @classmethod
    def open(cls, path: Path) -> Model:
        """Open a model directory.

        Raises
        ------
        ArtifactError
            Naming the file that is missing, damaged or not as expected.
        """
        return cls(open_artifact(path))

    def with_parameters(self, parameters: ServingParameters) -> Model:
        """Return the same model with other serving parameters; arrays are shared."""
        changed = copy.copy(self)
        changed.parameters = parameters
        for name in ("powered_similarity", "relative_popularity"):  # of the parameters of before
            changed.__dict__.pop(name, None)
        return changed

    def with_second_stage(self, trees: TreeEnsemble, popularity_weight: float) -> Model:
        """Return the same model with other trees that rank again; arrays are shared."""
        changed = copy.copy(self)
        changed.rerank_trees, changed.rerank_popularity_weight = trees, popularity_weight
        changed.__dict__.pop("rerank_leaves", None)  # of the trees of before
        return changed

    def without_trees(self) -> Model:
        """Return the same model without second stage and score correction; arrays are shared."""
        changed = copy.copy(self)
        changed.rerank_trees = changed.score_trees = None
        return changed

    def __len__(self) -> int:
        return len(self.anime_id)

    @property
    def version(self) -> str:
        """The version in the manifest."""
        return self.manifest.version

    def find_positions(self, anime_ids: Int64Array) -> Int64Array:
        """Positions (p,) of anime ids (p,) in the model, -1 where it does not know one."""
        return find_positions(self.anime_id, anime_ids)

    @cached_property
    def popularity(self) -> Float64Array:
        """How well anime are known, (n,); see `item_popularity`."""
        return item_popularity(self.item_members, self.entry_count, self.item_year)

    @cached_property
    def relative_popularity(self) -> Float64Array:
        """Popularity over its quantile ``known_to_nobody_quantile``, (n,), at least 1."""
        quantile = self.parameters.known_to_nobody_quantile
        least = max(1.0, float(np.quantile(self.popularity, quantile)))
        return np.maximum(self.popularity, least) / least

    @cached_property
    def powered_similarity(self) -> ItemMatrix:
        """The similarities of scores to the power ``similarity_exponent``, float32."""
        matrix = self.score_model.similarity
        powered = (
            matrix.data.astype(np.float64) * matrix.scale
        ) ** self.parameters.similarity_exponent
        return ItemMatrix(matrix.indptr, matrix.indices, powered.astype(np.float32))

    @cached_property
    def log_lists(self) -> Float64Array:
        """How well known anime are to those trained on, ln(1 + lists), (n,)."""
        return np.log1p(self.entry_count.astype(np.float64))

    @cached_property
    def rerank_leaves(self) -> LeafTable:
        """What reasons of the second stage are looked up in; only for a model that has one."""
        assert self.rerank_trees is not None
        return self.rerank_trees.leaf_table(TOLD_GROUP_OF_FEATURE, len(TOLD_GROUPS))

    @cached_property
    def is_recent(self) -> BoolArray:
        """The anime from `RECENT_YEARS` years before ``as_of`` on, (n,)."""
        return recent_mask(self.item_year, self.as_of)

    @cached_property
    def popularity_order(self) -> Int64Array:
        """Positions from the best known anime to the least known, (n,); ties by id."""
        return np.argsort(-self.popularity, kind="stable")
