"""Hakken, the web application. ``create_app`` is the factory; ``app.wsgi`` is what a server loads.

Flask is imported inside the factory, so that ``import app.recommender`` stays as light as it looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.settings import AppSettings

VERSION = "0.2.0"


def create_app(settings: AppSettings | None = None) -> Flask:
    """Build the application; without ``settings`` they are read from the environment.

    A model that cannot be opened does not stop the start: the pages then say that Hakken is being
    updated, and ``/readyz`` tells the reason. Raises SettingsError: a variable has a value that
    cannot be used.
    """
    from app.settings import load_settings
    from app.web import build_app

    return build_app(settings or load_settings(), VERSION)
