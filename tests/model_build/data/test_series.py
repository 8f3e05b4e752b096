"""Series from relations and titles: what is joined, what stays apart, and in which order."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_build.data.relations import RELATION_KINDS, Relation
from model_build.data.series import group_series
from model_build.data.series_draft import SeriesItem
from model_build.data.title_stems import title_stems
from model_build.data.watch_order import add_series, ensure_series, watch_order

TV, FILM, OVA, SPECIAL = "TV", "MOVIE", "OVA", "SPECIAL"


def table(*rows: tuple[Any, ...], hints: dict[int, int] | None = None) -> pl.DataFrame:
    """Rows of id, title, type, year, relations."""
    frame = pl.DataFrame(
        rows,
        schema={"anime_id": int, "title": str, "type": str, "year": int, "relations": str},
        orient="row",
    )
    if hints is not None:
        groups = [hints.get(number) for number in frame["anime_id"]]
        frame = frame.with_columns(pl.Series("franchise_id", groups, pl.Int64))
    return frame


def series_of(frame: pl.DataFrame) -> dict[int, list[int]]:
    """Every anime's whole series in order; itself where it is alone."""
    rows = add_series(frame).select("anime_id", "franchise_id", "watch_order").rows()
    groups: dict[int | None, list[tuple[int, int]]] = {}
    for anime_id, group, place in rows:
        groups.setdefault(group, []).append((place, anime_id))
    return {
        anime_id: [anime_id] if group is None else [n for _, n in sorted(groups[group])]
        for anime_id, group, _ in rows
    }


def described(frame: pl.DataFrame, name: str) -> dict[int, Any]:
    return dict(add_series(frame).select("anime_id", name).iter_rows())


def test_a_sequel_belongs_to_what_it_continues_whatever_its_title() -> None:
    found = series_of(
        table(
            (1, "Bake", TV, 2009, "sequel:2"),
            (2, "Nise", TV, 2012, None),
            (3, "Owari", TV, 2015, "prequel:2"),
        )
    )
    assert found[1] == found[2] == found[3] == [1, 2, 3]


def test_films_of_an_anthology_are_no_series() -> None:
    found = series_of(
        table(
            (1, "Harmonie", FILM, 2014, "sequel:2"),
            (2, "Chronus", FILM, 2014, "sequel:3"),
            (3, "Lamp", FILM, 2015, None),
            (4, "Break Blade 1", FILM, 2010, "sequel:5"),
            (5, "Break Blade 2", FILM, 2010, None),
        )
    )
    assert [found[n] for n in (1, 2, 3)] == [[1], [2], [3]]
    assert found[4] == [4, 5]


def test_a_crossover_belongs_to_none() -> None:
    frame = table(
        (1, "Lupin", TV, 1971, "side_story:9"),
        (2, "Conan", TV, 1996, "side_story:9"),
        (3, "Lupin: Castle", FILM, 1979, "parent_story:1"),
        (4, "Conan: Clock Tower", FILM, 1997, "parent_story:2"),
        (9, "Lupin vs. Conan", SPECIAL, 2009, "sequel:10"),
        (10, "Lupin vs. Conan: The Movie", FILM, 2013, "parent_story:1;parent_story:2"),
    )
    found = series_of(frame)
    assert found[1] == [1, 3]
    assert found[2] == [2, 4]
    assert found[9] == found[10] == [9, 10], "but they are a story of their own"


def test_what_leads_to_several_and_is_named_after_one_is_of_that() -> None:
    found = series_of(
        table(
            (1, "Eureka", TV, 2005, "side_story:9"),
            (2, "Zetsubou", TV, 2007, "side_story:9"),
            (9, "Goku Zetsubou Shoujo", SPECIAL, 2009, None),
        )
    )
    assert found[2] == found[9] == [2, 9]
    assert found[1] == [1]


def test_visitors_others_and_spin_offs_join_nothing() -> None:
    frame = table(
        (1, "Alpha", TV, 2000, "character:2;other:3;spin_off:4;side_story:5"),
        (2, "Beta", TV, 2001, None),
        (3, "Gamma", FILM, 2002, None),
        (4, "Alpha Zero", TV, 2003, "parent_story:1"),
        (5, "Delta", FILM, 2003, None),
    )
    assert [series_of(frame)[n] for n in range(1, 6)] == [[1, 5], [2], [3], [4], [1, 5]]
    assert described(frame, "relation_kind")[4] == "spin_off", "though it is said to be one"


