"""Files of any structure, torn, packed and sent in any way."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import suppress
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.lists.entry import AnimeList
from app.lists.errors import BadListFile, ListError
from app.lists.files.entries import MAX_ENTRIES
from tests.lists.files.placed import read_placed
from tests.lists.files.test_xml_lists import HEAD, TAIL, export, row

NAMES = st.sampled_from(
    [
        *("anime", "Anime", "manga", "myinfo", "user_name", "user_export_type", "my_score"),
        *("series_animedb_id", "SERIES_ANIMEDB_ID", "series_title", "my_status", "my_rewatching"),
        *("a", "x-y", "é", "myanimelist"),
    ]
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8) | (
    st.sampled_from(["1", "7", "10", "0", "2", "-1", "1e9", "999999999", "1.5", "Completed", "²"])
)


Elements = st.SearchStrategy[ElementTree.Element]


def _element(children: st.SearchStrategy[list[ElementTree.Element]]) -> Elements:
    def build(
        name: str, text: str, kids: list[ElementTree.Element], attributes: dict[str, str]
    ) -> ElementTree.Element:
        element = ElementTree.Element(name, attributes)
        element.text = text
        element.extend(kids)
        return element

    attributes = st.dictionaries(st.sampled_from(["id", "n"]), TEXTS, max_size=1)
    return st.builds(build, NAMES, TEXTS, children, attributes)


TREES = st.recursive(
    _element(st.just([])), lambda one: _element(st.lists(one, max_size=5)), max_leaves=25
)


def outcome(data: bytes) -> AnimeList | str:
    """The list, or the kind of refusal; anything else is an error of ours."""
    try:
        return read_placed(data)
    except ListError as error:
        return str(error)


def sound(fans: AnimeList) -> None:
    """What holds for every list, wherever it is from."""
    ids = [entry.anime_id for entry in fans.entries]
    assert len(ids) == len(set(ids)) <= MAX_ENTRIES
    assert all(0 < anime_id < 10**9 for anime_id in ids)
    assert all(entry.score is None or 1 <= entry.score <= 10 for entry in fans.entries)
    assert fans.unmapped >= 0


@given(TREES, st.sampled_from(["utf-8", "utf-16", "us-ascii"]), st.booleans())
def test_any_tree_is_read_or_refused_and_packing_changes_nothing(
    tree: ElementTree.Element, encoding: str, declared: bool
) -> None:
    data = ElementTree.tostring(tree, encoding, xml_declaration=declared or encoding == "utf-16")
    found = outcome(data)
    if isinstance(found, AnimeList):
        sound(found)
    for level in (0, 9):
        assert outcome(gzip.compress(data, level)) == found


@given(st.lists(TREES, max_size=6))
def test_rows_among_strange_elements_are_found(strange: list[ElementTree.Element]) -> None:
    """Elements that mean something only elsewhere do not hide the rows."""
    harmless = [each for each in strange if not _means_something(each)]
    between = [ElementTree.tostring(each, "unicode") for each in harmless]
    rows = [row(number, score=1 + number % 10) for number in range(1, len(between) + 2)]
    mixed = [part for pair in zip(rows, [*between, ""], strict=True) for part in pair]
    assert read_placed(export(*mixed)).entries == read_placed(export(*rows)).entries


def _means_something(element: ElementTree.Element) -> bool:
    return any(
        each.tag.casefold() in {"anime", "item", "manga", "user_export_type"}
        for each in element.iter()
    )


GOOD = export(*(row(number, score=1 + number % 10) for number in range(1, 40)))
PACKED = gzip.compress(GOOD, mtime=0)


@given(st.data())
def test_a_flipped_bit_is_noticed_or_changes_nothing_else(data: st.DataObject) -> None:
    packed = bytearray(PACKED)
    at = data.draw(st.integers(2, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    found = outcome(bytes(packed))
    # The header holds a time and a system that nobody needs; the rest has a checksum, but for the
    # bits that fill up its last byte.
    if at >= 10:
        assert isinstance(found, str) or found == read_placed(GOOD)


@given(st.integers(2, len(PACKED) - 1))
def test_a_file_that_breaks_off_is_refused(length: int) -> None:
    with pytest.raises(BadListFile):
        read_placed(PACKED[:length])


@given(st.integers(len(HEAD), len(GOOD) - len(TAIL)))
def test_xml_that_breaks_off_is_refused(length: int) -> None:
    with pytest.raises(BadListFile):
        read_placed(GOOD[:length])


@given(st.lists(st.integers(1, len(GOOD) - 1), max_size=4, unique=True), st.integers(0, 9))
def test_a_file_packed_in_several_members_is_one(cuts: list[int], level: int) -> None:
    ends = [0, *sorted(cuts), len(GOOD)]
    members = (GOOD[a:b] for a, b in pairwise(ends))
    assert read_placed(b"".join(gzip.compress(each, level) for each in members)) == read_placed(
        GOOD
    )


@given(st.binary(min_size=1, max_size=50))
@example(b"\0" * 20)
@example(b"\x1f\x8b")
@example(gzip.compress(b"<"))
def test_what_stands_behind_a_packed_file_raises_nothing_unexpected(rest: bytes) -> None:
    found = outcome(PACKED + rest)
    if not rest.strip(b"\0"):  # padding, as tapes need it
        assert found == read_placed(GOOD)


@given(st.integers(-15, 31), st.binary(max_size=60))
def test_other_packings_are_refused(bits: int, data: bytes) -> None:
    with suppress(ValueError):
        packer = zlib.compressobj(wbits=bits)
        packed = packer.compress(GOOD) + packer.flush()
        if not packed.startswith(b"\x1f\x8b"):
            assert isinstance(outcome(packed), str)
    with suppress(ListError):
        read_placed(data)


class _Dripping(io.BytesIO):
    """Gives fewer bytes than asked for, as a network does."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = sizes

    def read(self, size: int | None = -1) -> bytes:
        most = self._sizes.pop() if self._sizes else 7
        return super().read(most if size is None or size < 0 else min(size, most))


@given(st.lists(st.integers(1, 60), max_size=30), st.booleans())
def test_how_the_bytes_arrive_changes_nothing(sizes: list[int], packed: bool) -> None:
    stream = _Dripping(PACKED if packed else GOOD, sizes)
    assert read_placed(stream) == read_placed(GOOD)
