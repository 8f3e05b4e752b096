"""Completes a catalogue from tables of facts, names and relations, each row with its licence.

A table of facts has a row an anime and source. Where the catalogue says nothing, the row that was
collected last counts; members, which grow, are always taken anew, and a year gives way to an
earlier one that several sources name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from model_build.data.catalogue import read_table, with_standard_pictures
from model_build.data.id_mapping import ID_COLUMNS
from model_build.data.labels import sort_labels, spell_studios
from model_build.data.relations import Relation, add_relations, relation_of

MIN_AGREEING_SOURCES = 2
"""So many that name one year are right about it."""
FREE_LICENCES = ("MIT", "CC-BY-4.0", "public domain")
"""Rows under these may be part of a model that is given away."""
MIN_YEAR_ANIME = 30
"""Anime of about a year that must have been counted twice for the growth of that year."""
YEAR_WINDOW = 2
MAX_GROWTH = 2.0
LEAST_PER_SCORE = 0.25
"""Quantile of members for each who scored that an anime has at least."""
LABEL_COLUMNS = ("genres", "themes", "demographics")
MAX_TAG_LABELS = 8
"""Tags come in falling order of agreement; the first of them say what an anime is about."""
_LAST_COLLECTED = {
    "type": "type",
    "episodes": "episodes",
    "season": "season",
    "year": "year",
    "mean": "mean",
    "source_material": "source",
    "studios": "studios",
    "age_rating": "age_rating",
    "tags": "tags",
}
"""Column of the facts -> column of the catalogue."""
FACT_COLUMNS = (
    *("anime_id", *_LAST_COLLECTED, *LABEL_COLUMNS),
    *("members", "collected", "licence"),
)
OPTIONAL_FACT_COLUMNS = ("tvdb_id",)
NAME_COLUMNS = ("anime_id", "title_native", "synonyms", "picture", "licence")
RELATION_COLUMNS = ("anime_id", "related_id", "kind", "source", "licence")


def add_tables(
    catalogue: pl.DataFrame,
    *,
    facts: Path | None = None,
    names: Path | None = None,
    relations: Sequence[Path] = (),
    any_licence: bool = False,
) -> pl.DataFrame:
    """Complete a catalogue from the tables that there are; their rows by licence."""
    for paths, columns, merge in (
        ((facts,), FACT_COLUMNS, merge_facts),
        ((names,), NAME_COLUMNS, merge_names),
        (relations, RELATION_COLUMNS, merge_relations),
    ):
        given = [path for path in paths if path is not None]
        if given:
            tables = [read_table(path, columns, "a table of facts") for path in given]
            further = set(OPTIONAL_FACT_COLUMNS).intersection(*(each.columns for each in tables))
            chosen = [each.select(*columns, *sorted(further)) for each in tables]
            table = pl.concat(chosen, how="vertical_relaxed")
            if not any_licence:
                table = table.filter(pl.col("licence").is_in(FREE_LICENCES))
            catalogue = merge(catalogue, table)
    return catalogue


def merge_facts(catalogue: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Fill in what the catalogue lacks; anime that it does not have are left out.

    Genres, themes and demographics of all rows are sorted by `sort_labels` first, so that a word
    stands in one column only; an anime takes each of the three from the first row that has it.
    """
    facts = facts.sort("collected", descending=True, maintain_order=True)
    facts = facts.with_columns(
        pl.col("season").str.to_lowercase(), pl.col("source_material").str.to_titlecase()
    )
    facts = facts.with_columns(
        pl.Series("studios", spell_studios(facts["studios"].to_list()), pl.String)
    )
    merged = _correct_years(catalogue, facts)
    for theirs, ours in _LAST_COLLECTED.items():
        found = facts.select("anime_id", pl.col(theirs).alias(ours)).drop_nulls()
        merged = _fill(merged, found.unique("anime_id", keep="first", maintain_order=True))
    merged = fill_ids(merged, facts)
    merged = _fill_labels(merged, facts)
    counted = facts.select("anime_id", pl.col("members").cast(pl.Int64)).drop_nulls()
    return _replace_members(merged, counted.unique("anime_id", keep="first", maintain_order=True))


