"""``python -m model_build COMMAND``: results on standard output, everything else on standard error.

Exit status 0 means done, 2 bad input or usage (one sentence says what, where and what was
expected), 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from app.recommender.artifact import ArtifactError
from model_build.util.errors import InputError

COMMANDS = (
    *("collect", "prepare", "catalogue", "train", "engine", "cold", "evaluate", "compare"),
    *("implicit", "neural", "tune", "report", "recommend", "similar", "split", "annotate"),
    *("publish", "versions", "rollback", "prune", "fetch", "pipeline"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = _build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; nothing to report, and no trace at exit
        return 0
    except (InputError, ArtifactError, OSError) as error:  # OSError: a full disk, say
        print(f"model_build {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"model_build {arguments.command}: interrupted", file=sys.stderr)
        return 130
    return 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_build", description="Train, measure, use and publish Hakken's model."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"model_build.commands.{name}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
