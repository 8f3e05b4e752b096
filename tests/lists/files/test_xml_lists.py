from __future__ import annotations

import gzip
import io
import re
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lists.entry import AnimeList, ListEntry
from app.lists.errors import BadFileReason, BadListFile, ListError, ListTooLong
from app.lists.files import MAX_PACKED_BYTES, MAX_UNPACKED_BYTES
from app.recommender.watch_status import WatchStatus
from tests.lists.files.placed import read_placed, scores

HEAD = (
    '<?xml version="1.0" encoding="UTF-8" ?>\n<!-- made by a test & others -- really -->\n'
    "<myanimelist><myinfo><user_id>1</user_id><user_name>fan</user_name>"
    "<user_export_type>1</user_export_type></myinfo>"
)
TAIL = "</myanimelist>"


def row(
    anime_id: object = 1,
    *,
    title: str | None = "<![CDATA[T]]>",
    score: object = 7,
    status: object = "Completed",
    more: str = "",
) -> str:
    fields = {"series_animedb_id": anime_id, "series_title": title, "my_score": score}
    fields["my_status"] = status
    inner = "".join(f"<{k}>{v}</{k}>" for k, v in fields.items() if v is not None)
    return f"<anime>{inner}<my_times_watched>2</my_times_watched>{more}</anime>"


def export(*rows: str) -> bytes:
    return (HEAD + "".join(rows) + TAIL).encode()


def refused(data: bytes) -> BadFileReason:
    with pytest.raises(BadListFile) as caught:
        read_placed(data)
    assert str(caught.value) == caught.value.reason.value
    return caught.value.reason


def only(data: bytes) -> ListEntry:
    (entry,) = read_placed(data).entries
    return entry


def test_reads_an_export() -> None:
    fans = read_placed(export(row(53802, score=7), row(1, score=0, status="Watching")))
    assert fans == AnimeList(
        source="export",
        username="fan",
        entries=(
            ListEntry(53802, WatchStatus.COMPLETED, 7.0, "T"),
            ListEntry(1, WatchStatus.WATCHING, None, "T"),
        ),
        file_format="MyAnimeList",
    )


def test_reads_streams_and_gzip_by_content() -> None:
    plain = export(row())
    expected = read_placed(plain)
    assert read_placed(io.BytesIO(plain)) == expected
    assert read_placed(gzip.compress(plain)) == expected
    assert read_placed(io.BytesIO(gzip.compress(plain))) == expected
    # gzip files may be joined end to end
    assert read_placed(gzip.compress(plain[:50]) + gzip.compress(plain[50:])) == expected


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Watching", WatchStatus.WATCHING),
        ("Completed", WatchStatus.COMPLETED),
        ("On-Hold", WatchStatus.ON_HOLD),
        ("Dropped", WatchStatus.DROPPED),
        ("Plan to Watch", WatchStatus.PLAN_TO_WATCH),
        ("PLANTOWATCH", WatchStatus.PLAN_TO_WATCH),
        ("plan_to_watch", WatchStatus.PLAN_TO_WATCH),
        (" on hold ", WatchStatus.ON_HOLD),
        ("1", WatchStatus.WATCHING),
        ("2", WatchStatus.COMPLETED),
        ("3", WatchStatus.ON_HOLD),
        ("4", WatchStatus.DROPPED),
        ("5", WatchStatus.UNKNOWN),
        ("6", WatchStatus.PLAN_TO_WATCH),
        ("Rewatching", WatchStatus.COMPLETED),
        ("", WatchStatus.UNKNOWN),
        (None, WatchStatus.UNKNOWN),
        ("lent to a friend", WatchStatus.UNKNOWN),
    ],
)
def test_reads_statuses(text: str | None, status: WatchStatus) -> None:
    assert only(export(row(status=text))).status == status


@pytest.mark.parametrize(
    ("flag", "status"), [("1", WatchStatus.COMPLETED), ("0", WatchStatus.WATCHING)]
)
def test_rewatching_counts_as_completed(flag: str, status: WatchStatus) -> None:
    more = f"<my_rewatching>{flag}</my_rewatching>"
    assert only(export(row(status="Watching", more=more))).status == status


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("0", None),
        ("1", 1.0),
        ("10", 10.0),
        ("7.5", 7.5),
        (" 8 ", 8.0),
        ("", None),
        (None, None),
        ("11", None),
        ("-1", None),
        ("nan", None),
        ("ten", None),
        ("1e1", None),
        ("٧", None),
    ],
)
def test_reads_scores(text: str | None, score: float | None) -> None:
    assert only(export(row(score=text))).score == score


def test_missing_title_score_and_status_are_tolerated() -> None:
    entry = only(export(row(title=None, score=None, status=None)))
    assert entry == ListEntry(1, WatchStatus.UNKNOWN)


