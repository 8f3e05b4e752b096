"""`prepare`: a public dump in, partitioned Parquet with a report and the catalogue out."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.recommender.atomic_writes import replace_directory
from model_build.data.config import PrepareConfig
from model_build.data.dumps.catalogue_reader import read_dump_catalogue
from model_build.data.dumps.cleaning import CLEANING_RULES, PartitionResult, write_partitions
from model_build.data.dumps.formats import (
    DUMP_FORMATS,
    KAGGLE_PREFIX,
    DumpFormat,
    RatingsFileFormat,
    download_dump,
    find_dump_name,
)
from model_build.data.dumps.prepared import (
    CATALOGUE_FILE,
    PREPARED_FORMAT,
    CleaningCount,
    PreparedDataset,
    SourceFileInfo,
    check_same_cleaning,
    is_prepared_dataset,
    link_existing_partitions,
    merge_prepared_datasets,
    merge_reports,
    next_user_id,
    open_prepared_dataset,
    partition_anime_ids,
    render_preparation_report,
    restore_prepared_dataset,
    write_index,
)
from model_build.data.dumps.source import CsvSource, find_source, read_header, single_source
from model_build.util.errors import InputError


def prepare(config: PrepareConfig) -> str:
    """Clean a dump into ``config.out``, or add to what it holds; returns the report."""
    out = config.out
    is_empty = out.is_dir() and not any(out.iterdir())
    if out.exists() and not is_prepared_dataset(out) and not is_empty:
        raise InputError(f"{out}: exists and holds no prepared ratings; choose another folder.")
    dataset, path = _resolve_dataset(config)
    dump = DUMP_FORMATS[dataset]
    source, lists = _find_list_file(dump, path)
    cleaning = {name: getattr(config, name) for name in CLEANING_RULES}
    before = None
    if config.add:
        before = open_prepared_dataset(out)
        check_same_cleaning(before, dataset, cleaning)
        if config.add_to is not None:
            then = open_prepared_dataset(config.add_to.parent, config.add_to.name)
            before = restore_prepared_dataset(out, before, then, source.digest())
        if source.digest() in {read.sha256 for read in before.sources}:
            return f"{source} is in {out} already; nothing was added"
    known = partition_anime_ids(out, before.partitions if before else [])
    try:
        with (
            replace_directory(out) as new,
            tqdm(
                desc=source.name, unit=" rows", unit_scale=True, disable=config.quiet or None
            ) as bar,
        ):
            result = write_partitions(
                source,
                lists,
                config,
                new,
                lambda rows: bar.update(rows - bar.n),
                first_user=next_user_id(before) if before else 0,
                known_anime_ids=known,
            )
            _check_entries_left(source, result)
            catalogue = _write_catalogue(dump, path, new)
            prepared = _dataset_manifest(dataset, source, cleaning, result, catalogue)
            text = render_preparation_report(prepared, lists.published_rows)
            if before:
                anime = np.union1d(known, partition_anime_ids(new, result.partitions))
                link_existing_partitions(before, out, new)
                prepared = merge_prepared_datasets(before, prepared, len(anime))
                text = merge_reports(out, text)
            write_index(new, prepared, text)
    except _NothingLeftError:
        if before is None:
            raise
        return f"{source}: no entry is left after cleaning; nothing was added"
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(
                f"{out}: there is no room on the disk for what is written ({error}); "
                "what stood there is unchanged."
            ) from None
        raise
    return text.removesuffix("\n")


class _NothingLeftError(InputError):
    """Cleaning dropped all there was."""


def _check_entries_left(source: CsvSource, result: PartitionResult) -> None:
    if not result.partitions:
        raise _NothingLeftError(f"{source}: no entry is left after cleaning; see the options.")


def _resolve_dataset(config: PrepareConfig) -> tuple[str, Path]:
    """Return the name of the dump and its path."""
    name = config.dataset
    if name.startswith(KAGGLE_PREFIX):
        if config.path is not None:
            raise InputError(f"--from: not needed, {name} is downloaded; leave one of them out.")
        slug = name.removeprefix(KAGGLE_PREFIX)
        return find_dump_name(slug), download_dump(slug)
    if name not in DUMP_FORMATS:
        known = ", ".join(DUMP_FORMATS)
        raise InputError(f"--dataset {name}: not known; expected {known} or kaggle:OWNER/NAME.")
    if config.path is None:
        raise InputError("--from: missing; name the file, zip or folder of the dump.")
    return name, config.path


def _find_list_file(dump: DumpFormat, path: Path) -> tuple[CsvSource, RatingsFileFormat]:
    """Find the file with the lists, and its format."""
    source = find_source(path, tuple(lists.file for lists in dump.ratings_files)) or single_source(
        path
    )
    if source is None:
        expected = " or ".join(lists.file for lists in dump.ratings_files)
        raise InputError(f"{path}: holds no {expected}.")
    header = read_header(source)
    named = [lists for lists in dump.ratings_files if lists.file.lower() == source.name.lower()]
    for lists in (*named, *dump.ratings_files):
        if set(lists.columns) <= set(header):
            return source, lists
    lists = (*named, *dump.ratings_files)[0]
    missing = [name for name in lists.columns if name not in header]
    raise InputError(
        f"{source}: column {', '.join(missing)} is missing (found: {', '.join(header)}); expected "
        f"{', '.join(lists.columns)}."
    )


def _write_catalogue(dump: DumpFormat, path: Path, new: Path) -> str | None:
    """Beside a list file given by itself its catalogue is looked for, too."""
    folder = path if path.is_dir() or path.suffix.lower() == ".zip" else path.parent
    for name in dump.catalogue_files:
        source = find_source(folder, (name,))
        if source is not None and {"anime_id", "title"} <= dump.columns(read_header(source)).keys():
            read_dump_catalogue(source, dump).write_parquet(new / CATALOGUE_FILE)
            return CATALOGUE_FILE
    return None


def _dataset_manifest(
    dataset: str,
    source: CsvSource,
    cleaning: dict[str, int],
    result: PartitionResult,
    catalogue: str | None,
) -> PreparedDataset:
    partitions = result.partitions
    counts = result.counts
    return PreparedDataset(
        format=PREPARED_FORMAT,
        dataset=dataset,
        sources=[
            SourceFileInfo(
                file=source.name,
                bytes=source.file_size(),
                sha256=partitions[0].source,
                rows=counts.rows,
            )
        ],
        cleaning=cleaning,
        counts={
            "entries": sum(partition.rows for partition in partitions),
            "ratings": sum(partition.scored for partition in partitions),
            "fans": sum(partition.fans for partition in partitions),
            "anime": result.n_anime,
        },
        dropped=[
            CleaningCount(why=why, entries=count, fans=counts.users[why])
            for why, count in counts.entries.items()
            if count
        ],
        mended=[
            CleaningCount(why=why, entries=count) for why, count in counts.repaired.items() if count
        ],
        catalogue=catalogue,
        partitions=partitions,
    )