def test_a_story_told_again_is_one_series() -> None:
    frame = table(
        (1, "Alchemist", TV, 2003, "alternative:2"),
        (2, "Alchemist: Brotherhood", TV, 2009, None),
        (3, "Trigun", TV, 1998, "alternative:4"),
        (4, "Trigun Stampede", TV, 2023, None),
        (5, "X/1999", FILM, 1996, None),
        (6, "Xavier", TV, 2001, "alternative:5"),
    )
    found = series_of(frame)
    assert (found[1], found[3], found[6]) == ([1, 2], [3, 4], [5, 6])
    assert described(frame, "relation_kind")[2] == "alternative"
    assert described(frame, "relation_id")[2] == 1


def test_alternatives_of_one_beginning_stay_apart() -> None:
    """Gundam: the first and its sequels are one story, every other world is its own."""
    found = series_of(
        table(
            (1, "Kidou Senshi Gundam", TV, 1979, "side_story:3;side_story:4;alternative:5"),
            (2, "Kidou Senshi Zeta Gundam", TV, 1985, "prequel:1"),
            (3, "Gundam Wing", TV, 1995, None),
            (4, "Gundam SEED", TV, 2002, "sequel:6"),
            (5, "Gundam X", TV, 1996, None),
            (6, "Gundam SEED Destiny", TV, 2004, None),
            (7, "Kidou Senshi Gundam 00", TV, 2007, None),
            (8, "Kidou Senshi Gundam 00: Special Edition", SPECIAL, 2009, None),
            (9, "Kidou Senshi Gundam: The Other", SPECIAL, 2010, None),
        )
    )
    assert [found[n] for n in (1, 3, 4, 5)] == [[1, 2, 9], [3], [4, 6], [5]]
    assert found[8] == [7, 8], "the longest title that it begins with"


def test_titles_join_where_nothing_is_known_and_it_is_marked() -> None:
    frame = table(
        (1, "Spice to Koushinryou", TV, 2008, "sequel:2"),
        (2, "Spice to Koushinryou II", TV, 2009, None),
        (3, "Spice to Koushinryou Season 3", TV, 2011, None),
        (4, "Spice to Koushinryou: Short Anime", "ONA", 2009, None),
        (5, "Spice", TV, 1990, None),
        (6, "Koushinryou", "ONA", 1990, None),
    )
    assert series_of(frame)[1] == [1, 2, 4, 3]
    assert described(frame, "is_inferred") == {n: n in (3, 4) for n in range(1, 7)}


def test_a_title_that_hundreds_have_joins_nothing() -> None:
    """As in a dump that lost its titles; comparing all with all would take hours."""
    nameless = range(10, 8_000)
    titles = ("Nameless Story", "Nameless Story: Tale", "Nameless Story Movie")
    rows = [(n, titles[n % 3], (TV, TV, FILM)[n % 3], 2000, None) for n in nameless]
    told = (1, "Bake Monogatari", TV, 2009, None), (2, "Bake Monogatari 2", TV, 2010, None)
    found = series_of(table(*told, *rows))
    assert found[1] == [1, 2]
    assert all(found[n] == [n] for n in nameless)


def test_a_common_title_joins_nothing_that_is_long_apart() -> None:
    rows = (
        (1, "Black Nyago", FILM, 1931, None),
        (2, "Bucchigiri", OVA, 1989, None),
        (3, "Bucchigiri?!", TV, 2024, None),
        (4, "Cyborg 009 (TV)", TV, 1968, None),
        (5, "Cyborg 009: The Soldier", TV, 2001, None),
        (6, "The Samurai", OVA, 1987, None),
        (7, "Samurai 7", TV, 2004, None),
        (8, "Kakurenbo", TV, 2005, None),
        (9, "Kakurenbo OVA", OVA, 2010, None),
        (10, "Nyago", TV, 2005, None),
    )
    english = {1: "The Black Cat", 4: "Cyborg 009", 5: "Cyborg 009", 10: "Black Cat"}
    titles = pl.Series([english.get(row[0]) for row in rows], dtype=pl.String)
    found = series_of(table(*rows).with_columns(title_english=titles))
    assert [found[n] for n in (1, 2, 3, 6, 7)] == [[1], [2], [3], [6], [7]]
    assert found[4] == [4, 5], "a series with a name of its own is told again after decades"
    assert found[8] == [8, 9]
    hinted = series_of(table(*rows, hints={2: 5, 3: 5}))
    assert hinted[2] == [2, 3], "unless a hint says that they belong together"