@pytest.mark.parametrize("bad", ["", "x", "-3", "0", "1.5", "9" * 30, "٣", None])
def test_rows_without_a_usable_id_are_counted(bad: str | None) -> None:
    fans = read_placed(export(row(bad), row(5)))
    assert [item.anime_id for item in fans.entries] == [5]
    assert fans.unmapped == 1


@pytest.mark.parametrize("change", [str.upper, str.title])
def test_tags_in_another_case_are_the_same_tags(change: Callable[[str], str]) -> None:
    text = re.sub(r"</?[a-z_]+>", lambda tag: change(tag[0]), (HEAD + row(5, score=8) + TAIL))
    fans = read_placed(text.encode())
    assert [(entry.anime_id, entry.score) for entry in fans.entries] == [(5, 8.0)]
    assert fans.username == "fan"


def test_of_equal_ids_the_last_wins() -> None:
    fans = read_placed(export(row(1, score=3), row(2), row(1, score=9)))
    assert [(item.anime_id, item.score) for item in fans.entries] == [(2, 7.0), (1, 9.0)]


def test_fields_of_other_elements_are_not_taken_for_rows() -> None:
    nested = "<extra><anime><my_score>1</my_score></anime></extra>"
    assert read_placed(export(row(4, more="<user_export_type>2</user_export_type>"))).entries
    assert only(export(nested, row(4))).anime_id == 4


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Fate & Stay", "Fate & Stay"),
        ("Fate &amp; Stay", "Fate & Stay"),
        ("&lt;3 &quot;&apos;&gt;", "<3 \"'>"),
        ("&#26126;&#x65E5;", "明日"),
        ("&eacute;t&eacute;", "&eacute;t&eacute;"),
        ("A&B;C&", "A&B;C&"),
        ("<![CDATA[Fate & <Stay> &amp; Night]]>", "Fate & <Stay> &amp; Night"),
        ("<![CDATA[a]]>&<![CDATA[&]]>", "a&&"),
        ("a<!-- & -- <![CDATA[ -->b", "ab"),
        ("a\x00\x08b\x1fc", "abc"),
        ("a&#0;b&#x1F;c&#xFFFFFF;d", "a\ufffdb\ufffdc\ufffdd"),
        ("鋼の錬金術師", "鋼の錬金術師"),
    ],
)
def test_text_is_repaired_and_otherwise_left_alone(written: str, read: str) -> None:
    assert only(export(row(title=written))).title == read


def test_broken_utf8_is_replaced() -> None:
    data = export(row(title="AXB")).replace(b"AXB", b"A\xff\xc3B")
    assert only(data).title == "A\ufffd\ufffdB"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_other_encodings(encoding: str) -> None:
    text = HEAD + row(title="鋼 & 錬") + TAIL
    assert only(text.encode(encoding)).title == "鋼 & 錬"
    assert only(gzip.compress(text.encode(encoding))).title == "鋼 & 錬"


@pytest.mark.parametrize(("encoding", "title"), [("windows-1252", "Été"), ("Shift_JIS", "鋼")])
def test_declared_encodings(encoding: str, title: str) -> None:
    text = (HEAD + row(title=title) + TAIL).replace("UTF-8", encoding)
    assert only(text.encode(encoding)).title == title


def test_blanks_before_the_declaration() -> None:
    assert only(b"\r\n  " + export(row())).anime_id == 1


def test_declared_utf16_that_is_not() -> None:
    assert only(export(row()).replace(b"UTF-8", b"UTF-16")).anime_id == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"<a></b>", b"<html></html>", b"<a><b/></a>", b"\x00"],
)
def test_what_is_no_list_is_told_what_would_be_read(data: bytes) -> None:
    assert refused(data) is BadFileReason.UNKNOWN


def test_lists_that_break_off() -> None:
    assert refused(b"<myanimelist>") is BadFileReason.BROKEN
    assert refused(export(row())[:-5]) is BadFileReason.BROKEN


def test_an_empty_list_is_a_list() -> None:
    assert read_placed(export()).entries == ()
    assert read_placed(export()).username == "fan"
    assert read_placed(b"<myanimelist/>").unmapped == 0


