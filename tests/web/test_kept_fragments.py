"""Parts of pages that are kept: the same page whether they are or not, and never too many."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from app import create_app
from app.lists.entry import AnimeDetails
from app.settings import AppSettings
from app.web.services.library import KeptFragments

FAN = "/user/anilist/Regular"
ADDRESSES = [
    FAN,
    f"{FAN}?genre=comedy",
    f"{FAN}?planned=only&popularity=3",
    f"{FAN}?lang=ja",
    f"{FAN}?title=english",
    f"{FAN}?title=japanese&view=list",
    "/anime/1",
    "/season",
    f"{FAN}?order=discover",
    f"{FAN}/fans",
    f"{FAN}/with/anilist/Scored",
]


@pytest.fixture
def new_app(settings: AppSettings, tmp_path: Path) -> Callable[[], Flask]:
    """Make an application that has kept nothing yet."""
    return lambda: create_app(settings.model_copy(update={"cache_dir": tmp_path}))


def test_a_page_is_the_same_with_what_was_kept_for_others(new_app: Callable[[], Flask]) -> None:
    def ask(app: Flask, address: str) -> str:
        return app.test_client(use_cookies=False).get(address).text

    alone = {address: ask(new_app(), address) for address in ADDRESSES}
    app = new_app()
    for address in [*ADDRESSES, *reversed(ADDRESSES)]:
        assert ask(app, address) == alone[address], address
    library = app.extensions["hakken"].library
    assert 0 < len(library.fragments) < len(ADDRESSES)  # two orders have the same fields
    assert len(library.card_parts) > 20


def test_pictures_found_later_and_other_roots_are_told_apart(new_app: Callable[[], Flask]) -> None:
    app, picture = new_app(), "https://s4.anilist.co/file/found-later.jpg"
    library = app.extensions["hakken"].library
    anime = library.catalogue.get_anime(int(library.model.anime_id[0]))
    without_picture = replace(anime, picture=None)

    def tile(root: str = "") -> str:
        page = '{% from "_card.html" import tile with context %}{{ tile(anime) }}'
        with app.test_request_context(environ_overrides={"SCRIPT_NAME": root}):
            return render_template_string(page, anime=without_picture)

    address = f"/anime/{anime.anime_id}"
    assert "<img" not in tile()
    assert f'"{address}"' in tile()
    library.details_cache.store([AnimeDetails(anime.anime_id, picture, None)])
    assert picture in tile()
    assert f'"/hakken{address}"' in tile("/hakken")
    assert f'"{address}"' in tile()


def test_what_only_other_lists_have_is_on_no_page(client: FlaskClient) -> None:
    """Marks are a fan's own: the fields that are kept know nothing of them."""
    marked = client.get(f"{FAN}?hide=1&seen=5:9&ignore=6").text
    assert 'name="hide" value="1"' in marked
    assert 'name="hide"' not in client.get(FAN).text


def test_the_last_that_were_asked_for_are_kept() -> None:
    fragments, rendered = KeptFragments(2), itertools.count()
    ask = lambda key: fragments.get_or_render(key, lambda: str(next(rendered)))  # noqa: E731
    assert [ask(key) for key in "abab"] == ["0", "1", "0", "1"]
    assert ask("a") == "0"
    assert ask("c") == "2"  # in the place of b
    assert [ask("a"), ask("c"), ask("b")] == ["0", "2", "3"]
    assert len(fragments) == 2


def test_threads_share_what_is_kept() -> None:
    fragments, found = KeptFragments(3), []

    def ask() -> None:
        for turn in range(2_000):
            key = turn % 5
            found.append(fragments.get_or_render(key, lambda key=key: f"of {key}") == f"of {key}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(found)
    assert len(found) == 8_000
    assert len(fragments) <= 3
