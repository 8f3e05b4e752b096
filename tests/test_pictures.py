"""Pictures: from which hosts, in which size, and for which anime the bundled catalogue has one."""

from __future__ import annotations

import pytest

from app.catalogue import Catalogue
from app.lists.normalize import allowed_picture_url
from app.pictures import (
    ANILIST_PICTURE_BASE,
    MAL_PICTURE_BASE,
    PICTURE_HOSTS,
    expand_picture_url,
    shorten_picture_url,
    standard_picture_url,
)
from app.settings import BUNDLED_MODEL_DIR
from app.web.middleware.headers import CONTENT_SECURITY_POLICY

BEST_KNOWN = 500


@pytest.mark.parametrize(
    ("written", "standard"),
    [
        ("https://cdn.myanimelist.net/images/anime/4/19644.jpg", "4/19644.jpg"),
        ("https://myanimelist.net/images/anime/4/19644.jpg", "4/19644.jpg"),
        ("http://cdn.myanimelist.net/images/anime/4/19644l.jpg", "4/19644.jpg"),
        ("https://myanimelist.net/images/anime/1314/108941t.jpg", "1314/108941.jpg"),
        ("https://cdn.myanimelist.net/r/50x70/images/anime/4/19644.webp?s=0a", "4/19644.webp"),
    ],
)
def test_myanimelists_pictures_are_those_of_its_cdn(written: str, standard: str) -> None:
    assert standard_picture_url(written) == MAL_PICTURE_BASE + standard
    assert shorten_picture_url(MAL_PICTURE_BASE + standard) == standard


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_anilists_pictures_have_the_size_of_a_card(size: str) -> None:
    written = f"https://s4.anilist.co/file/anilistcdn/media/anime/cover/{size}/bx17-tk2ab6.jpg"
    assert standard_picture_url(written) == ANILIST_PICTURE_BASE + "bx17-tk2ab6.jpg"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "https://elsewhere.example/images/anime/4/19644.jpg",
        "https://cdn.myanimelist.net.evil.example/images/anime/4/19644.jpg",
        "https://myanimelist.net/img/sp/icon/apple-touch-icon-256.png",
        "https://cdn.myanimelist.net/images/affiliates/buy_amazon1.gif",
        "https://raw.githubusercontent.com/x/no_pic.png",
        "https://s4.anilist.co/file/anilistcdn/media/anime/banner/1.jpg",
        "https://s4.anilist.co/file/anilistcdn/media/anime/cover/medium/../x.jpg",
    ],
)
def test_nothing_else_is_a_picture(url: str | None) -> None:
    assert standard_picture_url(url) is None


@pytest.mark.parametrize(
    "url", [MAL_PICTURE_BASE + "4/19644.jpg", ANILIST_PICTURE_BASE + "b184370-nyc.png"]
)
def test_what_is_kept_shortly_is_the_same_again_and_may_be_shown(url: str) -> None:
    assert len(shorten_picture_url(url)) < len("b184370-nyc.png") + 3
    assert expand_picture_url(shorten_picture_url(url)) == url == allowed_picture_url(url)
    assert standard_picture_url(url) == url


def test_the_content_policy_names_the_hosts() -> None:
    assert CONTENT_SECURITY_POLICY["img-src"].split() == [
        "'self'",
        *(f"https://{host}" for host in PICTURE_HOSTS),
    ]


def test_the_best_known_anime_have_pictures() -> None:
    catalogue = Catalogue.open(BUNDLED_MODEL_DIR / "catalogue.json.gz")
    anime = map(catalogue.get_anime, catalogue.anime_ids())
    best_known = sorted(anime, key=lambda each: (-(each.members or 0), each.anime_id))[:BEST_KNOWN]
    assert [each.title for each in best_known if not each.picture] == []
    assert all(standard_picture_url(each.picture) == each.picture for each in best_known)