def test_rows_decide_what_kind_of_list_it_is() -> None:
    swapped = export(row(5)).replace(b"type>1<", b"type>2<")
    assert only(swapped).anime_id == 5
    manga = "<manga><manga_mangadb_id>1</manga_mangadb_id></manga>"
    assert [entry.anime_id for entry in read_placed(export(manga, row(5))).entries] == [5]
    assert refused(export().replace(b"type>1<", b"type>2<")) is BadFileReason.MANGA
    assert refused(export(manga)) is BadFileReason.MANGA


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE a SYSTEM "../../etc/passwd">',
        '<!DOCTYPE a PUBLIC "-//x//y" "x.dtd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        "<!DOCTYPE a [<!ELEMENT a ANY>]>",
    ],
)
def test_entities_and_what_could_be_fetched_are_refused(doctype: str) -> None:
    assert refused(f"<?xml version='1.0'?>{doctype}<a>&z;</a>".encode()) is BadFileReason.UNSAFE_XML


@pytest.mark.parametrize("system", ["", ' SYSTEM "myanimelist.dtd"'])
def test_a_bare_doctype_is_read(system: str) -> None:
    data = export(row(5)).replace(
        b"<myanimelist>", f"<!DOCTYPE myanimelist{system}>".encode() + b"<myanimelist>"
    )
    assert only(data).anime_id == 5


@pytest.mark.parametrize("tag", ["anime_animedb_id", "animedb_id", "mal_id", "anime_id"])
def test_other_names_of_the_number(tag: str) -> None:
    assert only(export(row(7)).replace(b"series_animedb_id", tag.encode())).anime_id == 7


def test_shikimori_says_what_is_watched_again() -> None:
    more = "<shiki_status>Rewatching</shiki_status>"
    fans = read_placed(export(row(1, status="Watching", more=more)))
    assert (fans.source, fans.file_format) == ("shikimori", "Shikimori")
    assert scores(fans) == {1: ("completed", 7.0)}


def test_hianime_puts_rows_into_folders() -> None:
    data = """<list><folder><name>On-Hold</name><data><item><name>A</name>
        <link>https://myanimelist.net/anime/5</link></item></data></folder><folder>
        <name>Plan to watch</name><data><item><name>Monster</name><link></link></item></data>
        </folder></list>"""
    assert scores(read_placed(data.encode())) == {5: ("on_hold", None), 19: ("plan_to_watch", None)}


TAIGA = """<meta><version>1.4.1</version></meta><database><anime><id>999</id></anime></database>
<library>{}</library>"""


def taiga_row(number: int, library_id: str, score: int, status: int) -> str:
    return (
        f"<anime><id>{number}</id><library_id>{library_id}</library_id><progress>3</progress>"
        f"<score>{score}</score><status>{status}</status><rewatching>0</rewatching></anime>"
    )


def test_taiga_of_myanimelist() -> None:
    rows = "".join(taiga_row(n, "", 10 * n, n) for n in range(1, 6))
    fans = read_placed(f"<library>{rows}</library>".encode())
    assert scores(fans) == {
        1: ("watching", 1.0),
        2: ("completed", 2.0),
        3: ("on_hold", 3.0),
        4: ("dropped", 4.0),
        5: ("plan_to_watch", 5.0),
    }


@pytest.mark.parametrize(
    ("numbers", "known"), [((900101, 900102, 19), {101, 102, 19}), ((901, 902, 10), {101, 102, 19})]
)
def test_taiga_of_another_site_is_told_by_the_numbers(
    numbers: tuple[int, ...], known: set[int]
) -> None:
    rows = "".join(taiga_row(number, "77", 80, 2) for number in numbers)
    assert scores(read_placed(f"<library>{rows}</library>".encode())).keys() == known


def test_damaged_gzip() -> None:
    packed = gzip.compress(export(*(row(n) for n in range(1, 500))))
    flipped = bytearray(packed)
    flipped[-6] ^= 0xFF
    assert refused(packed[:-20]) is BadFileReason.DAMAGED
    assert refused(packed[:2]) is BadFileReason.DAMAGED
    assert refused(bytes(flipped)) is BadFileReason.DAMAGED
    assert refused(packed + b"rubbish") is BadFileReason.DAMAGED


def test_a_zip_bomb_is_refused_and_never_unpacked_in_memory() -> None:
    filler = b" " * 1024 * 1024
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as bomb:
        bomb.write(HEAD.encode())
        for _ in range(MAX_UNPACKED_BYTES // len(filler) + 1):
            bomb.write(filler)
    assert len(packed.getvalue()) < MAX_PACKED_BYTES // 20
    tracemalloc.start()
    try:
        assert refused(packed.getvalue()) is BadFileReason.TOO_LARGE
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024 * 1024


def test_too_much_compressed() -> None:
    # gzip can also store without compressing
    data = gzip.compress(HEAD.encode() + b" " * (MAX_PACKED_BYTES + 1), compresslevel=0)
    assert refused(data) is BadFileReason.TOO_LARGE


def test_too_much_plain_xml() -> None:
    assert refused(HEAD.encode() + b" " * MAX_UNPACKED_BYTES) is BadFileReason.TOO_LARGE


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (b"<b/>" * 1_000_001, BadFileReason.TOO_LARGE),
        (b"<anime/>" + b"<b/>" * 1_001, BadFileReason.TOO_LARGE),
        (b"<anime>" + b"<b/>" * 1_001, BadFileReason.TOO_LARGE),
        (b"<b>" * 51, BadFileReason.TOO_LARGE),
        (b"<b x='" + b"> " * 1_500_000, BadFileReason.BROKEN),
        (b"&" * 1_300_000, BadFileReason.BROKEN),
        (b"<![CDATA[]]>" * 400_001, BadFileReason.BROKEN),
    ],
    ids=["elements", "behind a row", "in a row", "depth", "tag", "ampersands", "sections"],
)
def test_attacks_on_our_time(attack: bytes, reason: BadFileReason) -> None:
    assert refused(b"<myanimelist>" + attack + b"</myanimelist>") is reason


