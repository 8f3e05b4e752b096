"""Turns every error into an answer: a page for people, problem JSON for programs."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from typing import Any

from flask import Flask, Response, g, json, make_response, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app import error_reports
from app.lists.errors import ListError, SourceDown
from app.web.access_log import route
from app.web.pairing import PREFIXES, OneOfTwo
from app.web.problems import BUG, Problem, problem_of
from app.web.state import hakken

log = logging.getLogger(__name__)

API_PREFIX = "/api/"


def init_app(app: Flask) -> None:
    """Answer for every error that a route of ``app`` lets through."""
    app.register_error_handler(Exception, answer_error)


def answer_error(error: Exception) -> Response:
    """The response that an error deserves; what went wrong is logged, but never who asked."""
    if isinstance(error, RequestRedirect):
        return make_response(error.get_response())
    request_id = str(g.get("request_id", "unknown"))
    problem = problem_of(error, request_id)
    _log(error, problem, request_id)
    if request.path.startswith(API_PREFIX):
        response = _as_json(problem, request_id)
    else:
        response = make_response(_as_page(problem, error, request_id))
    response.status_code = problem.status
    response.headers.extend(problem.headers)
    return response


def error_ending(error: Exception) -> str:
    """The end of a page whose frame was sent before the error (`app.web.streaming`).

    It is too late for a status: the page says it, and for programs ``data-status`` and
    ``data-problem`` do.
    """
    request_id = str(g.get("request_id", "unknown"))
    problem = problem_of(error, request_id)
    _log(error, problem, request_id)
    return _as_page(problem, error, request_id, part="end")


def _as_json(problem: Problem, request_id: str) -> Response:
    kind = problem.kind
    body: dict[str, Any] = {
        "type": url_for("pages.problem", slug=kind.slug) if kind.slug else "about:blank",
        "title": kind.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.faults:
        body["errors"] = [fault._asdict() for fault in problem.faults]
    body["request_id"] = request_id
    return Response(json.dumps(body), mimetype="application/problem+json")


def _as_page(problem: Problem, error: Exception, request_id: str, part: str | None = None) -> str:
    library = hakken().library
    return render_template(
        "error.html",
        part=part,
        problem=problem,
        request_id=request_id if problem.kind is BUG else None,
        sources=library.sources if library else {},
        username=_typed("username", error),
        source=_typed("source", error),
        fans=_fans(error),
        wrong=tuple(error.faults) if isinstance(error, OneOfTwo) else (),
        again=request.full_path.rstrip("?") if request.method == "GET" else None,
    )


def _typed(name: str, error: Exception) -> str:
    """What the visitor had put into a field of the form, so that it can be shown again."""
    found = (request.view_args or {}).get(name) or request.args.get(name)
    if not found and name == "username" and isinstance(error, ListError):
        found = error.username
    return str(found or "")


def _fans(error: Exception) -> list[tuple[str, str]] | None:
    """Site and name of both, if two fans were asked for."""
    if not isinstance(error, OneOfTwo):
        return None
    return [
        (_typed(f"{prefix}source", error), _typed(f"{prefix}username", error))
        for prefix in PREFIXES
    ]


def _log(error: Exception, problem: Problem, request_id: str) -> None:
    if isinstance(error, OneOfTwo):
        for fault in error.faults.values():
            _log(fault, problem_of(fault, request_id), request_id)
    elif isinstance(error, SourceDown):
        told = _anonymous(error.detail, error.username)
        log.warning("%s: %s: %s", problem.kind.slug, error.source, told)
    elif problem.kind is BUG:
        text = "".join(traceback.format_exception(*sys.exc_info())) or repr(error)
        log.error("request %s failed: %s", request_id, _anonymous(text, None))
        error_reports.report(error, request_id, route())
    elif not isinstance(error, HTTPException):
        log.info("%s", problem.kind.slug)


def _anonymous(text: str, username: str | None) -> str:
    """``text`` without the usernames that this request is known to be about."""
    names = {username}
    for prefix in PREFIXES:
        name = f"{prefix}username"
        names |= {(request.view_args or {}).get(name), request.args.get(name)}
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(re.escape(name), "(username)", text, flags=re.IGNORECASE)
    return text
