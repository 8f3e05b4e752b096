"""Clean a public dump of anime lists into partitioned Parquet, from which train reads.

PATH is a CSV file, a zip or a folder, as Kaggle gives it. Example:

    python -m model_build prepare --dataset hernan2020 --from archive.zip --out prepared
    python -m model_build train --ratings prepared --out model

Datasets: cooperunion2016, azathoth2018, hernan2020, dbdmobile2023, or kaggle:OWNER/NAME to download
one of them. The folder also gets a report of what was dropped and why, and the dump's catalogue,
which train uses if it is given no other.

With --add the folder keeps what it holds, and gets further partitions: those of a file of other
fans, of the same kind and cleaned alike. (A newer edition of a dump has the same fans again;
prepare it into a folder of its own.)
"""

from __future__ import annotations

import argparse
import errno
import sys
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.recommender.replacing import replacing, sync
from model_build.arguments import whole_number
from model_build.dumps import adding, kaggle
from model_build.dumps.cleaning import Cleaning
from model_build.dumps.facts import read_facts
from model_build.dumps.formats import DUMPS, Dump, Facts, Lists
from model_build.dumps.partitions import Result, write_partitions
from model_build.dumps.prepared import (
    CATALOGUE,
    FORMAT,
    INDEX,
    REPORT,
    Loss,
    Prepared,
    SourceFacts,
    is_prepared,
    open_prepared,
)
from model_build.dumps.report import report
from model_build.dumps.source import Source, find, header_of, single
from model_build.errors import InputError

