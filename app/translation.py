"""The languages of the pages: which one is spoken, and its words, numbers and dates by Babel.

English needs no catalogue and no Babel: its words stand in the code. What speaks to programs stays
English. Messages are formats: ``%(name)s`` is filled in, and a percent sign is written ``%%``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from gettext import NullTranslations
from pathlib import Path

FOLDER = Path(__file__).parent / "translations"
ENGLISH, JAPANESE = "en", "ja"
LANGUAGES = {ENGLISH: "English", JAPANESE: "日本語"}
"""Languages by their code, called what they call themselves. Each but English has its words in
``translations/CODE/LC_MESSAGES/messages.po``."""

current_language: ContextVar[str] = ContextVar("language", default=ENGLISH)
"""The language of the answer that is being made."""


@contextmanager
def in_english() -> Iterator[None]:
    """Speak English for a while; also to decorate what must, such as pictures by their fonts."""
    token = current_language.set(ENGLISH)
    try:
        yield
    finally:
        current_language.reset(token)


def mark(message: str) -> str:
    """Mark a message of a table, to be looked up by `gettext` where it is shown."""
    return message


def lookup(message: str) -> str:
    """Return a message in the current language, still a format."""
    return _catalogue(current_language.get()).gettext(message)


def lookup_plural(singular: str, plural: str, count: int) -> str:
    """Return the form of a message for a count in the current language, still a format."""
    return _catalogue(current_language.get()).ngettext(singular, plural, count)


def gettext(message: str, **values: object) -> str:
    """Say a message in the current language."""
    return lookup(message) % values


def ngettext(singular: str, plural: str, num: int, **values: object) -> str:
    """Say what depends on a number; ``%(count)s`` is the number as it is written."""
    return lookup_plural(singular, plural, num) % {"count": format_number(num), **values}


def format_number(number: int) -> str:
    """Write a whole number with its thousands apart."""
    language = current_language.get()
    if language == ENGLISH:
        return f"{number:,}"
    from babel.numbers import format_decimal

    written: str = format_decimal(number, locale=language)
    return written


def format_day(day: str) -> str:
    """Write a day that is given as ``2026-11-28``; in English it stays so."""
    language = current_language.get()
    if language == ENGLISH:
        return day
    from babel.dates import format_date

    written: str = format_date(date.fromisoformat(day), "long", locale=language)
    return written


def text_direction(language: str) -> str:
    """Return ``ltr`` or ``rtl``, the way in which a language is written."""
    if language == ENGLISH:
        return "ltr"
    from babel import Locale

    direction: str = Locale.parse(language).text_direction
    return direction


@cache
def _catalogue(language: str) -> NullTranslations:
    """Read the words of a language; Babel is only loaded for who speaks another than English."""
    if language == ENGLISH:
        return NullTranslations()
    from io import BytesIO

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    compiled = BytesIO()
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    words: NullTranslations = Translations(compiled)
    return words