@pytest.mark.parametrize(("flag", "genre"), [(True, None), (None, "Drama;Hentai")])
def test_no_title_joins_what_is_for_adults_only(flag: bool | None, genre: str | None) -> None:
    rows = (
        (1, "Joshikousei no Tale", TV, 2006, None),
        (2, "Joshikousei no Tale OVA", OVA, 2007, None),
        (3, "Joshikousei no Tale: Sequel", OVA, 2007, None),
    )
    frame = table(*rows).with_columns(
        adult=pl.Series([False, flag, flag]),
        genres=pl.Series([None, genre, genre], dtype=pl.String),
    )
    assert series_of(frame)[1] == [1]
    assert series_of(frame.with_columns(adult=False))[1] == [1, 2, 3], "a flag counts more"
    related = frame.with_columns(relations=pl.Series(["sequel:2", None, None]))
    assert series_of(related)[1] == [1, 2], "a relation joins all the same"


def test_a_hint_decides_between_works_of_one_name() -> None:
    rows = (
        (1, "Kizuna", OVA, 1994, None),
        (2, "Kizuna (Music)", "MUSIC", 2015, None),
        (3, "Kizuna 2", OVA, 1996, None),
        (4, "Hagane no Tale: Film", FILM, 2000, None),
        (5, "Hagane no Tale", TV, 1999, None),
    )
    found = series_of(table(*rows))
    assert (found[1], found[2], found[4]) == ([1, 3], [2], [5, 4]), "brackets tell works apart"
    found = series_of(table(*rows, hints={1: 7, 2: 7, 4: 8, 5: 9}))
    assert (found[2], found[4]) == ([1, 3, 2], [4]), "one in common joins, two that differ do not"


def test_parts_that_are_numbered_are_one_work() -> None:
    rows = [
        (1, "Ghost in the Shell - Border:1 Pain", FILM, 2013, None),
        (2, "Ghost in the Shell - Border:2 Whispers", FILM, 2013, None),
        (3, "Ghost in the Shell - Border:3 Tears", FILM, 2014, None),
        (4, "Ghost in the Shell - Border:9 Alone", FILM, 2014, None),
        (5, "Seiki Movie 1: Emeraldas", FILM, 2003, "watch_next:7"),
        (6, "Seiki Movie 2: Herlock", FILM, 2003, None),
        (7, "Seiki Movie 2: Maetel", FILM, 2003, None),
    ]
    found = series_of(table(*rows))
    assert [found[n] for n in range(1, 5)] == [[1], [2], [3], [4]], "nothing ties them"
    assert (found[5], found[6]) == ([5, 7], [6]), "an order of watching does"
    found = series_of(table(*rows, hints=dict.fromkeys((1, 2, 3, 4, 5, 6), 37)))
    assert (found[1], found[4]) == ([1, 2, 3], [4]), "a hint does, too"
    assert (found[5], found[6]) == ([5, 7], [6]), "but not where a title is short"


def test_a_series_joins_the_one_that_has_its_film() -> None:
    found = series_of(
        table(
            (1, "Naruto", TV, 2002, "side_story:2"),
            (2, "Boruto: Naruto the Movie", FILM, 2015, None),
            (3, "Boruto: Naruto Next Generations", TV, 2017, None),
            (4, "Boruto", TV, 1980, None),
        )
    )
    assert found[3] == [1, 2, 3]
    assert found[4] == [4]


def test_sequels_come_first_then_dates() -> None:
    frame = table(
        (1, "Fate Stay", TV, 2006, "prequel:2"),
        (2, "Fate Zero", TV, 2011, None),
        (3, "Fate Stay: The Film", FILM, 2010, "parent_story:1"),
        (4, "Fate Stay Special", SPECIAL, None, "parent_story:1"),
        (5, "Fate Stay: Before", OVA, 2015, "sequel:1"),
        (6, "Fate Stay Recap", FILM, 2005, "full_story:1"),
    )
    assert series_of(frame)[1] == [2, 1, 6, 3, 4, 5]
    extras = described(frame, "is_extra")
    assert [n for n in extras if extras[n]] == [4, 6]
    kinds = described(frame, "relation_kind")
    assert (kinds[1], kinds[5], kinds[6]) == ("sequel", "prequel", "summary")


def test_an_order_of_watching_places_what_has_no_date() -> None:
    rows = [
        (1, "Tale", TV, 2000, "sequel:2"),
        (2, "Tale 2", TV, 2005, None),
        (3, "Tale OVA", OVA, None, "parent_story:1"),
        (9, "Other", TV, 2020, None),
    ]
    assert series_of(table(*rows))[1] == [1, 2, 3], "as its number guesses"
    rows[0] = (1, "Tale", TV, 2000, "sequel:2;watch_next:3")
    assert series_of(table(*rows))[1] == [1, 3, 2], "as it is watched"


