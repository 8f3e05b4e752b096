"""In which language a page is: what the visitor chose, else what the browser asks for."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Flask, Response, request, url_for
from markupsafe import Markup, escape

from app.translation import (
    ENGLISH,
    LANGUAGES,
    current_language,
    format_day,
    format_number,
    lookup,
    lookup_plural,
    text_direction,
)
from app.web.addresses import current_path
from app.web.errors import JSON_PREFIXES

ARGUMENT = COOKIE = "lang"
"""What chooses a language in an address, and what remembers it, in a cookie of its own."""
COOKIE_SECONDS = 365 * 24 * 3600
_FOR_PROGRAMS = (*JSON_PREFIXES, "/static/")
_WORDED = {"text/html", "text/javascript", "application/manifest+json"}


def init_app(app: Flask) -> None:
    """Answer each request in its language, and give templates the words."""
    app.before_request(_choose_language)
    app.after_request(_tell_language)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.newstyle_gettext = True  # type: ignore[attr-defined]
    app.jinja_env.globals |= {"gettext": _say, "_": _say, "ngettext": _say_plural}
    app.jinja_env.filters |= {"number": format_number, "day": format_day}
    app.jinja_env.globals |= {
        "languages": LANGUAGES,
        "language": current_language.get,
        "text_direction": text_direction,
        "in_language": _address_in,
        "file_address": _file_address,
    }


def _say(message: str, /, **values: object) -> Markup:
    """Say a message on a page, its values escaped.

    As Jinja2's own do, whose way by the context took a tenth of the time of a page.
    """
    return _filled_in(lookup(message), values)


def _say_plural(singular: str, plural: str, num: int, /, **values: object) -> Markup:
    """Say what depends on a number, which may be filled in as ``num``."""
    return _filled_in(lookup_plural(singular, plural, num), {"num": num, **values})


def _filled_in(text: str, values: dict[str, object]) -> Markup:
    if values or "%" in text:
        text = text % {name: escape(value) for name, value in values.items()}
    # The messages are ours, and what was filled in is escaped.
    return Markup(text)  # noqa: S704


def _chosen() -> str | None:
    """Return the language that the address asks for, where it is one of ours."""
    asked = request.args.get(ARGUMENT)
    return asked if asked in LANGUAGES else None


def _choose_language() -> None:
    language: str | None = ENGLISH
    if not request.path.startswith(_FOR_PROGRAMS):
        language = _chosen()
        # A file is asked for by programs, too, and is the same for all who have its address.
        if not language and "format" not in request.args:
            language = request.cookies.get(COOKIE)
            if language not in LANGUAGES:
                language = _accepted()
    current_language.set(language or ENGLISH)


def _accepted() -> str | None:
    """Return the language of ours that the browser prefers; ``ja-JP`` is Japanese, too."""
    wanted = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality)
    return next((code for code in wanted if code in LANGUAGES), None)


def _tell_language(response: Response) -> Response:
    if request.path.startswith(_FOR_PROGRAMS) or response.mimetype not in _WORDED:
        return response
    response.content_language.add(current_language.get())
    response.vary.update(("Accept-Language", "Cookie"))
    chosen = _chosen()
    if chosen and request.cookies.get(COOKIE) != chosen:
        response.set_cookie(
            COOKIE,
            chosen,
            max_age=COOKIE_SECONDS,
            secure=request.is_secure,
            httponly=True,
            samesite="Lax",
        )
        response.headers["Cache-Control"] = "private, no-store"
    return response


def _file_address(page: str, file_format: str) -> str:
    """Build the address of a file about a page, in the language of the current page."""
    query = f"format={file_format}"
    if current_language.get() != ENGLISH:
        query += f"&{ARGUMENT}={current_language.get()}"
    return f"{page}{'&' if '?' in page else '?'}{query}"


def _address_in(language: str) -> str:
    """Build the address of the current page in a language; of the home page where it was sent.

    That of a sign-in holds what is good for one use.
    """
    is_page = request.method in ("GET", "HEAD") and request.blueprint != "sign_in"
    if not is_page or not request.url_rule:
        return url_for("pages.show_home", lang=language)
    arguments = [pair for pair in request.args.items(multi=True) if pair[0] != ARGUMENT]
    return f"{current_path()}?{urlencode([*arguments, (ARGUMENT, language)])}"
