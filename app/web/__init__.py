"""The routes: pages, JSON API, health, errors, security headers.

``views`` answer requests; ``requests`` read them, ``services`` find the answers, ``presenters``
word them. Only views, middleware, ``state`` and ``errors`` know Flask.
"""

from __future__ import annotations

from flask import Flask

from app.lists.sign_in import MAX_STAY_SECONDS
from app.observability import error_reports, tracing
from app.settings import PROJECT_ROOT, AppSettings
from app.shipped import find_shipped
from app.web import errors, templates
from app.web.middleware import (
    clients,
    compression,
    headers,
    language,
    rate_limits,
    request_body,
    request_context,
)
from app.web.presenters import takeaway, text
from app.web.requests.query import default_title_language, title_query
from app.web.state import AppState, find_picture, keep_card_part
from app.web.views import (
    about,
    anime,
    favourites,
    health,
    openapi,
    pair,
    picks,
    players,
    recommendations,
    recommendations_api,
    seasons,
    sign_in,
    similar_users,
    site_files,
)

VIEWS = (
    recommendations,
    recommendations_api,
    anime,
    about,
    picks,
    seasons,
    pair,
    similar_users,
    favourites,
    players,
    sign_in,
    openapi,
    health,
    site_files,
)


def build_app(settings: AppSettings, version: str) -> Flask:
    """Build the Flask application, with the model opened and everything registered."""
    if settings.sentry_dsn:
        error_reports.init_sentry(settings.sentry_dsn, version)
    tracing.init_tracing(version)
    app = Flask(
        "app",
        root_path=str(PROJECT_ROOT / "app"),
        template_folder=str(find_shipped("templates")),
        static_folder=str(find_shipped("static")),
    )
    app.jinja_env.filters |= text.FILTERS | takeaway.XML_FILTERS | {"picture": find_picture}
    app.jinja_env.globals |= {
        "default_title_language": default_title_language,
        "kept": keep_card_part,
        "other_title_languages": text.other_title_languages,
        "title_query": title_query,
    }
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    _init_session(app, settings)
    # Who develops should not wait for what keeps a damaged model from visitors.
    app.extensions["hakken"] = state = AppState(settings, version, is_tried=not app.debug)
    app.before_request(state.poller.start)  # where the server has no hook to do so earlier
    _init_middleware(app, settings)
    for view in VIEWS:
        app.register_blueprint(view.blueprint)
    app.jinja_env.bytecode_cache = templates.TemplateCache(app.jinja_env)
    for name in [] if app.debug else app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)  # compiled now, not for the first visitor
    return app


def _init_session(app: Flask, settings: AppSettings) -> None:
    """Keep who has signed in (`app.web.views.visitors`) in a cookie, if the operator wants that."""
    app.secret_key = settings.cookie_secret
    public = settings.public_url
    app.config.update(
        SESSION_COOKIE_NAME="fan",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=public is not None and public.scheme == "https",
        PERMANENT_SESSION_LIFETIME=MAX_STAY_SECONDS,
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def _init_middleware(app: Flask, settings: AppSettings) -> None:
    """Register everything around the views. What is registered last sees an answer first."""
    request_body.init_app(app)
    request_context.init_app(app)
    language.init_app(app)
    errors.init_app(app)
    templates.init_app(app)
    compression.init_app(app)
    headers.init_caching(app)
    headers.init_security(app, settings)
    clients.init_app(app, settings)
    rate_limits.init_app(app, settings)
    headers.init_cors(app, settings)
