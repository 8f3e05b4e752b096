"""``python -m model_build COMMAND``, and ``hakken COMMAND`` where it is installed.

Results are on standard output, everything else on standard error. Exit status 0 means done, 2 bad
input or usage (one sentence says what, where and what was expected), 130 interrupted, 143
terminated. Only the module of the command that is named is imported.
"""

from __future__ import annotations

import argparse
import difflib
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from model_build.util.errors import InputError

if TYPE_CHECKING:
    from model_build.util.options import Config

PROG = "python -m model_build"
COMMANDS = {
    "serve": "serve pages and the API from this machine",
    "collect": "collect users' lists from Kitsu or MyAnimeList",
    "prepare": "clean a public dump into partitioned Parquet",
    "catalogue": "bring the table of anime facts up to date",
    "train": "train a model from ratings",
    "engine": "fit a further engine and add it to a model",
    "cold": "measure anime too new for scores",
    "evaluate": "measure a model on held-out fans",
    "compare": "measure Hakken and other recommenders side by side",
    "implicit": "measure and tune recommending from what fans did",
    "neural": "measure the engines from embeddings beside others",
    "tune": "search for the best settings",
    "calibrate": "fit the weights and thresholds of serving",
    "report": "write an HTML page about a model",
    "recommend": "recommend for a list file",
    "similar": "what is alike by an engine's vectors: anime, or fans",
    "alike": "measure whether what is alike makes sense",
    "split": "take fans out for evaluation",
    "annotate": "write measures into a model",
    "publish": "make a model the live one, in a bucket or a directory",
    "versions": "list what was published",
    "rollback": "make an earlier version live again",
    "prune": "delete old versions, never the live one",
    "fetch": "copy a published model, or the bundled one",
    "pipeline": "all of it, from one configuration file",
    "refresh": "keep the published model fresh, round by round",
}
MODULE_EXTRAS = {"torch": "neural", "mlflow": "tracking", "wandb": "tracking"}
"""The extra that brings a package; all others are in ``build``."""


def hakken() -> int:
    """Run one command of ``hakken``."""
    return main(prog="hakken")


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Run one command; returns the exit status."""
    said = prog.rpartition(" ")[2]  # before what is printed
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0].startswith("-"):
        _general_parser(prog).parse_args(words)  # helps or refuses, and exits
    name, *options = words
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1, 0.5)
        expected = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}."
        print(f"{said}: there is no command {name}; {expected}", file=sys.stderr)
        return 2
    if unreadable := next((word for word in words if not _is_text(word)), ""):
        written = unreadable.encode("utf-8", "backslashreplace").decode()
        print(f"{said} {name}: {written}: is no text in UTF-8; name it otherwise.", file=sys.stderr)
        return 2
    from model_build.commands.options import parse_config  # not for help: it loads pydantic

    try:
        command = import_module(f"model_build.commands.{name}")
        config = parse_config(f"{prog} {name}", command.__doc__, command.CONFIG, options)
        with _clearing_up_when_terminated():
            getattr(command, "run", _print_job)(config)
    except SystemExit:
        raise  # help was asked for, or options were refused: what follows need not be loaded
    except BrokenPipeError:
        sys.stderr.close()  # the reader went away; nothing to report, and no trace at exit
        return 0
    except _bad_input() as error:
        text = str(error) or "there is not enough memory for this."
        print(f"{said} {name}: {text}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if not (missing := error.name) or missing.partition(".")[0] in ("app", "model_build"):
            raise
        extra = MODULE_EXTRAS.get(missing.partition(".")[0], "build")
        print(
            f"{said} {name}: needs {missing}, which is not installed: "
            f"python -m pip install 'hakken[{extra}]' brings it.",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, _Terminated)
        print(f"{said} {name}: {'terminated' if terminated else 'interrupted'}", file=sys.stderr)
        return 128 + (signal.SIGTERM if terminated else signal.SIGINT)
    return 0


def _is_text(word: str) -> bool:
    """Whether a word of the command line is UTF-8: the name of a file may be any bytes."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def _clearing_up_when_terminated() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, with what it clears up behind itself."""

    def terminate(*_: object) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_job(config: Config) -> None:
    from model_build.pipeline.task import run_job

    print(run_job(config))


def _bad_input() -> tuple[type[Exception], ...]:
    from app.recommender.artifact import ArtifactError  # evaluated where something was raised

    return InputError, ArtifactError, OSError, MemoryError  # OSError: a full disk, say


def _general_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog, description="Train, measure, use and publish Hakken's model.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, help_text in COMMANDS.items():
        commands.add_parser(name, help=help_text)
    return parser
