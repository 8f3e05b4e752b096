"""What browsers and search engines ask of every site: what to index, and how to install it."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template, url_for

from app.web.request_costs import Cost, rate_limited
from app.web.state import get_library
from app.web.views.responses import PUBLIC_HOUR

blueprint = Blueprint("site", __name__)

MAX_ADDRESSES = 50_000
"""What one site map may hold (sitemaps.org)."""
ABOUT_SOMEBODY = ("/user/", "/favourites/", "/fans/", "/together/", "/picks", "/recommend", "/api/")
PAGES = (
    *("pages.show_home", "pages.show_example", "picks.show_picker"),
    *("seasons.show_current_season", "about.show_about"),
)


@blueprint.get("/robots.txt")
@rate_limited(Cost.PAGE)
def get_robots() -> Response:
    """Tell crawlers to stay away from pages about somebody's list."""
    page = render_template("robots.txt", paths=ABOUT_SOMEBODY)
    return _file(page, "text/plain")


@blueprint.get("/sitemap.xml")
@rate_limited(Cost.PAGE)
def get_sitemap() -> Response:
    """List the pages that are about anime and not about somebody."""
    library = get_library()
    shown = library.model.anime_id[library.shown_mask(adult=False)].tolist()
    addresses = [url_for(endpoint) for endpoint in PAGES]
    addresses += [url_for("anime.show_anime", anime_id=anime_id) for anime_id in shown]
    page = render_template("sitemap.xml", addresses=addresses[:MAX_ADDRESSES])
    return _file(page, "application/xml")


@blueprint.get("/manifest.webmanifest")
@rate_limited(Cost.PAGE)
def get_manifest() -> Response:
    """Describe Hakken to who installs it as an app."""
    icon = {"src": url_for("static", filename="favicon.svg"), "type": "image/svg+xml"}
    manifest = {
        "name": "Hakken",
        "short_name": "Hakken",
        "description": "What to watch next, and why.",
        "start_url": url_for("pages.show_home"),
        "scope": url_for("pages.show_home"),
        "display": "standalone",
        "background_color": "#f6f6f4",
        "theme_color": "#ffd21f",
        "icons": [{**icon, "sizes": "any", "purpose": purpose} for purpose in ("any", "maskable")],
    }
    return _file(json.dumps(manifest), "application/manifest+json")


def _file(text: str, mimetype: str) -> Response:
    response = Response(text, mimetype=mimetype)
    response.headers["Cache-Control"] = PUBLIC_HOUR
    return response
