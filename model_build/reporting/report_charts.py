"""The charts of a report: models with the settings of the reported one, measured on held-out users.

The reported model may have been trained on every user, so its error cannot be measured. What is
measured was trained with its settings on the ratings without the users drawn, and is served with
its parameters. A second stage, whose training takes minutes, is not fitted again; the names of
series say so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.recommender import Model, RecommendOptions, SortOrder, UserList
from app.recommender.array_types import Int64Array
from app.recommender.arrays import find_positions
from app.recommender.recommend import score_items
from model_build.data.holdout import truncate_history
from model_build.evaluate.evaluation import LIST_LENGTHS
from model_build.evaluate.ranking import (
    MAX_RATING,
    MIN_RATING,
    RELEVANT_SCORE,
    RankedItems,
    Ranker,
    RankingResult,
    model_ranker,
)
from model_build.reporting.charts import Chart
from model_build.train.hyperparameters import Hyperparameters
from model_build.tuning.holdout_benchmark import HoldoutBenchmark

KNN_SETTINGS = {
    "k": ((1, 3, 5, 10, 20, 40, 80, 200), "how many neighbours a prediction rests on"),
    "shrinkage": (
        (0.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0),
        "how strongly similarities of few common fans are pulled to 0",
    ),
}
"""The values that are tried of a setting, and what it is."""
POPULARITY_RANKS = (50, 200, 500, 1000, 2500)
METRIC_NAMES = ("ndcg@10", "recall@10", "new_ndcg@10")
TOP_N = 10
PROGRESS_STEPS = 8
MIN_BIN_COUNT = 20
MATCH_SERIES = "sharpened, without correction"
KNN_SERIES, BASELINE_SERIES = "KNN (score)", "baselines alone"
ORDER_SERIES = {
    SortOrder.MATCH: "match by affinity alone",
    SortOrder.SCORE: "score",
    SortOrder.DISCOVER: "discover by affinity alone",
}


def report_charts(
    benchmark: HoldoutBenchmark,
    settings: Hyperparameters,
    *,
    franchises: bool,
    on_step: Callable[[], object],
) -> list[Chart]:
    """Measure all charts of the report; ``on_step`` is called `PROGRESS_STEPS` times."""
    found = []
    for name in KNN_SETTINGS:
        found.append(_knn_rmse_chart(benchmark, settings, name))
        on_step()
    knn = benchmark.fit_part("knn", settings)
    whole = benchmark.fit_part("taste", settings)
    on_step()
    models = {SortOrder.MATCH: whole, SortOrder.SCORE: knn, SortOrder.DISCOVER: whole}
    names = [name for name in METRIC_NAMES if franchises or name != "new_ndcg@10"]
    results: dict[SortOrder, RankingResult] = {}
    measured = {}
    for order, model in models.items():
        results[order] = benchmark.rank(model_ranker(model, order), benchmark.users)
        metrics = benchmark.summarise(results[order])
        measured[ORDER_SERIES[order]] = [float(metrics[name]) for name in names]
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
    found.append(_calibration_chart(results))
    found.append(_popularity_chart(benchmark, results))
    on_step()
    found.append(_rmse_by_length_chart(benchmark, whole, knn))
    on_step()
    return found


def _knn_rmse_chart(benchmark: HoldoutBenchmark, settings: Hyperparameters, name: str) -> Chart:
    """Measure KNN by one hyperparameter, with the value of the model among ``values``."""
    used = getattr(settings, name)
    varied, meaning = KNN_SETTINGS[name]
    values = sorted({*varied, used})
    errors = []
    for value in values:
        model = benchmark.fit_part("knn", settings.model_copy(update={name: value}))
        errors.append(benchmark.evaluate_model(model, SortOrder.SCORE, benchmark.users)["rmse"])
    return Chart(
        f"Error by {name}",
        f"RMSE of KNN with baseline by {meaning}; the dotted line is what the model uses, "
        f"{used:.4g}.",
        name,
        "RMSE",
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in values],
        {"KNN": errors},
        marked_index=values.index(used),
    )


def _calibration_chart(results: dict[SortOrder, RankingResult]) -> Chart:
    """Compute the mean given score of predictions that round to the same half point."""
    halves = np.arange(2, 21)
    series = {}
    for name, order in ((MATCH_SERIES, SortOrder.MATCH), (KNN_SERIES, SortOrder.SCORE)):
        found = results[order]
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
    benchmark: HoldoutBenchmark, results: dict[SortOrder, RankingResult]
) -> Chart:
    """Compute shares of what is shown, by popularity, and of relevant hidden entries."""
    count = np.bincount(benchmark.training.item, minlength=len(benchmark.training.anime_ids))
    rank = np.empty(len(count), np.int64)
    rank[np.argsort(-count, kind="stable")] = np.arange(1, len(count) + 1)
    loved = np.concatenate(
        [fan.hidden_ids[fan.hidden_scores >= RELEVANT_SCORE] for fan in benchmark.users]
    )
    wanted = find_positions(benchmark.training.anime_ids, loved)
    shown = {ORDER_SERIES[order]: result.top_items[:, :TOP_N] for order, result in results.items()}

    def shares(positions: Int64Array) -> list[float]:
        band = np.searchsorted(POPULARITY_RANKS, rank[positions[positions >= 0]])
        count = np.bincount(band, minlength=len(POPULARITY_RANKS) + 1)
        return [float(share) for share in 100 * count / max(1, count.sum())]

    ends = [f"{end / 1000:g}k" if end >= 1000 else f"{end}" for end in POPULARITY_RANKS]
    names = [f"≤ {end}" for end in ends]
    distinct = {name: len(np.unique(items[items >= 0])) for name, items in shown.items()}
    distinct_text = ", ".join(f"{name} {count:,}" for name, count in distinct.items())
    return Chart(
        "Coverage against popularity",
        "What the first ten are made of, by an anime's rank among those on most lists (a band "
        "begins where the one before it ends), beside what the same fans love. Different anime "
        f"shown: {distinct_text}.",
        "popularity rank",
        "share, %",
        [*names, f"> {ends[-1]}"],
        {**{name: shares(items) for name, items in shown.items()}, "loved by fans": shares(wanted)},
        bars=True,
        digits=1,
    )


def _rmse_by_length_chart(benchmark: HoldoutBenchmark, whole: Model, knn: Model) -> Chart:
    rankers = {
        MATCH_SERIES: model_ranker(whole),
        KNN_SERIES: model_ranker(knn, SortOrder.SCORE),
        BASELINE_SERIES: _baseline_ranker(knn),
    }
    names: list[str] = []
    series: dict[str, list[float]] = {name: [] for name in rankers}
    for length in LIST_LENGTHS:
        short = truncate_history(benchmark.users, length, seed=0)
        if not short:
            continue
        names.append(f"{length}\n{len(short):,} fans")
        for name, ranker in rankers.items():
            series[name].append(benchmark.summarise(benchmark.rank(ranker, short))["rmse"])
    return Chart(
        "Error by list length",
        "RMSE when only so many entries are seen of every list that has as many: what newcomers "
        "get. Each length has fans of its own.",
        "entries seen",
        "RMSE",
        names,
        series,
    )


def _baseline_ranker(model: Model) -> Ranker:
    """Rank by the biases that KNN starts from."""
    options = RecommendOptions(sort_order=SortOrder.SCORE)

    def rank(listed: UserList) -> RankedItems:
        scores = score_items(model, listed, options)
        assert scores.knn_prediction is not None
        baseline = np.clip(scores.knn_prediction.baseline, MIN_RATING, MAX_RATING)
        return RankedItems(baseline, scores.allowed_mask, baseline.take)

    return rank
