"""What Hakken counts and times, for Prometheus (`app.web.views.health` hands it out).

No label holds anything that a visitor chose: routes are patterns, and everything else is a small
closed set. With ``PROMETHEUS_MULTIPROC_DIR`` set before the start (`gunicorn.conf.py` does) all
workers of a host are counted together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from threading import Lock

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.observability.counting_files import install_reserved_files
from app.recommender.array_types import BoolArray
from app.settings import METRICS_DIR_ENV
from app.upstream.circuit_breaker import RESET_SECONDS

disable_created_metrics()  # type: ignore[no-untyped-call]
install_reserved_files()

_FAST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
_LENGTH_BUCKETS = (0, 5, 10, 30, 100, 300, 1_000, 3_000, 10_000)

REQUESTS = Counter(
    "hakken_requests", "Requests, by the pattern of their address.", ["route", "method", "status"]
)
BUGS = Counter("hakken_bugs", "Requests that ended in an error of Hakken's own, a 500.")
REQUEST_SECONDS = Histogram(
    "hakken_request_seconds",
    "From the headers of a request to the end of what is answered.",
    ["route"],
    buckets=_SLOW_BUCKETS,
)
LIST_FETCH_SECONDS = Histogram(
    "hakken_list_fetch_seconds",
    "Getting a list by name, from memory or from its site.",
    ["source"],
    buckets=_SLOW_BUCKETS,
)
RECOMMEND_SECONDS = Histogram(
    "hakken_answer_seconds", "Folding a list in and ranking, once.", buckets=_FAST_BUCKETS
)
UPSTREAM_CALLS = Counter(
    "hakken_upstream_calls",
    "Requests to other services: ok, refused (4xx), limited (429), failed (5xx), timeout, lost.",
    ["service", "result"],
)
LIST_CACHE_LOOKUPS = Counter(
    "hakken_list_cache",
    "Lists wanted by name: hit (remembered), miss (asked for), stale (an old one stood in).",
    ["result"],
)
DETAILS_CACHE_LOOKUPS = Counter(
    "hakken_details_cache",
    "Anime whose details were wanted: hit, miss, stale (there, but old enough to ask again).",
    ["result"],
)
CIRCUIT_OPEN_UNTIL = Gauge(
    "hakken_upstream_resting_until",
    "When a service that fails is asked again, in seconds since the epoch.",
    ["service"],
    multiprocess_mode="livemax",
)
MODEL_WORKERS = Gauge(
    "hakken_model_workers",
    "Workers that answer with this version of the model.",
    ["version"],
    multiprocess_mode="livesum",
)
MODEL_CREATED_AT = Gauge(
    "hakken_model_created_timestamp_seconds",
    "When the oldest model in use was trained, since the epoch; 0 while a worker has none.",
    multiprocess_mode="livemin",
)
MODEL_LOADED_AT = Gauge(
    "hakken_model_loaded_timestamp_seconds",
    "When the model that has been in use for longest was opened, since the epoch.",
    multiprocess_mode="livemin",
)
LIST_ENTRIES = Histogram(
    "hakken_list_entries", "Entries of the lists that were answered.", buckets=_LENGTH_BUCKETS
)
LIST_ANIME = Counter(
    "hakken_list_anime", "Anime on those lists: known to the model, or unknown.", ["known"]
)


class _ActiveModelGauges:
    """Tells which model this process answers with, again after a fork: gauges do not survive it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._active: tuple[str, datetime | None, float] | None = None
        os.register_at_fork(after_in_child=self._reset_after_fork)

    def set_active(self, version: str, created: datetime | None, loaded: float) -> None:
        """Say that answers come from this model now, ``loaded`` then (seconds since the epoch)."""
        with self._lock:
            if self._active:
                MODEL_WORKERS.labels(self._active[0]).set(0)
            self._active = version, created, loaded
            self._set_gauges()

    def _set_gauges(self) -> None:
        if self._active:
            version, created, loaded = self._active
            MODEL_WORKERS.labels(version).set(1)
            MODEL_LOADED_AT.set(loaded)
            if created:
                MODEL_CREATED_AT.set(created.timestamp())

    def _reset_after_fork(self) -> None:
        self._lock = Lock()
        self._set_gauges()


ACTIVE_MODEL = _ActiveModelGauges()


def count_list_entries(known: BoolArray, unmapped: int = 0) -> None:
    """Count a list that is answered; ``known`` (n,) is whether the model knows each entry.

    ``unmapped`` entries have no id here.
    """
    LIST_ENTRIES.observe(len(known) + unmapped)
    LIST_ANIME.labels("yes").inc(int(known.sum()))
    LIST_ANIME.labels("no").inc(int((~known).sum()) + unmapped)


def count_details_lookups(
    wanted: Iterable[int], found: Iterable[int], missing: Iterable[int]
) -> None:
    """Count ids of anime: what was found may be missing as well, when it is old."""
    there, old = set(found), set(missing)
    for anime_id in wanted:
        result = "miss" if anime_id not in there else "stale" if anime_id in old else "hit"
        DETAILS_CACHE_LOOKUPS.labels(result).inc()


class AllWorkersCollector(Collector):
    """Everything that was counted, with the time until which a service rests as yes or no.

    A worker that nobody asks anything would never take back that a service is at rest.
    """

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all workers where there are several, else of this process."""
        source: Collector = REGISTRY
        if METRICS_DIR_ENV in os.environ:
            source = MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]
        now = time.time()
        (open_until,) = CIRCUIT_OPEN_UNTIL.describe()
        for metric in source.collect():
            if metric.name != open_until.name:
                yield metric
                continue
            resting = GaugeMetricFamily(
                "hakken_upstream_resting",
                "1 while a service is left alone after repeated failures.",
                labels=["service"],
            )
            for sample in metric.samples:
                left = sample.value - now
                resting.add_metric([sample.labels["service"]], 0 < left <= RESET_SECONDS)
            yield resting
