"""The charts of a report: models with the settings of the reported one, measured on held-out users.

The reported model may have been trained on every user, so its error cannot be measured. What is
measured was trained with its settings on the ratings without the users drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.recommender import Model, RecommendOptions, SortOrder, UserList
from app.recommender.array_types import Float64Array, Int64Array
from app.recommender.rank import top_items
from app.recommender.recommend import score_items
from model_build.data.holdout import HoldoutUser
from model_build.reporting.charts import Chart
from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark

K_VALUES = (1, 3, 5, 10, 20, 40, 80, 200)
SHRINKAGE_VALUES = (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
LIST_LENGTHS = (5, 20, 100, 500)
POPULARITY_RANKS = (50, 200, 500, 1000, 2500)
METRIC_NAMES = ("ndcg@10", "recall@10", "new_ndcg@10")
TOP_N = 10
RELEVANT_SCORE = 8.0
"""The score from which the evaluation counts an anime as relevant."""
PROGRESS_STEPS = 8
MIN_BIN_COUNT = 20
MATCH_SERIES, KNN_SERIES, BASELINE_SERIES = "sharpened (match)", "KNN (score)", "baselines alone"


@dataclass(frozen=True, slots=True)
class OrderPredictions:
    """Predictions and scores of hidden entries (n_pairs,), and positions shown (10 n_users,)."""

    predicted: Float64Array
    baseline: Float64Array
    actual: Float64Array
    top_items: Int64Array


def model_hyperparameters(model: Model) -> Hyperparameters:
    """Return the settings of a model, from its manifest."""
    known = model.manifest.hyperparameters
    names = [name for name in Hyperparameters.model_fields if name in known]
    return Hyperparameters.model_validate({name: known[name] for name in names})


def report_charts(
    benchmark: HoldoutBenchmark,
    settings: Hyperparameters,
    *,
    franchises: bool,
    on_step: Callable[[], object],
) -> list[Chart]:
    """Measure all charts of the report; ``on_step`` is called `PROGRESS_STEPS` times."""
    found = [_rmse_by_k_chart(benchmark, settings)]
    on_step()
    found.append(_rmse_by_shrinkage_chart(benchmark, settings))
    on_step()
    knn = benchmark.fit_part("knn", settings)
    whole = benchmark.fit_part("taste", settings)
    on_step()
    models = {SortOrder.MATCH: whole, SortOrder.SCORE: knn, SortOrder.DISCOVER: whole}
    names = [name for name in METRIC_NAMES if franchises or name != "new_ndcg@10"]
    measured = {}
    for order, model in models.items():
        metrics = benchmark.evaluate_model(model, order, benchmark.users)
        measured[order.value] = [float(metrics[name]) for name in names]
        on_step()
    found.append(
        Chart(
            "Ranking by order",
            f"Of {len(benchmark.users):,} held-out fans: how well the first ten hold what they "
            "love (1 is perfect)."
            + (" For new_ndcg@10 franchises on the list are hidden." if franchises else ""),
            "",
            "",
            names,
            measured,
            bars=True,
        )
    )
    predictions = {
        order: predict_order(model, order, benchmark.users) for order, model in models.items()
    }
    on_step()
    found.append(_calibration_chart(predictions))
    found.append(_popularity_chart(benchmark, predictions))
    found.append(_rmse_by_length_chart(benchmark, models))
    on_step()
    return found


def predict_order(model: Model, order: SortOrder, users: Sequence[HoldoutUser]) -> OrderPredictions:
    """Predict the hidden entries of users, and rank for them, by one order."""
    predicted, baseline, actual, shown = [], [], [], []
    for user in users:
        scores = score_items(model, user.visible, RecommendOptions(sort_order=order))
        position = model.find_positions(user.hidden_ids)
        known = position >= 0
        predicted.append(scores.predicted_score[position[known]])
        alone = (
            scores.predicted_score
            if scores.knn_prediction is None
            else scores.knn_prediction.baseline
        )
        baseline.append(np.clip(alone[position[known]], 1.0, 10.0))
        actual.append(user.hidden_scores[known])
        shown.append(top_items(scores.sort_key, scores.allowed_mask, TOP_N))
    none = np.empty(0)
    return OrderPredictions(
        np.concatenate([none, *predicted]),
        np.concatenate([none, *baseline]),
        np.concatenate([none, *actual]),
        np.concatenate([np.empty(0, np.int64), *shown]),
    )


def rmse(predicted: Float64Array, actual: Float64Array) -> float:
    """Return the root mean square error; NaN without pairs."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2))) if len(actual) else float("nan")


def _rmse_by_k_chart(benchmark: HoldoutBenchmark, settings: Hyperparameters) -> Chart:
    note = (
        "RMSE of KNN with baseline by how many neighbours a prediction rests on; the dotted line "
        f"is what the model uses, {settings.k}."
    )
    return _knn_rmse_chart(benchmark, settings, "k", K_VALUES, note)


def _rmse_by_shrinkage_chart(benchmark: HoldoutBenchmark, settings: Hyperparameters) -> Chart:
    note = (
        "RMSE of KNN with baseline by how strongly similarities of few common fans are pulled to "
        f"0; the dotted line is what the model uses, {settings.shrinkage:.4g}."
    )
    return _knn_rmse_chart(benchmark, settings, "shrinkage", SHRINKAGE_VALUES, note)


