from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lists.files.xml_repair import repair_xml

# The first bytes are read together, to tell the encoding; cuts matter after them.
PADDING = b"<a>" + b"." * 300


def repaired(*pieces: bytes) -> str:
    text = "".join(repair_xml([PADDING, *pieces]))
    assert text.startswith(PADDING.decode())
    return text[len(PADDING) :]


WRITTEN = "<![CDATA[a & b]]> & &amp; &#x65E5;&#0; é<!-- & -- --><![CDATA[&]]]>&&#1114111;".encode()
READ = "<![CDATA[a & b]]> &amp; &amp; &#x65E5;\ufffd é<![CDATA[&]]]>&amp;&#1114111;"


def test_repairs() -> None:
    assert repaired(WRITTEN) == READ


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11])
def test_repair_does_not_depend_on_the_size_of_pieces(size: int) -> None:
    assert repaired(*(WRITTEN[at : at + size] for at in range(0, len(WRITTEN), size))) == READ


@given(
    st.lists(
        st.sampled_from(
            [
                b"&",
                b"amp;",
                b"#",
                b"x4",
                b"1;",
                b"<!",
                b"--",
                b">",
                b"[CDATA",
                b"[",
                b"]]",
                b"]",
                b"\xe9",
                b"\xc3\xa9",
                b"\x00",
                b"t",
            ]
        )
    )
)
def test_repair_depends_on_the_whole_only(pieces: list[bytes]) -> None:
    assert repaired(*pieces) == repaired(b"".join(pieces))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="&<\ufffe\uffff")))
def test_clean_text_is_left_alone(text: str) -> None:
    assert repaired(text.encode()) == text