def fill_ids(catalogue: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Fill in the ids on other sites that a catalogue lacks, as far as there are columns of them.

    First rows count first.
    """
    for name in ID_COLUMNS:
        if name in found.columns:
            numbers = found.select("anime_id", pl.col(name).cast(pl.Int64)).drop_nulls()
            first = numbers.unique("anime_id", keep="first", maintain_order=True)
            catalogue = _fill(catalogue, first)
    return catalogue


def merge_names(catalogue: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Add native titles, synonyms and, where there is none, pictures; first rows first."""
    names = with_standard_pictures(names)
    merged = catalogue
    for name in NAME_COLUMNS[1:-1]:
        found = names.select("anime_id", name).drop_nulls()
        merged = _fill(merged, found.unique("anime_id", keep="first", maintain_order=True))
    return merged


def merge_relations(catalogue: pl.DataFrame, relations: pl.DataFrame) -> pl.DataFrame:
    """Add relations to the column ``relations``, where that does not say how a pair is related.

    A pair of anime is related in one way. Where sources differ, the source counts that tells more
    kinds apart: one that knows only sequels and side stories calls an alternative version either.
    """
    kinds = relations.group_by("source").agg(pl.col("kind").n_unique().alias("kinds"))
    ordered = relations.join(kinds, on="source", maintain_order="left").sort(
        "kinds", "source", descending=[True, False], maintain_order=True
    )
    numbers = (pl.col(name).cast(pl.Int64, strict=False) for name in RELATION_COLUMNS[:2])
    pairs: dict[frozenset[int], Relation] = {}
    for one, other, kind in ordered.select(*numbers, "kind").drop_nulls().iter_rows():
        relation = relation_of(one, other, kind)
        if relation is not None:
            pairs.setdefault(frozenset((one, other)), relation)
    return add_relations(catalogue, pairs.values())


def _fill(catalogue: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Fill the one further column of ``found`` in where the catalogue has nothing."""
    name = found.columns[1]
    ids = catalogue.schema["anime_id"]
    joined = catalogue.join(
        found.with_columns(pl.col("anime_id").cast(ids)).rename({name: "found"}),
        on="anime_id",
        how="left",
        maintain_order="left",
    )
    if name not in catalogue.columns:
        return joined.rename({"found": name})
    ours = pl.col(name)
    if catalogue.schema[name] == pl.String:
        ours = pl.when(ours != "").then(ours)
    filled = pl.coalesce(ours, pl.col("found").cast(catalogue.schema[name])).alias(name)
    return joined.with_columns(filled).drop("found")


def _correct_years(catalogue: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Take the year that most sources name where it is earlier than the catalogue's.

    Catalogues date what was made elsewhere by when it came to Japan or to a service, years after
    its release. Winter stays as it is: one that began in December is called that of the next year.
    A season belongs to its year, so it is left to the sources where the year was wrong.
    """
    if "year" not in catalogue.columns:
        return catalogue
    has_season = "season" in catalogue.columns
    season = pl.col("season") if has_season else pl.lit(None, pl.String)
    agreed = (
        facts.drop_nulls("year")
        .group_by("anime_id", pl.col("year").cast(catalogue.schema["year"]).alias("agreed"))
        .len()
        .filter(pl.col("len") >= MIN_AGREEING_SOURCES)
        .sort("len", "agreed", descending=[True, False])
        .unique("anime_id", keep="first", maintain_order=True)
        .select(pl.col("anime_id").cast(catalogue.schema["anime_id"]), "agreed")
    )
    joined = catalogue.join(agreed, on="anime_id", how="left", maintain_order="left")
    is_winter = (season.str.to_lowercase() == "winter").fill_null(value=False)
    began_before = is_winter & (pl.col("agreed") == pl.col("year") - 1)
    wrong = (pl.col("agreed") < pl.col("year")) & ~began_before
    corrected = [pl.when(wrong).then("agreed").otherwise("year").alias("year")]
    if has_season:
        corrected.append(pl.when(wrong).then(None).otherwise(season).alias("season"))
    return joined.with_columns(corrected).drop("agreed")


def _fill_labels(catalogue: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Sort all words about an anime into its genres, themes and demographics."""
    words: dict[int, list[list[str]]] = {}
    for table, columns in ((catalogue, LABEL_COLUMNS), (facts, LABEL_COLUMNS), (facts, ["tags"])):
        texts = [table[name].fill_null("").to_list() for name in columns if name in table.columns]
        for anime_id, *parts in zip(table["anime_id"].to_list(), *texts, strict=True):
            labels = [label for part in parts for label in part.split(";")]
            words.setdefault(anime_id, []).append(
                labels[:MAX_TAG_LABELS] if columns == ["tags"] else labels
            )
    sorted_labels = [_first_of_each(words[anime_id]) for anime_id in catalogue["anime_id"]]
    return catalogue.with_columns(
        pl.Series(name, [";".join(found[at]) or None for found in sorted_labels], pl.String)
        for at, name in enumerate(LABEL_COLUMNS)
    )


def _first_of_each(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return genres, themes and demographics, each of the first row that has any."""
    found: list[list[str]] = [[], [], []]
    for words in rows:
        for column, labels in zip(found, sort_labels(words), strict=True):
            column += [] if column else labels
    return found


def _replace_members(catalogue: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """Take the current members; older counts are scaled to them.

    The catalogue's count is older: it is multiplied by the median growth of the anime within
    `YEAR_WINDOW` years, as those who joined since are not spread evenly. It is never
    less than what those who scored the anime stand for at least (`LEAST_PER_SCORE`), who may have
    been counted later. Where most joined since (`MAX_GROWTH`), it says little, and the number of
    those who scored the anime is scaled instead; so it is for a count below that number, whoever
    made it.
    """
    joined = catalogue.with_columns(
        pl.lit(None, pl.Int64).alias(name)
        for name in ("members", "scored_by", "year")
        if name not in catalogue.columns
    ).join(
        counted.with_columns(pl.col("anime_id").cast(catalogue.schema["anime_id"])).rename(
            {"members": "current"}
        ),
        on="anime_id",
        how="left",
        maintain_order="left",
    )
    rated = joined.filter(pl.col("scored_by") > 0)
    rated = rated.filter(pl.col("current") >= pl.col("scored_by"))
    ratio = pl.col("current") / pl.col("scored_by")
    per_score, least_per_score = rated.select(
        ratio.median().alias("usual"), ratio.quantile(LEAST_PER_SCORE).alias("least")
    ).row(0)
    growth = _median_growth(joined)
    scale = pl.col("year").replace_strict(growth, default=growth[None], return_dtype=pl.Float64)
    older = pl.col("members") * scale
    by_scores = pl.col("scored_by") * pl.lit(per_score, pl.Float64)
    least = pl.col("scored_by") * pl.lit(least_per_score, pl.Float64)
    older_than_scores = (pl.col("current") < pl.col("scored_by")).fill_null(value=False)
    members = pl.coalesce(
        pl.when(~older_than_scores).then(pl.col("current").cast(pl.Float64)),
        pl.when(older_than_scores).then(by_scores),
        pl.when((scale <= MAX_GROWTH) & older.is_not_null()).then(pl.max_horizontal(older, least)),
        by_scores,
        older,
    )
    return joined.with_columns(members.round().cast(pl.Int64).alias("members")).select(
        *catalogue.columns, *({"members"} - set(catalogue.columns))
    )


def _median_growth(joined: pl.DataFrame) -> dict[int | None, float]:
    """Return by how much members grew, for each year of an anime; None: for an unknown year."""
    both = joined.filter(pl.col("members") > 0, pl.col("current").is_not_null()).select(
        "year", (pl.col("current") / pl.col("members")).alias("growth")
    )
    medians = both.select(pl.col("growth").median()).item()
    found: dict[int | None, float] = {None: 1.0 if medians is None else medians}
    for year in joined["year"].drop_nulls().unique():
        about = both.filter((pl.col("year") - year).abs() <= YEAR_WINDOW)
        enough = len(about) >= MIN_YEAR_ANIME
        found[year] = about.select(pl.col("growth").median()).item() if enough else found[None]
    return found
