"""Turns every error into an answer: a page for people, problem JSON for programs."""

from __future__ import annotations

import logging
import re
import sys
import traceback

from flask import (
    Flask,
    Response,
    current_app,
    g,
    make_response,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app.lists.errors import ListError, PlanNotSaved, SignInFailed, SignInReason, SourceDown
from app.observability import error_reports
from app.schemas.base import ProblemDetails, to_json
from app.web.addresses import current_address
from app.web.middleware.request_context import route_pattern
from app.web.problems import INTERNAL_ERROR, Problem, to_problem
from app.web.requests.query import MARKS, PAGE_OPTIONS
from app.web.requests.values import InvalidQuery
from app.web.services.pair_recommendations import PARAMETER_PREFIXES, PairListError
from app.web.state import get_app_state

log = logging.getLogger(__name__)

JSON_PREFIXES = ("/api/", "/stremio/", "/sonarr/")
"""Where programs ask, which are told what is wrong as JSON."""


def init_app(app: Flask) -> None:
    """Answer for every error that a route of ``app`` lets through."""
    app.register_error_handler(Exception, error_response)


def error_response(error: Exception) -> Response:
    """Turn an error into a response; what went wrong is logged, but never who asked."""
    if isinstance(error, RequestRedirect):
        return make_response(error.get_response())
    if _ends_sign_in(error):
        session.clear()
    problem, request_id = _take_note(error)
    if request.path.startswith(JSON_PREFIXES):
        response = _problem_json(problem, request_id)
    else:
        response = make_response(_problem_page(problem, error, request_id))
    response.status_code = problem.status
    response.headers.extend(problem.headers)
    return response


def error_page_end(error: Exception) -> str:
    """Render the end of a page whose frame was sent before the error (`app.web.views.streaming`).

    It is too late for a status: the page has it in ``data-status`` and ``data-problem``.
    """
    problem, request_id = _take_note(error)
    return _problem_page(problem, error, request_id, part="end")


def _take_note(error: Exception) -> tuple[Problem, str]:
    """Log what went wrong; return it, and the number by which it can be reported.

    A bug is let through where somebody develops (`scripts/serve --reload`).
    """
    request_id = str(g.get("request_id", "unknown"))
    problem = to_problem(error, request_id)
    _log_error(error, problem, request_id)
    if current_app.debug and problem.problem_type is INTERNAL_ERROR:
        raise error
    return problem, request_id


def _ends_sign_in(error: Exception) -> bool:
    """Whether the token in the visitor's cookie is good for nothing any more."""
    if isinstance(error, PairListError):
        return any(map(_ends_sign_in, error.list_errors.values()))
    return isinstance(error, SignInFailed) and error.reason is SignInReason.EXPIRED


def _problem_json(problem: Problem, request_id: str) -> Response:
    kind = problem.problem_type
    body = ProblemDetails(
        type=url_for("pages.show_problem_type", slug=kind.slug) if kind.slug else "about:blank",
        title=kind.title,
        status=problem.status,
        detail=problem.detail,
        errors=list(problem.field_errors) or None,
        request_id=request_id,
    )
    return Response(to_json(body), mimetype="application/problem+json")


def _problem_page(
    problem: Problem, error: Exception, request_id: str, part: str | None = None
) -> str:
    library = get_app_state().library
    return render_template(
        "error.html",
        part=part,
        problem=problem,
        request_id=request_id if problem.problem_type is INTERNAL_ERROR else None,
        sources=library.sources if library else {},
        username=_submitted_value("username", error),
        source=_submitted_value("source", error),
        fans=_submitted_pair(error),
        wrong=tuple(error.list_errors) if isinstance(error, PairListError) else (),
        also_asked=_also_asked(error),
        again=_address_to_try_again(),
    )


def _address_to_try_again() -> str | None:
    if request.method != "GET":
        return None
    if request.endpoint == "sign_in.finish":  # what it was asked with can be used only once
        return url_for("sign_in.begin", **(request.view_args or {}))
    return current_address()


def _submitted_value(field: str, error: Exception) -> str:
    """Find what the visitor had put into a field of the form, to show it again."""
    found = (request.view_args or {}).get(field) or request.args.get(field)
    if not found and field == "username" and isinstance(error, ListError):
        found = error.username
    return str(found or "")


def _also_asked(error: Exception) -> list[tuple[str, str]]:
    """Return the options that were asked for, to be asked for again with another name.

    What is marked belongs to the list of that fan, and what cannot be read would be refused again.
    """
    refused = error.field if isinstance(error, InvalidQuery) else None
    asked = request.args.items(multi=True)
    kept = PAGE_OPTIONS - MARKS - {refused}
    return [(name, value) for name, value in asked if name in kept]


def _submitted_pair(error: Exception) -> list[tuple[str, str]] | None:
    """Site and name of both, if it was about two users."""
    if not isinstance(error, PairListError):
        return None
    return [
        (_submitted_value(f"{prefix}source", error), _submitted_value(f"{prefix}username", error))
        for prefix in PARAMETER_PREFIXES
    ]


def _log_error(error: Exception, problem: Problem, request_id: str) -> None:
    if isinstance(error, PairListError):
        for each in error.list_errors.values():
            _log_error(each, to_problem(each, request_id), request_id)
    elif isinstance(error, SourceDown):
        redacted = _redact_usernames(error.detail, error.username)
        log.warning("%s: %s: %s", problem.problem_type.slug, error.source, redacted)
    elif isinstance(error, PlanNotSaved):
        _log_error(error.cause, to_problem(error.cause, request_id), request_id)
    elif problem.problem_type is INTERNAL_ERROR:
        text = "".join(traceback.format_exception(*sys.exc_info())) or repr(error)
        log.error("request %s failed: %s", request_id, _redact_usernames(text, None))
        error_reports.report_exception(error, request_id, route_pattern())
    elif not isinstance(error, HTTPException):
        log.info("%s", problem.problem_type.slug)


def _redact_usernames(text: str, username: str | None) -> str:
    """``text`` without the usernames that this request is known to be about."""
    names = {username}
    for prefix in PARAMETER_PREFIXES:
        name = f"{prefix}username"
        names |= {(request.view_args or {}).get(name), request.args.get(name)}
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(re.escape(name), "(username)", text, flags=re.IGNORECASE)
    return text
