"""What browsers and search engines ask of every site: what to index, and how to install it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Blueprint, Response, current_app, render_template, url_for

from app.translation import gettext
from app.web.request_costs import Cost, rate_limited
from app.web.state import get_library
from app.web.views.responses import PUBLIC_HOUR, page_response

blueprint = Blueprint("site", __name__)

MAX_ADDRESSES = 50_000
"""What one site map may hold (sitemaps.org)."""
KEPT_SUFFIXES = {".css", ".js", ".svg"}
"""Static files that every page may need; the service worker keeps them."""
PAGES = (
    *("pages.show_home", "pages.show_example", "picks.show_picker"),
    *("seasons.show_current_season", "about.show_about"),
)


@blueprint.get("/robots.txt")
@rate_limited(Cost.PAGE)
def get_robots() -> Response:
    """Tell crawlers to stay away from pages about somebody's list."""
    return _file(render_template("robots.txt"), "text/plain")


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
    said = gettext("What to watch next, and why.")
    return _file(
        render_template("manifest.webmanifest", description=said), "application/manifest+json"
    )


@blueprint.get("/worker.js")
@rate_limited(Cost.PAGE)
def get_service_worker() -> Response:
    """Send the service worker; it is another one when anything that it keeps has changed."""
    folder = Path(current_app.static_folder or "")
    names = sorted(each.name for each in folder.iterdir() if each.suffix in KEPT_SUFFIXES)
    script, offline = render_template("worker.js", names=names), render_template("offline.html")
    version = hashlib.sha256((script + offline).encode()).hexdigest()[:12]
    response = Response(f'const VERSION = "{version}";\n{script}', mimetype="text/javascript")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/offline")
@rate_limited(Cost.PAGE)
def show_offline() -> Response:
    """Show what the service worker shows when there is no connection."""
    return page_response(render_template("offline.html"), "no-cache")


def _file(text: str, mimetype: str) -> Response:
    response = Response(text, mimetype=mimetype)
    response.headers["Cache-Control"] = PUBLIC_HOUR
    return response
