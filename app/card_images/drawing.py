"""Draws a card, in twice its size and then reduced, so that edges are smooth."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageChops, ImageDraw

from app.card_images.card import CardShape, ShareCard, Tile, TileRow
from app.card_images.text import (
    BOLD,
    MARK,
    MEDIUM,
    choose_font,
    drawable_text,
    first_drawable,
    fit_text,
    font,
)

SCALE = 2
PAPER, SHEET, INK, SOFT, EDGE, LENS = (
    *("#f6f6f4", "#ffffff", "#17171c", "#5a5a66", "#77777f", "#ffd21f"),
)
"""The colours of the pages, by day."""
TINTS: Final = (222, 8, 158, 282, 32, 196, 250, 340, 130, 305, 55, 178)
"""The hues of posters: those that missing ones have on the pages, and what lies between."""
POSTER_RATIO = 318 / 225


@dataclass(frozen=True, slots=True)
class _Lines:
    """A text in lines, in the font and size in which it fits."""

    name: str
    size: int
    lines: list[str]

    def height(self, leading: float) -> int:
        return round(leading * self.size) * len(self.lines)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand, in pixels of the finished card."""

    margin: int
    column: int
    mark: int
    heading_top: int
    heading_sizes: tuple[int, ...]
    chip_size: int
    lens: int
    rows_left: int
    rows_top: int
    rows_bottom: int
    tile: int
    gap: int
    label: int
    title_sizes: tuple[int, ...]

    def tile_left(self, at: int) -> int:
        return self.rows_left + at * (self.tile + self.gap)


_LAYOUTS: Final = {
    CardShape.WIDE: _Layout(
        margin=56,
        column=520,
        mark=44,
        heading_top=128,
        heading_sizes=(68, 60, 52, 46, 40),
        chip_size=22,
        lens=150,
        rows_left=624,
        rows_top=36,
        rows_bottom=604,
        tile=164,
        gap=14,
        label=22,
        title_sizes=(22, 19, 17, 15),
    ),
    CardShape.TALL: _Layout(
        margin=84,
        column=912,
        mark=72,
        heading_top=190,
        heading_sizes=(108, 96, 84, 72),
        chip_size=38,
        lens=230,
        rows_left=84,
        rows_top=924,
        rows_bottom=1880,
        tile=276,
        gap=42,
        label=36,
        title_sizes=(38, 33, 29, 26),
    ),
}


def draw_card(card: ShareCard, shape: CardShape) -> bytes:
    """Draw the card as a PNG. The same card gives the same bytes."""
    width, height = shape.size
    image = Image.new("RGB", (SCALE * width, SCALE * height), PAPER)
    painter = _Painter(image, _LAYOUTS[shape])
    painter.draw_brand(card.site, width)
    below = painter.draw_heading(first_drawable(card.headings))
    below = painter.draw_chips(filter(None, map(drawable_text, card.chips)), below)
    painter.draw_verdict(card, below, height if shape is CardShape.WIDE else None)
    painter.draw_rows(card.rows)
    file = io.BytesIO()
    image.reduce(SCALE).save(file, "PNG", compress_level=6)
    return file.getvalue()