def test_elements_of_what_is_no_list_are_not_counted_to_the_end() -> None:
    page = b"<html>" + b"<p>x</p>" * 2_000 + b"</html>"
    assert refused(page) is BadFileReason.UNKNOWN
    manga = b"<manga>" + b"<x>1</x>" * 20 + b"</manga>"
    assert refused(b"<myanimelist>" + manga * 200 + b"</myanimelist>") is BadFileReason.MANGA


def test_too_many_rows() -> None:
    shortest = "<anime><series_animedb_id>{}</series_animedb_id></anime>"
    rows = [shortest.format(n) for n in range(1, 20_002)]
    assert len(read_placed(export(*rows[:-1])).entries) == 20_000
    with pytest.raises(ListTooLong) as caught:
        read_placed(export(*rows))
    assert caught.value.limit == 20_000


def test_errors_name_nothing_of_the_file() -> None:
    with pytest.raises(BadListFile) as caught:
        read_placed(b"<myanimelist><secret>")
    assert caught.value.__suppress_context__
    assert "secret" not in str(caught.value)


# What XML can hold; \r is read as \n, as XML wants.
_TITLES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=40
)
_WORDS = {
    WatchStatus.WATCHING: "Watching",
    WatchStatus.COMPLETED: "Completed",
    WatchStatus.ON_HOLD: "On-Hold",
    WatchStatus.DROPPED: "Dropped",
    WatchStatus.PLAN_TO_WATCH: "Plan to Watch",
    WatchStatus.UNKNOWN: "",
}
_ENTRIES = st.lists(
    st.builds(
        ListEntry,
        anime_id=st.integers(1, 10**9 - 1),
        status=st.sampled_from(WatchStatus),
        score=st.none() | st.integers(1, 10).map(float),
        title=_TITLES.map(lambda title: title.strip() or None),
    ),
    min_size=1,
    unique_by=lambda entry: entry.anime_id,
)


@given(_ENTRIES, st.booleans(), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_is_exported_is_read_back(
    entries: list[ListEntry], packed: bool, cdata: bool, encoding: str
) -> None:
    def written(title: str | None) -> str:
        if cdata:
            return "<![CDATA[" + (title or "").replace("]]>", "]]]]><![CDATA[>") + "]]>"
        return escape(title or "")

    rows = (
        row(e.anime_id, title=written(e.title), score=int(e.score or 0), status=_WORDS[e.status])
        for e in entries
    )
    data = (HEAD + "".join(rows) + TAIL).encode(encoding)
    fans = read_placed(gzip.compress(data) if packed else data)
    assert fans.entries == tuple(entries)
    assert fans.unmapped == 0


@given(st.binary(max_size=400), st.sampled_from(["plain", "gzip", "magic"]))
def test_arbitrary_bytes_raise_nothing_unexpected(data: bytes, form: str) -> None:
    if form != "plain":
        data = gzip.compress(data) if form == "gzip" else b"\x1f\x8b\x08" + data
    with suppress(ListError):
        read_placed(data)


_PARTS = st.sampled_from(
    [
        *(HEAD, TAIL, row(), "<anime>", "</anime>", "<manga>", "<user_name>", "</user_name>"),
        *("<series_animedb_id>", "<my_score>", "</my_score>", "<![CDATA[", "]]>", "<!--", "-->"),
        *("&", "&amp;", "&#0;", "&x;", "<a:b>", "<?x", "?>", "\x00", "é", "<!DOCTYPE a>", "<", ">"),
    ]
)


@given(st.lists(_PARTS, max_size=20), st.sampled_from(["utf-8", "utf-16", "utf-16-be", "latin-1"]))
def test_exports_torn_to_pieces_raise_nothing_unexpected(parts: list[str], encoding: str) -> None:
    with suppress(ListError):
        read_placed("".join(parts).encode(encoding))
