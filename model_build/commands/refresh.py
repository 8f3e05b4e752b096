"""Keep the published model fresh: new anime, further lists, and a model that is no worse.

One round: catalogue -> collect -> prepare -> train -> evaluate -> publish, and a page of what
changed. A round that was stopped goes on where it was; once it is over, the next run begins the
next one. docs/refreshing.md has the configuration file; deploy/refresh.toml is one. Example:

    python -m model_build refresh --config refresh.toml --dry-run
    python -m model_build refresh --config refresh.toml
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from model_build.util.options import Config, Metavar, named


class RefreshArguments(Config):
    """Options of `refresh`."""

    config: Annotated[Path, Metavar("FILE")] = Path("refresh.toml")
    overrides: Annotated[tuple[str, ...], Metavar("SECTION.KEY=VALUE")] = named(
        "set", "instead of what the file says; may be given again", ()
    )
    full: bool = Field(False, description="train on all lists anew, even where sums are kept")
    dry_run: bool = Field(False, description="only say what would run, and why")


CONFIG = RefreshArguments


def run(config: RefreshArguments) -> None:
    """Do a round, or print what one would do."""
    from model_build.pipeline.config import read_config
    from model_build.pipeline.refresh import find_contradiction, preview_round, run_round

    build = read_config(config.config, config.overrides, find_contradiction)
    if config.dry_run:
        preview_round(build, print, full=config.full)
    else:
        run_round(build, lambda line: print(line, flush=True), full=config.full)
