"""What anime are to each other: reads the public sources of it into one form.

Every source says it in its own words; here all come down to `Relation`, read from the later, the
shorter or the retold to what it belongs to: "16498's second season is the ``sequel`` of 16498".
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from model_build.util.errors import InputError, read_file


class Relation(NamedTuple):
    """``anime_id`` is the ``kind`` of ``related_id``: one of `RELATION_KINDS`."""

    anime_id: int
    kind: str
    related_id: int


RELATION_KINDS = (
    *("sequel", "summary", "side_story", "alternative", "spin_off"),
    *("watch_next", "character", "other", "related"),
)
"""From what says most to what says least. ``summary`` retells; ``watch_next`` comes from an order
of watching; ``related`` from a source that does not say how."""
_INVERSE = {
    "prequel": "sequel",
    "full_story": "summary",
    "contains": "summary",
    "parent_story": "side_story",
    "spin_off_of": "spin_off",
    "watch_before": "watch_next",
}
"""Kinds of the related anime -> what this one then is to it."""
_SYNONYMS = {
    "parent": "parent_story",
    "compilation": "summary",
    "alternative_version": "alternative",
    "alternative_setting": "alternative",
}


def relation_of(anime_id: int, related_id: int, kind: str) -> Relation | None:
    """Read "``related_id`` is the ``kind`` of ``anime_id``", as tables and sites say it.

    None where the kind is none that anime are to each other, or both are one anime.

    Examples
    --------
    Attack on Titan has the sequel 25777, and 25777 the prequel 16498; that is one thing:

    >>> relation_of(16498, 25777, "sequel") == relation_of(25777, 16498, "prequel")
    True
    """
    kind = kind.strip().lower().replace(" ", "_").replace("-", "_")
    kind = _SYNONYMS.get(kind, kind)
    if anime_id == related_id or (kind not in RELATION_KINDS and kind not in _INVERSE):
        return None
    if kind in _INVERSE:
        return Relation(anime_id, _INVERSE[kind], related_id)
    return Relation(related_id, kind, anime_id)


def distinct(relations: Iterable[Relation]) -> list[Relation]:
    """Return every relation once, in order of ids."""
    return sorted(set(relations))


_RULE = re.compile(
    r"^-\s*(?P<source>[\d?]+(?:\|[\d?]+)*):(?P<first>\d+|\?)(?:-(?P<last>\d+|\?))?"
    r"\s*->\s*(?P<target>[\d?~]+(?:\|[\d?~]+)*):(?:\d+|\?)(?:-(?:\d+|\?))?!?\s*(?:#.*)?$"
)
MIN_SEASON_EPISODES = 4
"""Fewer episodes than that, counted on after those of a season, are specials of it."""
MAX_FILM_NUMBER = 10
"""A single episode with a greater number is a special after a season, not a film of a row."""


def read_anime_relations(path: Path, catalogue: pl.DataFrame | None = None) -> list[Relation]:
    """Read a file of erengy/anime-relations; see `parse_anime_relations`."""
    return parse_anime_relations(read_file(path, "text", str), str(path), catalogue)


def parse_anime_relations(
    text: str, origin: str, catalogue: pl.DataFrame | None = None
) -> list[Relation]:
    """Parse rules of erengy/anime-relations: "episodes 26-50 of this are episodes 1-25 of that".

    Ids stand there as ``MyAnimeList|Kitsu|AniList``, ``?`` where unknown, ``~`` where the same as
    on the left; where MyAnimeList's is not there, a ``catalogue`` may know it by the others. At
    least `MIN_SEASON_EPISODES` further episodes are a sequel, of the one before by their numbers;
    so is the second of a row of films. Fewer, or an episode 0, are a side story.
    """
    site_ids = _mal_ids_by_site(catalogue)
    seasons: dict[int, list[tuple[int, int]]] = {}
    relations, in_rules, count = [], False, 0
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line.startswith("::"):
            in_rules = line.lower().startswith("::rules")
        if not in_rules or not line.startswith("-"):
            continue
        rule = _RULE.match(line)
        if rule is None:
            raise InputError(f"{origin}:{number}: no rule of anime-relations: {line[:60]!r}.")
        count += 1
        source, target = (_mal_id(ids, site_ids) for ids in _rule_ids(rule))
        if source is None or target is None or source == target or rule["first"] == "?":
            continue
        if _continues(rule):
            seasons.setdefault(source, []).append((int(rule["first"]), target))
        else:
            relations.append(Relation(target, "side_story", source))
    if not count:
        raise InputError(f"{origin}: holds no rules; erengy/anime-relations has some.")
    for source, targets in seasons.items():
        chain = [source, *dict.fromkeys(target for _, target in sorted(targets))]
        relations += [
            Relation(later, "sequel", earlier) for earlier, later in itertools.pairwise(chain)
        ]
    return distinct(relations)


def _continues(rule: re.Match[str]) -> bool:
    """Whether the episodes are a season of their own, or the next of a row of films."""
    first, last = int(rule["first"]), rule["last"]
    if last is None:
        return 2 <= first <= MAX_FILM_NUMBER
    return first > 1 and (last == "?" or int(last) - first + 1 >= MIN_SEASON_EPISODES)


def _rule_ids(rule: re.Match[str]) -> tuple[list[str], list[str]]:
    """Return both sides' ids; the right one's with what it repeats of the left one."""
    sources, targets = rule["source"].split("|"), rule["target"].split("|")
    repeated = dict(enumerate(sources))
    return sources, [repeated.get(at, "?") if t == "~" else t for at, t in enumerate(targets)]


def _mal_ids_by_site(catalogue: pl.DataFrame | None) -> Mapping[str, Mapping[int, int]]:
    """Map ids of Kitsu and AniList to MyAnimeList's, as far as a catalogue has them."""
    found: dict[str, dict[int, int]] = {}
    for column in ("kitsu_id", "anilist_id"):
        if catalogue is not None and column in catalogue.columns:
            rows = catalogue.select(column, "anime_id").drop_nulls().iter_rows()
            found[column] = {int(theirs): int(ours) for theirs, ours in rows}
    return found


