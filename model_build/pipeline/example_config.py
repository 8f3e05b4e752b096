"""A configuration with every option, its default and what it does, written from the options."""

from __future__ import annotations

import json
import textwrap

from model_build.pipeline.config import SECTIONS, SERVICE_KEY
from model_build.util.options import Config, Option, OptionRole, options_of

LINE_WIDTH = 100
ACTIVE_SECTIONS = ("data", "train", "evaluate", "compare", "report")
HEADER = """\
# What `python -m model_build pipeline --config FILE` builds, with every option there is.
#
# A line that begins with # and a key shows the default of an option, or an example where there is
# none: take the # away to set it. Steps whose section is not there are left out. Paths are relative
# to this file. Options win that are given as --set train.shrinkage=80.
# This file is written by `python -m model_build pipeline --example`.

# Where everything is kept: results, and what later runs need not do again.
#work = "build"

# Of all that is drawn by chance, for sections that have no seed of their own.
#seed = 0
"""


def example_config() -> str:
    """The text of the file."""
    return "\n\n".join([HEADER.rstrip("\n"), *(_section(*section) for section in SECTIONS)]) + "\n"


def _section(name: str, model: type[Config]) -> str:
    options = options_of(model)
    lines = [
        *_comment(model.__doc__ or ""),
        f"[{name}]" if name in ACTIVE_SECTIONS else f"#[{name}]",
    ]
    # The pipeline's own options first, then those of the commands.
    for option in sorted(options, key=lambda option: option.key not in ("pretrained", "version")):
        if option.role is OptionRole.SUBCOMMAND:
            if option.key == SERVICE_KEY:
                lines.insert(2, f'#{SERVICE_KEY} = "{option.default}"')
            continue
        is_set = (name, option.key) == ("data", "ratings")
        lines += [*_comment(option.description), f"{'' if is_set else '#'}{_value(option)}"]
    return "\n".join(lines)


def _value(option: Option) -> str:
    """The default as a line of TOML, or an example where there is none."""
    if option.default not in (None, ()):
        return f"{option.key} = {json.dumps(option.default)}"
    if option.examples:
        example = option.examples[0]
    elif option.type in (int, float):
        example = option.type(2)
    else:
        example = option.choices[0] if option.choices else option.metavar or option.key.upper()
    text = f"{option.key} = {json.dumps(example)}"
    return text if option.key == "ratings" else f"{text}  # for example"


def _comment(text: str) -> list[str]:
    """Lines of a comment, beginning with a capital unless it is an address."""
    if "://" not in text.partition(" ")[0]:
        text = text[:1].upper() + text[1:]
    return [f"# {line}" for line in textwrap.wrap(text, LINE_WIDTH - 2, break_on_hyphens=False)]
