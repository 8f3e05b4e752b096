"""The routes: pages, JSON API, health, errors, security headers."""

from __future__ import annotations

from flask import Flask

from app.observability import error_reports
from app.settings import PROJECT_ROOT, AppSettings
from app.web import errors
from app.web.middleware import access_log, assets, caching, clients, compression, cors, preview
from app.web.middleware import headers as security
from app.web.middleware import rate_limits as limits
from app.web.requests.upload import InMemoryRequest
from app.web.state import open_app_state
from app.web.views import about, anime, details, favourites, health, metrics, openapi, picks
from app.web.views import pair as together
from app.web.views import recommendations as pages
from app.web.views import recommendations_api as api
from app.web.views import similar_users as fans

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Bytes of a request; an upload may be larger (`app.web.requests.upload.MAX_UPLOAD_BYTES`)."""


def build_app(settings: AppSettings, version: str) -> Flask:
    """The Flask application, with the model opened and everything registered."""
    if settings.sentry_dsn:
        error_reports.init_sentry(settings.sentry_dsn, version)
    app = Flask(
        "app",
        root_path=str(PROJECT_ROOT / "app"),
        template_folder=str(PROJECT_ROOT / "templates"),
        static_folder=str(PROJECT_ROOT / "static"),
    )
    app.request_class = InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.config["MAX_FORM_PARTS"] = 250  # every filter, and a score on each of a hundred cards
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions["hakken"] = state = open_app_state(settings, version)
    app.before_request(state.start_polling)  # where the server has no hook to do so earlier
    for extension in (access_log, metrics, errors, assets, compression, caching):
        extension.init_app(app)
    for extension_with_settings in (security, clients, limits):
        extension_with_settings.init_app(app, settings)
    cors.init_app(app, settings)
    preview.init_app(app, settings)
    for blueprint in (
        pages.blueprint,
        api.blueprint,
        anime.blueprint,
        about.blueprint,
        details.blueprint,
        picks.blueprint,
        together.blueprint,
        fans.blueprint,
        favourites.blueprint,
        openapi.blueprint,
        health.blueprint,
        metrics.blueprint,
    ):
        app.register_blueprint(blueprint)
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)  # compiled now, not for the first visitor
    return app
