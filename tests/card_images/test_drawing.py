"""Cards: as large as they should be, whatever stands on them, and always the same."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.card_images import CardShape, ShareCard, Tile, TileRow
from app.card_images.drawing import draw_card
from app.card_images.text import BOLD, drawable_text, first_drawable, fit_text, font
from app.catalogue import Catalogue
from app.settings import BUNDLED_MODEL_DIR, PROJECT_ROOT

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
    ],
    ids=["usual", "long", "unbreakable", "bare"],
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
    foreign = Tile(1, ("ブラッドラッド", "", "Blood Lad"), "9")
    assert draw_card(card(foreign), CardShape.WIDE) == draw_card(card(LATIN), CardShape.WIDE)
    nameless = Tile(1, ("けいおん",), "9")
    numbered = Tile(1, ("Anime 1",), "9")
    assert draw_card(card(nameless), CardShape.WIDE) == draw_card(card(numbered), CardShape.WIDE)
    named = card(LATIN, headings=("はなの好み", "My taste"))
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
        ("♪", ""),
        ("Lucky ♪ Star 🎀", "Lucky Star"),
        ("銀魂 Gintama", ""),
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


@given(
    text=st.text(st.sampled_from("Wil— .j"), max_size=60),
    width=st.integers(60, 500),
    max_lines=st.integers(1, 4),
)
@settings(deadline=None)
def test_text_fits_where_it_should(text: str, width: int, max_lines: int) -> None:
    size, lines = fit_text(text, BOLD, (40, 20), width, max_lines)
    assert len(lines) <= max_lines
    assert all(font(BOLD, size).getlength(line) <= width for line in lines)
    told = "".join("".join(lines).split())
    assert told == "".join(text.split()) or told.endswith("…")


def test_a_server_starts_without_pillow(tiny_model: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from app import create_app
from app.settings import AppSettings
create_app(AppSettings(model={str(tiny_model)!r}, cache_dir={str(tmp_path)!r}))
assert "PIL" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, check=True)
