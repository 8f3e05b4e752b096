"""``python -m demo [--port N] [--model DIR]``: serve every service until Ctrl-C.

The settings that make Hakken ask here are printed first, one a line, as a shell reads them.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

from demo.fans import FANS, made_up_world
from demo.faults import NAMES as TROUBLED
from demo.upstream import Upstream
from demo.world import EMPTY, HUGE, LONG

BUNDLED = Path(__file__).resolve().parent.parent / "bundled_model"


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: any)")
    parser.add_argument("--model", type=Path, default=BUNDLED, help="whose anime are on the lists")
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with Upstream(made_up_world(arguments.model), arguments.port) as upstream:
        for name, value in upstream.environment().items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.write("# ready\n")
        sys.stdout.flush()
        people = ", ".join((*FANS, LONG, EMPTY, HUGE))
        sys.stderr.write(f"demo usernames, on every site: {people}\n")
        sys.stderr.write(f"and for every kind of trouble: {', '.join(TROUBLED)}\n")
        stop.wait()


if __name__ == "__main__":
    main()
