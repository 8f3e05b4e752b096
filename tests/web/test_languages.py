"""The pages in English and Japanese: chosen, remembered, whole, and not for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import Markup

from app.settings import PROJECT_ROOT
from app.translation import (
    ENGLISH,
    FOLDER,
    LANGUAGES,
    current_language,
    format_day,
    format_number,
    gettext,
    ngettext,
    text_direction,
)
from tests.web.fans import SCORED
from tests.web.html_page import Element, read_html

TRANSLATED = sorted(LANGUAGES.keys() - {ENGLISH})
PLACEHOLDER = re.compile(r'%\(\w+\)s|%%|\{\w*\}|</?\w+|[\w-]+="[^"]*"')
PICKS = ",".join(f"{anime_id}-{9 - place % 5}" for place, anime_id in enumerate(SCORED))
PAGES = [
    *("/", "/example", "/pick", "/season", "/about", "/together", "/together/example", "/offline"),
    *("/problems/bug", "/no-such-page", "/user/anilist/Regular", "/user/anilist/Nobody99"),
    *("/user/anilist/FewScores", "/user/anilist/NoScores", "/example?year_from=2001&year_to=2002"),
    f"/example?popularity=2&min_score=3&max_episodes=30&hide={SCORED[0]}&seen={SCORED[1]}:7&rating=pg13",
    *(f"/picks/{PICKS}", f"/pick?picks={PICKS}&q=no+such+title", f"/anime/{SCORED[0]}"),
    *("/together/user/anilist/Regular/anilist/FewScores", "/user/anilist/"),
]
NAMES = {
    *("Hakken", "MyAnimeList", "AniList", "Kitsu", "Shikimori", "Simkl", "MAL"),
    *(
        "HiAnime",
        "Yamtrack",
        "MALSync",
        "Taiga",
        "Jikan",
        "English",
        "Yuki",
        "Ryo",
        "Stremio",
        "Sonarr",
    ),
    *(
        "MONSTER",
        "NARUTO",
        "Regular",
        "FewScores",
        "NoScores",
        "Nobody99",
        "AoT",
        "URL",
        "CSV",
        "JSON",
        "XML",
    ),
    *(
        "NDCG",
        "RMSE",
        "KNN",
        "API",
        "HTTP",
        "Esc",
        "OVA",
        "ONA",
        "PG",
        "tiny",
        "bug",
        "detail",
        "problems",
    ),
}
"""What is called so in every language."""


@pytest.fixture
def japanese(client: FlaskClient) -> FlaskClient:
    client.set_cookie("lang", "ja")
    return client


@pytest.fixture
def in_japanese() -> Iterator[None]:
    token = current_language.set("ja")
    yield
    current_language.reset(token)


def messages(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(message: Message) -> list[tuple[str, str]]:
    """Each translated form beside the one that it stands for."""
    if isinstance(message.id, str):
        return [(message.id, str(message.string))]
    return [(message.id[-1], text) for text in message.string]


def in_the_code() -> set[str]:
    """What Babel finds in code and templates."""
    with (PROJECT_ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    keywords = {**DEFAULT_KEYWORDS, "mark": None}
    found = extract_from_dir(PROJECT_ROOT, methods, options, keywords)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = [message for _, _, message, *_ in found]
    return {each if isinstance(each, str) else each[0] for each in ids}


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated_and_keeps_what_is_filled_in(language: str) -> None:
    for message in messages(language):
        for source, text in forms(message) if message.id else ():
            assert text, source
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(source)), text


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_messages_are_those_of_the_code(language: str) -> None:
    known = {each.id if isinstance(each.id, str) else each.id[0] for each in messages(language)}
    assert in_the_code() == known - {""}


def words_of(element: Element) -> Iterator[str]:
    """Text and attributes that somebody reads or hears, but for what says its own language."""
    own = element.attributes
    if element.tag in ("script", "code") or own.get("lang", "ja") != "ja":
        return
    yield from (own[name] for name in own if name in ("aria-label", "alt", "placeholder", "title"))
    if "data-words" in own:
        yield from json.loads(own["data-words"]).values()
    yield from (
        own[name]
        for name in ("data-told", "data-title", "data-one", "data-many")
        if own.get(name, "{")[0] not in "[{"
    )
    if element.tag == "meta" and own.get("property", own.get("name", "")).endswith("description"):
        yield own["content"]
    for part in element.parts:
        if isinstance(part, Element):
            yield from words_of(part)
        else:
            yield part


@pytest.mark.parametrize("address", PAGES)
def test_nothing_on_a_japanese_page_is_left_in_english(
    app: Flask, japanese: FlaskClient, address: str
) -> None:
    library = app.extensions["hakken"].library
    anime = [library.catalogue.get_anime(each) for each in library.model.anime_id.tolist()]
    facets = library.attributes.facets
    named = {each.title for each in anime} | {each.title_english or "" for each in anime}
    named |= {
        "Anime-Planet",
        *facets.tag.names.values(),
        *facets.studio.names.values(),
        library.model.version,
    }
    page = read_html(japanese.get(address).text)
    assert page.one("html").attributes["lang"] == "ja"
    left = set()
    for text in words_of(page.one("html")):
        for name in sorted(filter(None, named), key=len, reverse=True) if text.strip() else ():
            text = text.replace(name, "")
        left |= set(re.findall(r"[A-Za-z]{3,}[0-9]*", re.sub(r"\{\w+\}", "", text)))
    assert left - NAMES == set()


def test_an_address_chooses_the_language_and_a_cookie_remembers_it(client: FlaskClient) -> None:
    assert read_html(client.get("/").text).one("html").attributes["lang"] == "en"
    chosen = client.get("/?lang=ja")
    assert chosen.headers["Set-Cookie"].startswith("lang=ja; ")
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(chosen.headers["Set-Cookie"].split("; "))
    assert "no-store" in chosen.headers["Cache-Control"]
    for address in ("/", "/about", "/no-such-page"):
        again = client.get(address)
        assert read_html(again.text).one("html").attributes["lang"] == "ja"
        assert again.headers["Content-Language"] == "ja"
        assert "Set-Cookie" not in again.headers
    assert "Set-Cookie" not in client.get("/?lang=ja").headers
    assert read_html(client.get("/?lang=en").text).one("html").attributes["lang"] == "en"
    assert "Set-Cookie" not in client.get("/?lang=tlh").headers


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("ja", "ja"), ("ja-JP,en;q=0.5", "ja"), ("fr,ja;q=0.7,en;q=0.3", "ja"), ("en,ja;q=0.9", "en")]
    + [(other, "en") for other in ("", "fr", "*", "tlh;q=x", "ja;q=0")],
)
def test_else_the_browser_says_which(client: FlaskClient, accepted: str, language: str) -> None:
    answer = client.get("/about", headers={"Accept-Language": accepted})
    assert read_html(answer.text).one("html").attributes["lang"] == language
    assert {"Accept-Language", "Cookie"} <= set(answer.headers["Vary"].split(", "))
    assert "Set-Cookie" not in answer.headers


def test_what_is_kept_is_told_apart(client: FlaskClient) -> None:
    etag = client.get("/about").headers["ETag"]
    asked = {"If-None-Match": etag, "Accept-Language": "ja"}
    assert client.get("/about", headers=asked).status_code == 200
    assert client.get("/about", headers={"If-None-Match": etag}).status_code == 304


def test_programs_are_answered_in_english(japanese: FlaskClient) -> None:
    asked = {"Accept-Language": "ja"}
    for address in ("/api/v1/recommendations?source=anilist&username=", "/api/v1/anime/x", "/api/"):
        answer = japanese.get(address, headers=asked)
        assert answer.get_json()["detail"].isascii() or "“" in answer.get_json()["detail"]
        assert not re.search("[ぁ-ん一-龠]", answer.text)
        assert "Content-Language" not in answer.headers
    user = "/user/anilist/Regular?format="
    assert "Match" not in japanese.get(f"{user}json").text
    for file_format in ("csv", "json", "atom", "ics"):
        english = japanese.get(user + file_format, headers={"Cookie": ""}).get_data()
        japanese.set_cookie("lang", "ja")
        assert japanese.get(user + file_format).get_data() == english


def test_each_language_is_a_link_away(client: FlaskClient) -> None:
    page = read_html(client.get("/picks/250-9?order=score&lang=en").text)
    for code, name in LANGUAGES.items():
        (link,) = page.one("footer").all("a", hreflang=code)
        assert (link.text, link.attributes["lang"]) == (name, code)
        (alternate,) = page.all("link", rel="alternate", hreflang=code)
        assert alternate.attributes["href"].endswith(link.attributes["href"])
        there = client.get(link.attributes["href"])
        assert read_html(there.text).one("html").attributes["lang"] == code
    assert "order=score" in link.attributes["href"]
    (current,) = (each for each in page.one("footer").all("a") if "aria-current" in each.attributes)
    assert current.text == "English"


@pytest.mark.parametrize(
    "address",
    [
        "/?endpoint=x&_scheme=javascript&_external=1&_anchor=y&_method=POST",
        "/pick?q=%E7%99%BA%20%26%2B%3C&q=2&lang=ja&lang=en",
        "/user/anilist/no%2Fsuch%25one%3F?n=5",
    ],
)
def test_the_other_language_is_at_the_same_address(client: FlaskClient, address: str) -> None:
    page = read_html(client.get(address).text)
    links = page.one("footer").all("a", hreflang="ja")
    parts, asked = urlsplit(links[0].attributes["href"]), urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("", "")
    assert unquote(parts.path) == unquote(asked.path)
    others = [pair for pair in parse_qsl(asked.query) if pair[0] != "lang"]
    assert parse_qsl(parts.query) == [*others, ("lang", "ja")]


def test_an_upload_leads_home_in_another_language(client: FlaskClient) -> None:
    page = read_html(client.post("/upload").text)
    links = [each.attributes["href"] for each in page.one("footer").all("a", hreflang="ja")]
    assert links == ["/?lang=ja"]


def test_an_error_of_a_list_is_said_in_the_language_of_who_reads_it(client: FlaskClient) -> None:
    english = client.get("/user/anilist/Nobody99").text
    assert "AniList has no user called Nobody99" in english
    for _ in range(2):  # the second is remembered
        page = client.get("/user/anilist/Nobody99", headers={"Accept-Language": "ja"})
        assert "AniListにNobody99というユーザーはいません" in page.text
        assert page.status_code == 404


@pytest.mark.usefixtures("in_japanese")
def test_numbers_days_and_plurals_are_those_of_the_language() -> None:
    assert format_number(1234567) == "1,234,567"
    assert format_day("2026-11-28") == "2026年11月28日"
    assert ngettext("%(count)s title", "%(count)s titles", 1) == "1作品"
    assert ngettext("%(count)s title", "%(count)s titles", 1234) == "1,234作品"
    assert gettext("Picks for %(owner)s", owner="100 %") == "100 %へのおすすめ"


def test_the_way_of_writing_is_known() -> None:
    assert [text_direction(each) for each in ("en", "ja", "ar")] == ["ltr", "ltr", "rtl"]


def test_who_reads_english_loads_no_babel(tiny_model: Path) -> None:
    code = (
        "import sys\n"
        "from app import create_app\n"
        "from app.settings import AppSettings\n"
        "client = create_app(AppSettings(model=sys.argv[1])).test_client()\n"
        "assert client.get('/about').status_code == 200\n"
        "assert 'babel' not in sys.modules\n"
        "assert 'しくみ' in client.get('/about?lang=ja').text\n"
    )
    subprocess.run([sys.executable, "-c", code, tiny_model], cwd=PROJECT_ROOT, check=True)


def test_a_message_on_a_page_escapes_what_is_filled_in(app: Flask) -> None:
    link = Markup("<a>b</a>")

    def render(source: str) -> str:
        return app.jinja_env.from_string(source).render(title="<b>", link=link)

    assert render('{{ _("Close") }}') == "Close"
    assert render('{{ _("%(title)s, 5 %%", title=title) }}') == "&lt;b&gt;, 5 %"
    assert render('{{ _("5 %%") }}') == "5 %"
    assert render('{{ _("%(link)s!", link=link) }}') == f"{link}!"
    for count, said in ((1, "1 of &lt;b&gt;"), (2, "2 are &lt;b&gt;")):
        counted = f'"1 of %(title)s", "%(num)s are %(title)s", {count}, title=title'
        assert render(f"{{{{ ngettext({counted}) }}}}") == said
        block = "{{ n }} of {{ title }}{% pluralize %}{{ n }} are {{ title }}"
        assert render(f"{{% trans n={count}, title=title %}}{block}{{% endtrans %}}") == said


def test_what_is_refused_is_told_in_one_language(client: FlaskClient) -> None:
    answer = client.get("/example?n=101&lang=ja")
    assert answer.status_code == 400
    assert "「n」" in answer.text
    assert "whole number" not in answer.text
    assert "whole number" in client.get("/example?n=101&lang=en").text