def _knn_rmse_chart(
    benchmark: HoldoutBenchmark,
    settings: Hyperparameters,
    name: str,
    values: Sequence[float],
    note: str,
) -> Chart:
    """Measure KNN by one hyperparameter, with the value of the model among ``values``."""
    used = getattr(settings, name)
    values = sorted({*values, used})
    errors = []
    for value in values:
        model = benchmark.fit_part("knn", settings.model_copy(update={name: value}))
        found = predict_order(model, SortOrder.SCORE, benchmark.users)
        errors.append(rmse(found.predicted, found.actual))
    return Chart(
        f"Error by {name}",
        note,
        name,
        "RMSE",
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values],
        {"KNN": errors},
        marked_index=values.index(used),
    )


def _calibration_chart(predictions: dict[SortOrder, OrderPredictions]) -> Chart:
    """Compute the mean given score of predictions that round to the same half point."""
    halves = np.arange(2, 21)
    series = {}
    for name, order in ((MATCH_SERIES, SortOrder.MATCH), (KNN_SERIES, SortOrder.SCORE)):
        found = predictions[order]
        half = np.rint(2 * found.predicted).astype(np.int64)
        count = np.bincount(half, minlength=21)[2:]
        total = np.bincount(half, found.actual, minlength=21)[2:]
        enough = count >= MIN_BIN_COUNT
        series[name] = np.where(enough, total / np.maximum(count, 1), np.nan)
    used = np.isfinite(np.array(list(series.values()))).any(axis=0)
    return Chart(
        "Calibration",
        "Mean score that fans gave, where the prediction rounds to the same half point; on the "
        f"dashed line both are equal. Points of fewer than {MIN_BIN_COUNT} scores are left out.",
        "predicted score",
        "mean score given",
        [f"{half / 2:g}" for half in halves[used]],
        {name: values[used].tolist() for name, values in series.items()},
        numeric=True,
        digits=2,
    )


def _popularity_chart(
    benchmark: HoldoutBenchmark, predictions: dict[SortOrder, OrderPredictions]
) -> Chart:
    """Compute shares of what is shown, by popularity, and of relevant hidden entries."""
    count = np.bincount(benchmark.training.item, minlength=len(benchmark.training.anime_ids))
    rank = np.empty(len(count), np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(1, len(count) + 1)
    loved = np.concatenate(
        [fan.hidden_ids[fan.hidden_scores >= RELEVANT_SCORE] for fan in benchmark.users]
    )
    at = np.searchsorted(benchmark.training.anime_ids, loved)
    at[at == len(count)] = 0
    wanted = at[benchmark.training.anime_ids[at] == loved]

    def shares(positions: Int64Array) -> list[float]:
        band = np.searchsorted(POPULARITY_RANKS, rank[positions])
        count = np.bincount(band, minlength=len(POPULARITY_RANKS) + 1)
        return [float(share) for share in 100 * count / max(1, count.sum())]

    ends = [f"{end / 1000:g}k" if end >= 1000 else f"{end}" for end in POPULARITY_RANKS]
    names = [f"≤ {end}" for end in ends]
    distinct = {order: len(np.unique(seen.top_items)) for order, seen in predictions.items()}
    distinct_text = ", ".join(f"{order.value} {count:,}" for order, count in distinct.items())
    return Chart(
        "Coverage against popularity",
        "What the first ten are made of, by an anime's rank among those on most lists (a band "
        "begins where the one before it ends), beside what the same fans love. Different anime "
        f"shown: {distinct_text}.",
        "popularity rank",
        "share, %",
        [*names, f"> {ends[-1]}"],
        {
            **{order.value: shares(seen.top_items) for order, seen in predictions.items()},
            "loved by fans": shares(wanted),
        },
        bars=True,
        digits=1,
    )


def _rmse_by_length_chart(benchmark: HoldoutBenchmark, models: dict[SortOrder, Model]) -> Chart:
    names: list[str] = []
    series: dict[str, list[float]] = {MATCH_SERIES: [], KNN_SERIES: [], BASELINE_SERIES: []}
    for length in LIST_LENGTHS:
        short = [
            cut for fan in benchmark.users if (cut := _truncate_history(fan, length)) is not None
        ]
        if not short:
            continue
        names.append(f"{length}\n{len(short):,} fans")
        sharp = predict_order(models[SortOrder.MATCH], SortOrder.MATCH, short)
        near = predict_order(models[SortOrder.SCORE], SortOrder.SCORE, short)
        series[MATCH_SERIES].append(rmse(sharp.predicted, sharp.actual))
        series[KNN_SERIES].append(rmse(near.predicted, near.actual))
        series[BASELINE_SERIES].append(rmse(near.baseline, near.actual))
    return Chart(
        "Error by list length",
        "RMSE when only so many entries are seen of every list that has as many: what newcomers "
        "get. Each length has fans of its own.",
        "entries seen",
        "RMSE",
        names,
        series,
    )


def _truncate_history(user: HoldoutUser, length: int) -> HoldoutUser | None:
    """Return the user with ``length`` visible entries, drawn by a seed of the list's own."""
    ids = user.visible.anime_id
    if len(ids) < length:
        return None
    kept = np.sort(np.random.default_rng(int(ids.sum())).permutation(len(ids))[:length])
    listed = UserList(ids[kept], user.visible.score[kept], user.visible.status[kept])
    return replace(user, visible=listed)