def test_old_anime_that_are_numbered_late_place_nothing() -> None:
    """A sequel that is not out yet stood first, between two old films with nearly its number."""
    rows = [(n, f"Film{n}", FILM, 1900 + n, None) for n in range(60, 124) if n != 90]
    rows += [(n, f"Old{n}", FILM, 1931, None) for n in (204, 206, 207, 209)]
    tale = [
        (90, "Ookami Tale", TV, 1990, None),
        (205, "Ookami Tale 2nd Season", TV, None, None),
        (208, "Ookami Tale 3rd Season", TV, None, None),
    ]
    assert series_of(table(*rows, *tale))[90] == [90, 205, 208]


def test_a_special_that_continues_is_no_extra() -> None:
    frame = table(
        (1, "Tale", TV, 2000, "sequel:2"),
        (2, "Tale: The End", SPECIAL, 2002, None),
        (3, "Saga", TV, 2000, "sequel:4;sequel:5"),
        (4, "Saga Notes", SPECIAL, 2001, None),
        (5, "Saga 2", TV, 2002, None),
    )
    extras = described(frame, "is_extra")
    assert extras == {1: False, 2: False, 3: False, 4: True, 5: False}, "but one beside a season is"


def test_the_tables_groups_are_kept_as_hints_and_found_only_once() -> None:
    frame = table((1, "Tale", TV, 2000, None), (2, "Tale 2", TV, 2001, None), hints={1: 70, 2: 70})
    once = add_series(frame)
    assert once["franchise_id"].to_list() == [1, 1]
    assert once["franchise_hint"].to_list() == [70, 70]
    assert add_series(once).equals(once), "the same again"
    assert ensure_series(once) is once


kinds = st.sampled_from(RELATION_KINDS)
numbers = st.integers(1, 12)


@given(
    st.lists(st.sampled_from(["Tale", "Tale 2", "Saga", "Saga: End", "Lone"]), min_size=12),
    st.lists(st.sampled_from([TV, FILM, OVA, SPECIAL]), min_size=12),
    st.lists(st.builds(Relation, numbers, kinds, numbers).filter(lambda r: r[0] != r[2])),
    st.randoms(use_true_random=False),
)
def test_any_relations_give_one_answer(
    titles: list[str], types: list[str], relations: list[Relation], random: Any
) -> None:
    """Whatever the order of the rows; everything stands once, after what it continues."""
    items = {
        n: SeriesItem(n, title, type=kind, date=2000.0 + n)
        for n, title, kind in zip(range(1, 13), titles, types, strict=False)
    }
    groups = group_series(items, relations)
    shuffled = random.sample(relations, len(relations))
    assert group_series(items, shuffled) == groups
    assert groups.group_id.keys() == items.keys()
    for group in set(groups.group_id.values()):
        members = [n for n in items if groups.group_id[n] == group]
        inside = [r for r in relations if r.anime_id in members and r.related_id in members]
        order = watch_order(members, items, inside)
        assert sorted(order) == members
        assert watch_order(members, items, inside[::-1]) == order
        sequels = {(r.related_id, r.anime_id) for r in inside if r.kind in ("sequel", "summary")}
        if all(before < after and types[before - 1] == TV for before, after in sequels):
            assert all(order.index(before) < order.index(after) for before, after in sequels)


def test_a_circle_of_sequels_is_opened_at_its_oldest() -> None:
    items = {n: SeriesItem(n, "Tale", type=TV, date=2000.0 - n) for n in (1, 2, 3)}
    circle = [Relation(2, "sequel", 1), Relation(3, "sequel", 2), Relation(1, "sequel", 3)]
    assert watch_order([1, 2, 3], items, circle) == [3, 1, 2]


@pytest.mark.parametrize(
    ("title", "base", "lead"),
    [
        ("Shingeki no Kyojin Season 3 Part 2", "shingeki no kyojin", "shingeki no kyojin"),
        ("Shingeki no Kyojin: The Final Season", "shingeki no kyojin", "shingeki no kyojin"),
        ("Toradora!: Bentou no Gokui", "toradora bentou no gokui", "toradora"),
        ("Hunter x Hunter (2011)", "hunter x hunter", "hunter x hunter"),
        ("Mushoku Tensei II: Isekai", "mushoku tensei ii isekai", "mushoku tensei"),
        ("Mobile Suit Gundam 00 Second Season", "mobile suit gundam 00", "mobile suit gundam 00"),
        ("Persona 5 the Animation", "persona 5", "persona 5"),
        ("Gekijouban Fairy Tail", "fairy tail", "fairy tail"),
        ("Steins;Gate 0", "steins gate", "steins gate"),
        ("Ranma ½ OVA", "ranma", "ranma"),
        ("86", "86", "86"),
        ("Movie", "movie", "movie"),
    ],
)
def test_stems(title: str, base: str, lead: str) -> None:
    stems = title_stems(title)
    assert (" ".join(stems.base), " ".join(stems.lead)) == (base, lead)