class _Painter:
    """Draws on an image of `SCALE` times the size; coordinates are those of the finished card."""

    def __init__(self, image: Image.Image, layout: _Layout) -> None:
        self._image = image
        self._draw = ImageDraw.Draw(image)
        self._at = layout

    def draw_brand(self, site: str, width: int) -> None:
        """The mark and the name, and where the card is from."""
        at, size = self._at, self._at.mark
        top = at.margin - size // 4
        lens = round(1.36 * size)
        left = at.margin + round(1.04 * size)
        # The lens stands a little outside the character on all sides.
        self._circle(left - (lens - size) // 2, top - (lens - size) // 2, lens, LENS)
        middle = top + size // 2
        for character, x in (("発", at.margin + size // 2), ("見", left + size // 2)):
            self._text((x, middle), character, MARK, size, INK, "mm")
        x = left + size + round(0.4 * size)
        self._text((x, middle), "Hakken", BOLD, round(0.66 * size), INK, "lm")
        if site and width < 1200:  # beside the rows there is no room for it
            self._text((width - at.margin, middle), site, MEDIUM, round(0.4 * size), SOFT, "rm")

    def draw_heading(self, text: str) -> int:
        """Draw the heading; return where it ends."""
        fitted = self._fit(text, BOLD, self._at.heading_sizes, self._at.column, 2)
        top = self._at.heading_top
        self._lines((self._at.margin, top), fitted, INK, 1.08)
        return top + fitted.height(1.08)

    def draw_chips(self, texts: Iterable[str], top: int) -> int:
        """Draw words in boxes, in two lines at most; return where they end."""
        at, size = self._at, self._at.chip_size
        high, gap = round(1.9 * size), round(0.45 * size)
        left, top, line = at.margin, top + round(0.9 * size), 1
        bottom = top
        for text in texts:
            wide = round(self._length(text, MEDIUM, size) + 1.5 * size)
            if left > at.margin and left + wide > at.margin + at.column:
                left, top, line = at.margin, top + high + gap, line + 1
            if line > 2 or wide > at.column:
                break
            box = [SCALE * each for each in (left, top, left + wide, top + high)]
            self._draw.rounded_rectangle(box, SCALE * high // 2, SHEET, EDGE, 2 * SCALE)
            self._text((left + wide // 2, top + high // 2), text, MEDIUM, size, INK, "mm")
            left, bottom = left + wide + gap, top + high
        return bottom

    def draw_verdict(self, card: ShareCard, top: int, height: int | None) -> None:
        """Draw the lens with its number, and what that says; at the foot if ``height`` is given."""
        at, size = self._at, self._at.chip_size
        left, wide = at.margin, at.column
        lens = at.lens if card.chips else round(1.3 * at.lens)
        top = top + size if height is None else max(top + 8, height - at.margin + 8 - lens)
        if card.number:
            self._circle(left, top, lens, LENS)
            sizes = tuple(round(lens * share) for share in (0.42, 0.36, 0.3))
            number = self._fit(card.number, BOLD, sizes, round(0.82 * lens), 1)
            middle = (left + lens // 2, top + lens // 2)
            self._text(middle, number.lines[0], BOLD, number.size, INK, "mm")
            left, wide = left + lens + size, wide - lens - size
        verdict = self._fit(card.verdict, BOLD, (round(1.5 * size),), wide, 2)
        told = self._fit(card.explanation, MEDIUM, (size,), wide, 3)
        high = verdict.height(1.15)
        y = top + (lens - high - told.height(1.35)) // 2
        self._lines((left, y), verdict, INK, 1.15)
        self._lines((left, y + high), told, SOFT, 1.35)

    def draw_rows(self, rows: tuple[TileRow, ...]) -> None:
        """Draw the rows of posters, in the middle of the room for them."""
        at = self._at
        tile_height = round(at.tile * POSTER_RATIO)
        between = round(1.1 * at.label)
        heads = [round(1.6 * at.label) if row.label else 0 for row in rows]
        high = sum(heads) + len(rows) * tile_height + (len(rows) - 1) * between
        top = at.rows_top + max(0, (at.rows_bottom - at.rows_top - high) // 2)
        for row, head in zip(rows, heads, strict=True):
            self._text((at.rows_left, top), row.label, BOLD, at.label, INK, "la")
            for place, tile in enumerate(row.tiles):
                self._tile(at.tile_left(place), top + head, tile, is_advice=row.is_advice)
            top += head + tile_height + between

    def _tile(self, left: int, top: int, tile: Tile, *, is_advice: bool) -> None:
        at = self._at
        wide, high = at.tile, round(at.tile * POSTER_RATIO)
        poster = _draw_poster(tile.anime_id, SCALE * wide, SCALE * high)
        self._image.paste(poster, (SCALE * left, SCALE * top), _rounded(poster.size, SCALE * 10))
        pad = round(0.07 * wide)
        text = first_drawable(tile.titles, f"Anime {tile.anime_id}")
        fitted = self._fit(text, BOLD, at.title_sizes, wide - 2 * pad, 4)
        y = top + high - pad - fitted.height(1.12)
        self._lines((left + pad, y), fitted, "#ffffff", 1.12)
        small = round(0.92 * at.label)
        badge_wide = round(self._length(tile.badge, BOLD, small) + 0.9 * small)
        box = (left + pad, top + pad, left + pad + badge_wide, top + pad + round(1.55 * small))
        fill = LENS if is_advice else SHEET
        scaled = [SCALE * each for each in box]
        self._draw.rounded_rectangle(scaled, SCALE * small, fill)
        middle = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
        self._text(middle, tile.badge, BOLD, small, INK, "mm")

    def _circle(self, left: int, top: int, size: int, fill: str) -> None:
        box = [SCALE * each for each in (left, top, left + size, top + size)]
        self._draw.ellipse(box, fill)

    def _text(
        self, at: tuple[int, int], text: str, name: str, size: int, fill: str, anchor: str
    ) -> None:
        letters = font(choose_font(text, name), SCALE * size)
        self._draw.text((SCALE * at[0], SCALE * at[1]), text, fill, letters, anchor)

    def _lines(self, at: tuple[int, int], text: _Lines, fill: str, leading: float) -> None:
        for number, line in enumerate(text.lines):
            y = at[1] + round((number + 0.5) * leading * text.size)
            self._text((at[0], y), line, text.name, text.size, fill, "lm")

    def _fit(
        self, text: str, name: str, sizes: tuple[int, ...], width: int, max_lines: int
    ) -> _Lines:
        if not text:
            return _Lines(name, sizes[0], [])
        chosen = choose_font(text, name)
        scaled = tuple(SCALE * size for size in sizes)
        size, lines = fit_text(text, chosen, scaled, SCALE * width, max_lines)
        return _Lines(chosen, size // SCALE, lines)

    def _length(self, text: str, name: str, size: int) -> float:
        return font(choose_font(text, name), SCALE * size).getlength(text) / SCALE


def _draw_poster(anime_id: int, width: int, height: int) -> Image.Image:
    """Draw a sun over hills in the tint of an anime, always the same for one."""
    seed = anime_id * 2654435761 % 2**32  # Knuth's multiplicative hash
    hue = TINTS[seed % 997 % len(TINTS)]
    parts = [(seed >> shift) % 256 / 255 for shift in (0, 8, 16, 24)]
    sky = ImageChops.lighter(
        _gradient(width, height, _hsl(hue, 52, 66), _hsl(hue + 40, 46, 30)),
        Image.new("RGB", (width, height), _hsl(hue, 46, 20)),
    )
    draw = ImageDraw.Draw(sky, "RGBA")
    x, y = width * (0.2 + 0.6 * parts[0]), height * (0.22 + 0.2 * parts[1])
    radius = width * (0.17 + 0.15 * parts[2])
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), (*_hsl(hue + 60, 78, 82), 235))
    peak = width * (0.1 + 0.8 * parts[3])
    far = [(0, height * 0.72), (peak, height * (0.4 + 0.12 * parts[1])), (width, height * 0.78)]
    draw.polygon([*far, (width, height), (0, height)], (*_hsl(hue + 20, 40, 28), 200))
    near = [(0, height * 0.62), (width - peak, height * 0.76), (width, height * 0.58)]
    draw.polygon([*near, (width, height), (0, height)], (*_hsl(hue, 46, 17), 235))
    return sky


def _gradient(
    width: int, height: int, above: tuple[int, int, int], below: tuple[int, int, int]
) -> Image.Image:
    mask = Image.linear_gradient("L").resize((width, height))
    return Image.composite(
        Image.new("RGB", (width, height), below), Image.new("RGB", (width, height), above), mask
    )


def _rounded(size: tuple[int, int], radius: int) -> Image.Image:
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, 255)
    return mask


def _hsl(hue: float, saturation: int, lightness: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue % 360 / 360, lightness / 100, saturation / 100)
    return round(255 * red), round(255 * green), round(255 * blue)
