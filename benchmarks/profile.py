"""Where a start and each kind of answer spend their processor time.

In milliseconds of processor time of one thread, without network and server: on the left the parts
of the code by themselves, which add up; on the right the functions that take longest with all that
they call. Totals are measured without the profiler, and its shares scaled to them; it makes many
small calls look slower than they are. Before a start stands what a whole server takes.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import pstats
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.arguments import positive_int
from benchmarks.run_server import ServerNotReadyError, run_server

if TYPE_CHECKING:
    from app.web.services.library import Library

ROOT = Path(__file__).resolve().parent.parent
LIST_LENGTH = 300
KNOWN_ANIME = 1_200
"""The best known anime, of which a list is drawn."""
WARM_UP = 5
ROWS = 12
_PASSED_ON = 0.98
"""A function that calls another for this share of its time does nothing else."""
SERVER = "A server of two workers"
KINDS = {
    "start": "A start",
    "post": f"A POST of {LIST_LENGTH} titles",
    "results": "A results page, with shelves",
    "anime": "An anime page",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """How much of ``total_ms`` parts of the code take by themselves, and functions with calls."""

    total_ms: float
    parts: dict[str, float]
    functions: dict[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="scripts/profile", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[[], *KINDS], help="default: everything")
    parser.add_argument("--model", help="a folder or bucket; default: the bundled model")
    parser.add_argument("--repeats", type=positive_int, default=100)
    parser.add_argument("--rows", type=positive_int, default=ROWS)
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    # One thread, as gunicorn.conf.py has it; numpy reads this when it is imported.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if model := options.model:  # a path is of this folder, and what is started runs in ROOT
        os.environ["HAKKEN_MODEL"] = model if "://" in model else str(Path(model).absolute())
    if options.start:
        _start(options.start)
        return
    wanted = options.what or KINDS
    if "start" in wanted:
        _print_server()
        _print(KINDS["start"], _profile_start(), options.rows)
    for what, ask in _requests().items() if {*wanted} - {"start"} else ():
        if what in wanted:
            _print(KINDS[what], _profile_answers(ask, options.repeats), options.rows)


def _start(profile: Path) -> None:
    """Start as a server's process does, in a process that has imported nothing yet."""
    gc.disable()  # as app.gunicorn_conf does
    profiler = cProfile.Profile()
    profiler.enable()
    import gunicorn.app.wsgiapp  # noqa: F401

    import app.wsgi  # noqa: F401

    profiler.disable()
    profiler.dump_stats(profile)


