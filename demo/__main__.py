"""``python -m demo [--port N] [--model DIR] [--ratings FILE]``: serve every service until Ctrl-C.

The settings that make Hakken ask here are printed first, one a line, as a shell reads them.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path

from demo.data import EMPTY_USER, HUGE_USER, LONG_USER
from demo.demo_users import DEMO_USERS, make_demo_data
from demo.fake_upstream import FakeUpstream
from demo.faults import Fault

BUNDLED_MODEL = Path(__file__).resolve().parent.parent / "bundled_model"


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen (default: any)")
    parser.add_argument(
        "--model", type=Path, default=BUNDLED_MODEL, help="whose anime are on the lists"
    )
    parser.add_argument(
        "--ratings", type=Path, metavar="FILE", help="make its fans users of Kitsu, to be collected"
    )
    parser.add_argument(
        "--trouble", action="store_true", help="some of these users, and of the answers, are bad"
    )
    parser.add_argument(
        "--public-url", metavar="URL", help="where Hakken is: fans can sign in and come back there"
    )
    arguments = parser.parse_args()
    if arguments.trouble and not arguments.ratings:
        parser.error("--trouble: goes with --ratings")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    world = make_demo_data(arguments.model)
    if arguments.ratings:
        # Here, because ratings are read with the training libraries.
        from demo.from_ratings import RatingsKitsuUsers
        from model_build.util.errors import InputError

        try:
            world.kitsu_users = RatingsKitsuUsers(
                arguments.ratings, arguments.model, with_faults=arguments.trouble
            )
        except InputError as error:
            parser.error(f"--ratings: {error}")
        sys.stderr.write(f"users of Kitsu to be collected: {len(world.kitsu_users):,}\n")
    with FakeUpstream(world, arguments.port) as upstream:
        settings = upstream.environment()
        if arguments.public_url:
            settings |= upstream.sign_in_environment(arguments.public_url)
        for name, value in settings.items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.write("# ready\n")
        sys.stdout.flush()
        people = ", ".join((*DEMO_USERS, LONG_USER, EMPTY_USER, HUGE_USER))
        sys.stderr.write(f"demo usernames, on every site: {people}\n")
        sys.stderr.write(
            f"and for every kind of trouble: {', '.join(fault.value for fault in Fault)}\n"
        )
        stop.wait()


if __name__ == "__main__":
    main()
