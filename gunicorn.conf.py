"""How gunicorn runs Hakken: ``gunicorn app.wsgi:app`` in this folder finds this file by itself."""

from app.gunicorn_conf import *  # noqa: F403