HELP = "clean a public dump into partitioned Parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, metavar="NAME", help="which dump it is")
    parser.add_argument("--from", type=Path, metavar="PATH", dest="path", help="file, zip, folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the new folder")
    default = Cleaning()
    for name, help_text in (
        ("min-fan-entries", "drop fans with fewer entries, scored or not"),
        ("max-fan-scores", "drop fans who scored more anime: bots"),
        ("same-score", "drop fans with so many scores that are all the same"),
        ("min-anime-entries", "drop anime with fewer entries, after that"),
    ):
        value = getattr(default, name.replace("-", "_"))
        text = f"{help_text} (default {value}; 0: none)"
        parser.add_argument(f"--{name}", type=whole_number, default=value, metavar="N", help=text)
    parser.add_argument(
        "--add",
        action="store_true",
        help="add a file of further fans to what DIR holds; one that was read before is not again",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> None:
    if arguments.out.exists() and not is_prepared(arguments.out):
        empty = arguments.out.is_dir() and not any(arguments.out.iterdir())
        if not empty:
            raise InputError(
                f"{arguments.out}: exists and holds no prepared ratings; choose another folder."
            )
    dataset, path = _dataset(arguments)
    dump = DUMPS[dataset]
    source, lists = _lists(dump, path)
    rules = Cleaning(**{rule.name: getattr(arguments, rule.name) for rule in fields(Cleaning)})
    quiet = arguments.quiet or not sys.stderr.isatty()
    before = _before(arguments, dataset, rules) if arguments.add else None
    if before and source.digest() in {read.sha256 for read in before.sources}:
        print(f"{source} is in {arguments.out} already; nothing was added")
        return
    first_fan = adding.next_fan(before) if before else 0
    known = adding.anime_in(arguments.out, before.partitions if before else [])
    try:
        with (
            replacing(arguments.out) as new,
            tqdm(desc=source.name, unit=" rows", unit_scale=True, disable=quiet) as bar,
        ):
            result = write_partitions(
                source,
                lists,
                rules,
                new,
                lambda rows: _show(bar, rows),
                first_fan=first_fan,
                known=known,
            )
            if not result.partitions:
                raise InputError(f"{source}: no entry is left after cleaning; see the options.")
            catalogue = _write_catalogue(dump, path, new)
            prepared = _prepared(dataset, source, rules, result, catalogue)
            text = report(prepared, lists.published)
            if before:
                anime = np.union1d(known, adding.anime_in(new, result.partitions))
                adding.keep_before(before, arguments.out, new)
                prepared = adding.joined(before, prepared, len(anime))
                text = adding.report_of_both(arguments.out, text)
            (new / REPORT).write_text(text, "utf-8")
            (new / INDEX).write_text(prepared.model_dump_json(indent=2) + "\n", "utf-8")
            for file in new.rglob("*"):
                sync(file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(
                f"{arguments.out}: there is no room on the disk for what is written ({error}); "
                "what stood there is unchanged."
            ) from None
        raise
    print(text, end="")


def _before(arguments: argparse.Namespace, dataset: str, rules: Cleaning) -> Prepared:
    """What stands in the folder that is added to."""
    before = open_prepared(arguments.out)
    adding.refuse_other_rules(before, dataset, asdict(rules))
    return before


def _dataset(arguments: argparse.Namespace) -> tuple[str, Path]:
    """The name of the dump and where it lies."""
    name: str = arguments.dataset
    if name.startswith(kaggle.PREFIX):
        if arguments.path is not None:
            raise InputError(f"--from: not needed, {name} is downloaded; leave one of them out.")
        slug = name.removeprefix(kaggle.PREFIX)
        return kaggle.dataset_of(slug), kaggle.download(slug)
    if name not in DUMPS:
        known = ", ".join(DUMPS)
        raise InputError(f"--dataset {name}: not known; expected {known} or kaggle:OWNER/NAME.")
    if arguments.path is None:
        raise InputError("--from: missing; name the file, zip or folder of the dump.")
    return name, arguments.path


def _lists(dump: Dump, path: Path) -> tuple[Source, Lists]:
    """The file with the lists, and how it is to be read."""
    source = find(path, tuple(lists.file for lists in dump.lists)) or single(path)
    if source is None:
        expected = " or ".join(lists.file for lists in dump.lists)
        raise InputError(f"{path}: holds no {expected}.")
    header = header_of(source)
    named = [lists for lists in dump.lists if lists.file.lower() == source.name.lower()]
    for lists in (*named, *dump.lists):
        if set(lists.columns) <= set(header):
            return source, lists
    lists = (*named, *dump.lists)[0]
    missing = [name for name in lists.columns if name not in header]
    raise InputError(
        f"{source}: column {', '.join(missing)} is missing (found: {', '.join(header)}); expected "
        f"{', '.join(lists.columns)}."
    )


def _write_catalogue(dump: Dump, path: Path, new: Path) -> str | None:
    """Beside a list file given by itself its catalogue is looked for, too."""
    folder = path if path.is_dir() or path.suffix.lower() == ".zip" else path.parent
    for facts in dump.facts:
        source = find(folder, (facts.file,))
        if source is not None and _fits(source, facts):
            read_facts(source, facts).write_parquet(new / CATALOGUE)
            return CATALOGUE
    return None


def _fits(source: Source, facts: Facts) -> bool:
    return {facts.columns["anime_id"], facts.columns["title"]} <= set(header_of(source))


def _prepared(
    dataset: str, source: Source, rules: Cleaning, result: Result, catalogue: str | None
) -> Prepared:
    partitions = result.partitions
    dropped = {**result.tally.dropped, **result.dropped.entries}
    return Prepared(
        format=FORMAT,
        dataset=dataset,
        sources=[
            SourceFacts(
                file=source.name,
                bytes=source.bytes(),
                sha256=partitions[0].source,
                rows=result.tally.rows,
            )
        ],
        cleaning=asdict(rules),
        counts={
            "entries": sum(partition.rows for partition in partitions),
            "ratings": sum(partition.scored for partition in partitions),
            "fans": sum(partition.fans for partition in partitions),
            "anime": result.anime,
        },
        dropped=[
            Loss(why=why, entries=count, fans=result.dropped.fans[why])
            for why, count in dropped.items()
            if count
        ],
        mended=[
            Loss(why=why, entries=count) for why, count in result.tally.mended.items() if count
        ],
        catalogue=catalogue,
        partitions=partitions,
    )


def _show(bar: tqdm[None], rows: int) -> None:
    bar.update(rows - bar.n)
