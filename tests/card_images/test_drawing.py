"""Cards: as large as they should be, whatever stands on them, and always the same."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.card_images import CardShape, ShareCard, Tile, TileRow
from app.card_images.drawing import draw_card
from app.card_images.text import (
    BOLD,
    JAPANESE,
    choose_font,
    drawable_text,
    first_drawable,
    fit_text,
    font,
)
from app.catalogue import Catalogue
from app.settings import BUNDLED_MODEL_DIR, PROJECT_ROOT
from app.translation import ENGLISH, FOLDER, LANGUAGES

LATIN = Tile(1, ("Blood Lad",), "9")
LONG = "Yahari Ore no Seishun Love Comedy wa Machigatteiru. " * 9


def card(*tiles: Tile, headings: tuple[str, ...] = ("Hana’s taste",), **more: object) -> ShareCard:
    given = {"chips": ("Mecha", "1990s"), "number": "7.7", "verdict": "A critic", **more}
    return ShareCard(headings, explanation="Few.", rows=(TileRow("Loves", tiles),), **given)  # type: ignore[arg-type]


def ink(picture: Image.Image, box: tuple[int, int, int, int]) -> int:
    """How many pixels are no paper."""
    return sum(pixel != (246, 246, 244) for pixel in picture.crop(box).get_flattened_data())


@pytest.mark.parametrize("shape", CardShape)
@pytest.mark.parametrize(
    "shown",
    [
        card(LATIN),
        card(*[Tile(n, (LONG,), "10") for n in range(3)], headings=(LONG,)),
        card(Tile(1, ("W" * 400,), "10"), headings=("W" * 400,), chips=("W" * 99, "Mecha")),
        card(headings=("",), chips=(), number="", verdict=""),
        card(
            *[Tile(n, ("転生したらスライムだった件" * 9,), "10") for n in range(3)],
            headings=("架空のファンの好み" * 9,),
            chips=("アドベンチャー",) * 9,
            verdict="大のアニメ好き" * 9,
        ),
    ],
    ids=["usual", "long", "unbreakable", "bare", "japanese"],
)
def test_a_card_has_its_size_and_an_empty_margin(shape: CardShape, shown: ShareCard) -> None:
    data = draw_card(shown, shape)
    assert draw_card(shown, shape) == data
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", shape.size)
    wide, high = shape.size
    for box in ((0, 0, 24, high), (wide - 24, 0, wide, high), (0, high - 18, wide, high)):
        assert ink(picture, box) == 0
    assert len(data) < 400_000


def test_what_has_no_letters_is_called_by_another_title() -> None:
    foreign = Tile(1, ("블러드 래드", "", "Blood Lad"), "9")
    assert draw_card(card(foreign), CardShape.WIDE) == draw_card(card(LATIN), CardShape.WIDE)
    nameless = Tile(1, ("케이온",), "9")
    numbered = Tile(1, ("Anime 1",), "9")
    assert draw_card(card(nameless), CardShape.WIDE) == draw_card(card(numbered), CardShape.WIDE)
    named = card(LATIN, headings=("하나", "My taste"))
    assert draw_card(named, CardShape.WIDE) == draw_card(
        card(LATIN, headings=("My taste",)), CardShape.WIDE
    )


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("Fate/kaleid liner Prisma☆Illya", "Fate/kaleid liner Prisma☆Illya"),
        ("ＡＢＣ！ Ｋ－ＯＮ", "ABC! K-ON"),
        ("Ärger  für Ōkami\n", "Ärger für Ōkami"),
        ("Ангел", "Ангел"),
        ("♪", "♪"),
        ("🎀", ""),
        ("Lucky ♪ Star 🎀", "Lucky Star"),
        ("銀魂 Gintama", "銀魂 Gintama"),
        ("ｶﾘｵｽﾄﾛの城！", "カリオストロの城!"),
        ("케이온", ""),
        ("مرحبا", ""),
        ("", ""),
    ],
)
def test_signs_that_cannot_be_drawn_are_left_out(text: str, drawn: str) -> None:
    assert drawable_text(text) == drawn


def test_nearly_every_anime_that_hakken_knows_can_be_named() -> None:
    catalogue = Catalogue.open(BUNDLED_MODEL_DIR / "catalogue.json.gz")
    columns = [
        catalogue.column_values(name, catalogue.anime_ids()) for name in ("title", "title_english")
    ]
    unnamed = sum(not first_drawable(filter(None, names)) for names in zip(*columns, strict=True))
    assert unnamed < len(catalogue) / 1000
    native = filter(None, catalogue.column_values("title_native", catalogue.anime_ids()))
    assert [title for title in native if not drawable_text(title)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_words_of_the_interface_can_be_drawn(language: str) -> None:
    """A language that is begun needs a font with its letters among those of the cards."""
    if language == ENGLISH:
        return
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        said = [message.string for message in read_po(file) if message.id]
    texts = [each for text in said for each in ([text] if isinstance(text, str) else text)]
    assert [text for text in texts if not drawable_text(text)] == []


@given(
    text=st.text(st.sampled_from("Wil— .j進撃のー「」。"), max_size=60),
    width=st.integers(60, 500),
    max_lines=st.integers(1, 4),
)
@settings(deadline=None)
def test_text_fits_where_it_should(text: str, width: int, max_lines: int) -> None:
    name = choose_font(text, BOLD)
    size, lines = fit_text(text, name, (40, 20), width, max_lines)
    assert len(lines) <= max_lines
    assert all(font(name, size).getlength(line) <= width for line in lines)
    told = "".join("".join(lines).split())
    assert told == "".join(text.split()) or told.endswith("…")


def test_japanese_breaks_anywhere_but_where_it_must_not() -> None:
    text = "「ソードアート・オンライン」、最終章ー。"
    for width in range(120, 700, 20):
        _, lines = fit_text(text, JAPANESE, (40,), width, 20)
        assert "".join(lines) == text
        assert not {line[0] for line in lines} & set("、。」ー・")
        assert not {line[-1] for line in lines} & set("「")
    assert fit_text("次に見るおすすめ", JAPANESE, (40, 36), 290, 2) == (36, ["次に見るおすすめ"])


@pytest.mark.parametrize("text", ["進撃の巨人", "SPY×FAMILY", "Ärger", "銀魂゜ THE FINAL"])
def test_every_letter_is_drawn_as_itself(text: str) -> None:
    """What a font lacks is drawn as the same box, whatever it is."""
    drawn = drawable_text(text)
    letters = font(choose_font(drawn, BOLD), 40)
    shapes = {each: bytes(letters.getmask(each)) for each in drawn if not each.isspace()}
    assert len(set(shapes.values())) == len(shapes)
    assert bytes(letters.getmask("\U0010ffff")) not in shapes.values()


def test_a_server_starts_without_pillow(tiny_model: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from app import create_app
from app.settings import AppSettings
create_app(AppSettings(model={str(tiny_model)!r}, cache_dir={str(tmp_path)!r}))
assert "PIL" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=True)