def _print_server() -> None:
    """Start a server of two workers, ask it once, and say how long that took."""
    body = json.dumps({"list": [{"anime_id": 1, "score": 9}]}).encode()
    try:
        with run_server(workers=2) as served:
            start = time.perf_counter()
            address = f"{served.url}/api/v1/recommendations"
            headers = {"Content-Type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as reply:
                reply.read()
            answered = served.ready_s + time.perf_counter() - start
            largest = max(worker.resident for worker in served.worker_memory())
    except ServerNotReadyError as error:
        sys.exit(f"scripts/profile: the server did not become ready\n{error}")
    print(
        f"{SERVER}: ready {served.ready_s:.2f} s after the command, a POST answered after "
        f"{answered:.2f} s; a worker is resident with {largest:.0f} MB\n"
    )


def _profile_start() -> Profile:
    def run(*command: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
        after = os.times()
        return after.children_user + after.children_system - sum(before[2:4])

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "start"
        run("-m", "benchmarks.profile", "--start", str(file))
        code = "import gc; gc.disable(); import gunicorn.app.wsgiapp, app.wsgi"
        seconds = run("-c", code)  # after it, with what is compiled once and kept
        return _read(pstats.Stats(str(file)), 1e3 * seconds)


def _requests() -> dict[str, Callable[[], Any]]:
    from app import create_app
    from app.settings import load_settings

    wide = {"rate_lists": "1000000/second", "rate_pages": "1000000/second"}
    application = create_app(load_settings().model_copy(update=wide))
    library: Library | None = application.extensions["hakken"].library
    if library is None:
        sys.exit(f"scripts/profile: {application.extensions['hakken'].model_manager.load_error}")
    client = application.test_client()
    accept = {"Accept-Encoding": "gzip"}

    def get(address: str) -> Callable[[], Any]:
        return lambda: client.get(address, headers=accept)

    drawn = _draw_list(library)
    body = json.dumps({"list": drawn})
    headers = {**accept, "Content-Type": "application/json"}
    return {
        "post": lambda: client.post("/api/v1/recommendations", data=body, headers=headers),
        "results": get("/example"),
        "anime": get(f"/anime/{drawn[0]['anime_id']}"),
    }


def _draw_list(library: Library) -> list[dict[str, Any]]:
    draw, model = random.Random(5), library.model
    known = model.anime_id[model.popularity_order[:KNOWN_ANIME]].tolist()
    drawn = draw.sample(known, min(LIST_LENGTH, len(known)))
    return [
        {"anime_id": each, "score": draw.randint(3, 10), "status": "completed"} for each in drawn
    ]


def _profile_answers(ask: Callable[[], Any], repeats: int) -> Profile:
    for _ in range(WARM_UP):
        status = ask().status_code
        if status != 200:
            raise RuntimeError(f"the answer was a {status}")
    times = []
    for _ in range(repeats):
        start = time.process_time()
        ask()
        times.append(time.process_time() - start)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(repeats):
        ask()
    profiler.disable()
    return _read(pstats.Stats(profiler), 1e3 * statistics.median(times))


def _read(stats: Any, total_ms: float) -> Profile:
    own: Counter[str] = Counter()
    functions: dict[str, float] = {}
    for (file, line, name), (_, _, alone, whole, callers) in stats.stats.items():
        if file == "~":  # written in C: the caller's own work
            for (caller, _, _), (_, _, part, _) in callers.items():
                own[_part(caller)] += part
            continue
        part = _part(file)
        own[part] += alone
        if name == "<module>" and "app" not in part and part != "standard library":
            part, line = f"import {part}", 0
        if (part.startswith(("app.", "import ")) and name != "<module>") or not line:
            key = part if not line else f"{part}.{name}"
            functions[key] = max(functions.get(key, 0.0), whole)
    scale = total_ms / sum(own.values())
    return Profile(
        total_ms,
        {name: scale * seconds for name, seconds in own.most_common()},
        {name: scale * seconds for name, seconds in _without_passing_on(functions, own.total())},
    )


def _without_passing_on(functions: dict[str, float], total: float) -> Iterator[tuple[str, float]]:
    """Yield functions, the longest first, without those that only call the next one."""
    ordered = sorted(functions.items(), key=lambda each: -each[1])
    for (name, seconds), (_, shorter) in pairwise([*ordered, ("", 0.0)]):
        if shorter < _PASSED_ON * seconds < _PASSED_ON**2 * total:
            yield name, seconds


def _part(file: str) -> str:
    """Name the module of Hakken's, the page, the package or the library that a file is of."""
    path = Path(file)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        path = path.relative_to(ROOT)
        return str(path) if path.suffix == ".html" else ".".join(path.with_suffix("").parts)
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1].removesuffix(".py")
    return "werkzeug" if "werkzeug" in file else "standard library"


def _print(what: str, profile: Profile, rows: int) -> None:
    print(f"{what}: {profile.total_ms:,.1f} ms")
    parts = list(profile.parts.items())[:rows]
    rest = profile.total_ms - sum(ms for _, ms in parts)
    functions = list(profile.functions.items())[: rows + 1]
    print(f"  {'by itself':<40}{'ms':>8}    {'with all it calls':<56}{'ms':>8}")
    for (part, ms), (function, whole) in zip([*parts, ("the rest", rest)], functions, strict=False):
        print(f"  {part[-40:]:<40}{ms:>8.2f}    {function[-56:]:<56}{whole:>8.2f}")
    print()


if __name__ == "__main__":
    main()