def _mal_id(ids: Sequence[str], site_ids: Mapping[str, Mapping[int, int]]) -> int | None:
    """Return the MyAnimeList id of a rule's ids, by the other sites' where it is not there."""
    if ids[0].isdigit():
        return int(ids[0])
    for column, text in zip(("kitsu_id", "anilist_id"), ids[1:], strict=False):
        if text.isdigit() and int(text) in site_ids.get(column, {}):
            return site_ids[column][int(text)]
    return None


def parse_anilist_relations(media: Mapping[str, Any]) -> list[Relation]:
    """Read the relations of one ``Media`` of AniList.

    It needs ``idMal`` and ``relations { edges { relationType(version: 2) node { idMal type } } }``.
    Manga, and what MyAnimeList does not have, are left out; so is what AniList does not explain in
    this form.
    """
    anime_id = media.get("idMal")
    edges = (media.get("relations") or {}).get("edges") or []
    if not isinstance(anime_id, int):
        return []
    found = []
    for edge in edges:
        node, kind = (edge or {}).get("node") or {}, (edge or {}).get("relationType")
        if node.get("type", "ANIME") != "ANIME" or not isinstance(kind, str):
            continue
        if isinstance(node.get("idMal"), int):
            found.append(relation_of(anime_id, node["idMal"], kind))
    return distinct(relation for relation in found if relation)


def decode_relations(anime_id: int, text: str | None) -> list[Relation]:
    """Read a cell of the table's column ``relations``: "prequel:1535;side_story:2994".

    Each id is that of the anime which is the kind of this one.
    """
    found = []
    for part in (text or "").split(";"):
        kind, colon, number = part.strip().rpartition(":")
        if not part.strip():
            continue
        if not colon or not number.strip().isdecimal():
            raise InputError(f"relations of anime {anime_id}: {part!r} is not like prequel:1535.")
        found.append(relation_of(anime_id, int(number), kind))
    return [relation for relation in found if relation]


def add_relations(catalogue: pl.DataFrame, relations: Iterable[Relation]) -> pl.DataFrame:
    """Add relations to the column ``relations`` of a table; pairs that are typed there stay so.

    Each stands with both anime, as that which the other is to it.
    """
    ids = catalogue["anime_id"].to_list()
    known = catalogue["relations"].to_list() if "relations" in catalogue.columns else []
    cells: dict[int, dict[int, str]] = {anime_id: {} for anime_id in ids}
    for anime_id, text in zip(ids, known, strict=False):
        for part in filter(None, map(str.strip, (text or "").split(";"))):
            kind, _, number = part.rpartition(":")
            cells[anime_id][int(number)] = kind
    typed = {
        frozenset((one, two))
        for one, named in cells.items()
        for two, kind in named.items()
        if kind != "related"
    }
    for anime_id, kind, other in sorted(relations, key=_by_kind):
        pair = frozenset((anime_id, other))
        if pair in typed:
            continue
        if kind != "related":
            typed.add(pair)
        for one, two, said in ((other, anime_id, kind), (anime_id, other, _inverse_of(kind))):
            if one in cells:
                cells[one][two] = said
    texts = (";".join(f"{kind}:{n}" for n, kind in sorted(cells[at].items())) for at in ids)
    return catalogue.with_columns(
        pl.Series("relations", [text or None for text in texts], pl.String)
    )


def _by_kind(relation: Relation) -> tuple[int, Relation]:
    return RELATION_KINDS.index(relation.kind), relation


def _inverse_of(kind: str) -> str:
    """Return what the other anime is called; those that have no own word are called the same."""
    return next((name for name, inverse in _INVERSE.items() if inverse == kind), kind)
