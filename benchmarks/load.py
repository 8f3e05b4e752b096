"""Two workers, the bundled model and lists that are already in the cache: what they can bear.

The list sites are the demo's, the visitors are wrk's, or in a soak locust's; all are processes of
this machine and share its cores with the workers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.arguments import positive_int
from benchmarks.run_server import ROOT, RunningServer, ServerNotReadyError, run_server
from demo.demo_users import make_demo_data
from demo.fake_upstream import FakeUpstream

LIST_SIZES: Mapping[str, int] = {"Fan50": 50, "Fan300": 300, "Fan1500": 1_500}
WORKERS = 2
WRK_SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 16
PERCENTILES = (0.5, 0.95, 0.99)
SAMPLE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one kind of request got: how many a second, how many failed, latency in ms."""

    requests_per_second: float
    requests: int
    failed: int
    latency_ms: tuple[float, ...]


def main() -> None:
    """Load a server, and print how it took it."""
    parser = argparse.ArgumentParser(prog="scripts/load", description=__doc__)
    parser.add_argument("--seconds", type=positive_int, default=15, help="of each kind of request")
    parser.add_argument("--soak", type=positive_int, metavar="MINUTES", help="a mix of everything")
    parser.add_argument("--rate", type=positive_int, default=150, help="of a soak, a second")
    arguments = parser.parse_args()
    try:
        with _running_server() as served:
            if arguments.soak:
                sys.exit(_soak_test(served, arguments.soak, arguments.rate))
            _load_test(served, arguments.seconds)
    except ServerNotReadyError as error:
        sys.exit(f"scripts/load: the server did not become ready\n{error}")


@contextmanager
def _running_server() -> Iterator[RunningServer]:
    """Two workers that ask the demo's sites, with every fan's list in the cache."""
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeUpstream(make_demo_data(ROOT / "bundled_model", LIST_SIZES)) as upstream,
        run_server(WORKERS, {**upstream.environment(), "HAKKEN_CACHE_DIR": folder}) as served,
    ):
        for site in ("anilist", "kitsu", "shikimori", "myanimelist"):
            for name in LIST_SIZES:
                with urllib.request.urlopen(
                    served.url + _api_path(name, site), timeout=60
                ) as reply:
                    reply.read()
        yield served


def _api_path(name: str, site: str = "anilist") -> str:
    return f"/api/v1/recommendations?source={site}&username={name}"


def _load_test(served: RunningServer, seconds: int) -> None:
    print(f"{WORKERS} workers on {os.cpu_count()} cores, {CONNECTIONS} visitors without a pause")
    print(f"ready after {served.ready_s:.2f} s\n")
    print(f"{'a cached list of':<30}{'a second':>9}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}")
    failed = 0
    for name, size in LIST_SIZES.items():
        for what, path in (("API", _api_path(name)), ("page", f"/user/anilist/{name}")):
            _run_wrk(served.url + path, 2)  # a moment to warm up
            result = _run_wrk(served.url + path, seconds)
            failed += result.failed
            print(_format_row(f"{size:,} titles, {what}", result))
    _print_memory(served)
    if failed:
        sys.exit(f"scripts/load: {failed:,} requests failed")


def _format_row(what: str, result: LoadResult) -> str:
    latency = "".join(f"{each:>8.0f}" for each in result.latency_ms)
    return f"{what:<30}{result.requests_per_second:>9,.0f}{latency}"


def _print_memory(served: RunningServer) -> None:
    for number, worker in enumerate(served.worker_memory(), 1):
        shared = worker.resident - worker.unique
        print(
            f"worker {number}: {worker.resident:.0f} MB resident, "
            f"{worker.unique:.0f} MB of its own, {shared:.0f} MB shared"
        )


def _soak_test(served: RunningServer, minutes: int, rate: int) -> str | None:
    """Run the mix; the reason for failure, if there is one."""
    samples: list[list[float]] = []
    end = threading.Event()

    def watch() -> None:
        while not end.wait(SAMPLE_SECONDS):
            samples.append([worker.unique for worker in served.worker_memory()])

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.monotonic()
    try:
        results = _run_locust(
            served.url, rate, 60 * minutes, {"HAKKEN_LOAD_FANS": ",".join(LIST_SIZES)}
        )
    finally:
        end.set()
        watcher.join()
    print(f"{time.monotonic() - start:,.0f} s\n")
    print(
        f"{'':<30}{'a second':>9}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'requests':>10}{'bad':>6}"
    )
    for what, result in sorted(results.items()):
        print(f"{_format_row(what, result)}{result.requests:>10,}{result.failed:>6,}")
    for number, own in enumerate(zip(*samples, strict=True), 1):
        # The first quarter is not counted: caches fill, and allocators find their size.
        second, last = own[len(own) // 4 : len(own) // 2], own[3 * len(own) // 4 :]
        print(
            f"worker {number}, MB of its own: {median(second):.1f} in the second quarter, "
            f"{median(last):.1f} in the last, {max(own):.1f} at most"
        )
    failed = sum(result.failed for result in results.values())
    return f"scripts/load: {failed:,} answers were not as they should be" if failed else None


def _run_wrk(url: str, seconds: int) -> LoadResult:
    """Ask the same over `CONNECTIONS` connections, the next as soon as one is answered.

    wrk takes a tenth of the processor time that locust would take from the workers.
    """
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "20s"]
    try:
        done = subprocess.run(
            [*command, "-s", str(WRK_SCRIPT), url],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        sys.exit("scripts/load: needs wrk; on Debian and Ubuntu: apt-get install wrk")
    told = json.loads(done.stdout.splitlines()[-1])
    rate = told["requests"] / told["seconds"]
    return LoadResult(rate, told["requests"], told["failed"], tuple(told["latency_ms"]))


def _run_locust(
    url: str, users: int, seconds: int, environment: Mapping[str, str]
) -> dict[str, LoadResult]:
    """Let ``users`` loose for a while; what each kind of request got."""
    with tempfile.TemporaryDirectory() as folder:
        told = f"{folder}/told"
        command = [sys.executable, "-m", "locust", "-f", "benchmarks/locust_users.py", "--headless"]
        command += ["--host", url, "-u", str(users), "-r", str(users), "-t", f"{seconds}s"]
        command += ["--json-file", told, "--csv", told, "--only-summary"]
        command += ["--loglevel", "ERROR", "-s", "30"]
        environment = {**os.environ, **environment}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        try:
            rows = json.loads(Path(f"{told}.json").read_text("utf-8"))
        except FileNotFoundError:
            sys.exit(f"scripts/load: locust failed\n{done.stderr}")
        failures = Path(f"{told}_failures.csv").read_text("utf-8").splitlines()[1:]
    for failure in failures:
        print(failure, file=sys.stderr)
    return {row["name"]: _to_load_result(row, seconds) for row in rows}


def _to_load_result(row: dict[str, Any], seconds: int) -> LoadResult:
    times, counts = zip(*row["response_times"].items(), strict=True)
    all_times = np.repeat(np.array(times, float), np.array(counts, int))
    latency = np.quantile(all_times, PERCENTILES, method="inverted_cdf")
    count = row["num_requests"]
    return LoadResult(count / seconds, count, row["num_failures"], tuple(latency.tolist()))


if __name__ == "__main__":
    main()
