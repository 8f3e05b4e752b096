"""Archives: what is in them is read as if it came alone, and bombs are not unpacked."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lists.errors import BadFileReason, BadListFile, ListError
from app.lists.files import MAX_PACKED_BYTES, MAX_UNPACKED_BYTES, read_list_file
from app.lists.files.unpack import FREE_BYTES, MAX_RATIO, unpack
from tests.lists.files.placed import read_placed
from tests.lists.files.test_json_and_csv import CASES
from tests.lists.files.test_xml_lists import export, row

XML = export(row(5), row(19))


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as opened:
        for name, data in members:
            opened.writestr(name, data)
    return packed.getvalue()


def refused(data: bytes) -> BadFileReason:
    with pytest.raises(BadListFile) as caught:
        read_placed(data)
    return caught.value.reason


@pytest.mark.parametrize("name", CASES)
def test_packing_changes_nothing(name: str) -> None:
    data = CASES[name][0]
    expected = read_placed(data)
    assert read_placed(gzip.compress(data)) == expected
    assert read_placed(archive(("x/list", data))) == expected
    assert (
        read_placed(archive(("x.gz", gzip.compress(data)), method=zipfile.ZIP_STORED)) == expected
    )


def test_of_several_files_the_list_is_found() -> None:
    manga = export("<manga><manga_mangadb_id>1</manga_mangadb_id></manga>")
    files = [
        ("readme.txt", b"hello"),
        ("__MACOSX/._list.xml", b"\x00\x05"),
        ("mangalist.xml", manga),
        ("animelist.xml", XML),
        ("old/animelist.xml", export(row(5))),
        (".hidden.xml", export(*(row(n) for n in range(1, 9)))),
    ]
    assert read_placed(archive(*files)) == read_placed(XML)
    assert refused(archive(*files[:2])) is BadFileReason.UNKNOWN
    assert refused(archive(*files[:3])) is BadFileReason.MANGA
    assert refused(archive()) is BadFileReason.UNKNOWN


def test_damaged_archives() -> None:
    whole = archive(("list.xml", XML))
    assert refused(whole[:-30]) is BadFileReason.DAMAGED
    assert refused(b"PK\x03\x04") is BadFileReason.DAMAGED
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    assert refused(bytes(flipped)) in {BadFileReason.DAMAGED, BadFileReason.BROKEN}
    locked = bytearray(whole)
    locked[6] |= 1
    locked[whole.index(b"PK\x01\x02") + 8] |= 1
    assert refused(bytes(locked)) is BadFileReason.DAMAGED
    assert refused(archive(("list.xml", XML), method=zipfile.ZIP_LZMA)) is BadFileReason.DAMAGED


@pytest.mark.parametrize("start", [b"<myanimelist>", b'["', b"title,score\n"])
def test_bombs_are_never_unpacked_in_memory(start: bytes) -> None:
    filler = start + b" " * (MAX_UNPACKED_BYTES // 2)
    bomb = archive(*((f"{n}.xml", filler) for n in range(3)))
    assert len(bomb) < MAX_PACKED_BYTES // 20
    del filler
    tracemalloc.start()
    try:
        assert refused(bomb) in {BadFileReason.TOO_LARGE, BadFileReason.BROKEN}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 1024 * 1024


class Counted(io.BytesIO):
    """A file that knows how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.taken += len(piece)
        return piece


@pytest.mark.parametrize("piece", [b"<a/>", b"[[]],", b"\n"])
@pytest.mark.parametrize("how", ["gz", "zip", "gz in zip", "many in zip"])
def test_little_sent_is_little_unpacked(how: str, piece: bytes) -> None:
    data = piece * (1_000_000 // len(piece))
    packed = gzip.compress(data, 9)
    sent = {
        "gz": packed,
        "zip": archive(("x", data)),
        "gz in zip": archive(("x.gz", packed), method=zipfile.ZIP_STORED),
        "many in zip": archive(*((str(n), data) for n in range(20))),
    }[how]
    unpacked = 0
    with suppress(BadListFile):
        for pieces in unpack(io.BytesIO(sent)):
            for each in pieces:
                unpacked += len(each)
    assert 0 < unpacked <= FREE_BYTES + MAX_RATIO * len(sent)
    assert unpacked < len(data) or how == "many in zip"


def test_blanks_before_a_text_are_not_read_for_ever() -> None:
    for blank in (b" ", b"\x00", b"\r\n", b"\xef\xbb\xbf"):
        file = Counted(blank * (8_000_000 // len(blank)) + XML)
        with pytest.raises(BadListFile) as caught:
            read_list_file(file)
        assert caught.value.reason is BadFileReason.UNKNOWN
        assert file.taken < 1_000_000
    assert read_placed(b"\n" * 200_000 + XML) == read_placed(XML)


def test_lists_of_nothing_but_numbers_may_be_packed() -> None:
    fields = "".join(f"<my_{name}>0</my_{name}>" for name in "abcdefghijklmnopqrst")
    rows = "".join(
        f"<anime><series_animedb_id>{n}</series_animedb_id>{fields}</anime>"
        for n in range(1, 5_001)
    )
    data = f"<myanimelist>{rows}</myanimelist>".encode()
    assert len(read_placed(gzip.compress(data, 9)).entries) == 5_000


def test_too_much_packed() -> None:
    stored = archive(("x", b" " * MAX_PACKED_BYTES), method=zipfile.ZIP_STORED)
    assert refused(stored) is BadFileReason.TOO_LARGE


@settings(deadline=None)
@given(st.data())
def test_an_archive_with_flipped_bytes_raises_nothing_unexpected(data: st.DataObject) -> None:
    packed = bytearray(archive(("list.xml", XML), ("b.json", b"[]")))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(2, len(packed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ListError):
        read_placed(bytes(packed))
