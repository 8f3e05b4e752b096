"""Where fans of MyAnimeList and AniList let Hakken in: a page that asks, and tokens for codes."""

from __future__ import annotations

import json
import secrets
from html import escape
from urllib.parse import urlencode

from demo.data import DemoData, SignInCode
from demo.http_server import FakeResponse, RecordedRequest, json_response

MAL_PATH = "/v1/oauth2"
ANILIST_PATH = "/api/v2/oauth"
CLIENT_ID, CLIENT_SECRET = "demo", "the secret of the demo"
TOKEN_BYTES, TOKEN_SECONDS = 750, 31 * 24 * 3600
"""As long as those of both sites, in letters and in time."""


def respond_mal(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer of MyAnimeList's website, which wants a code verifier, as it is."""
    return _respond(path.removeprefix(MAL_PATH), request, data, wants_challenge=True)


def respond_anilist(path: str, request: RecordedRequest, data: DemoData) -> FakeResponse:
    """The answer of AniList's website, which knows of no verifiers."""
    return _respond(path.removeprefix(ANILIST_PATH), request, data, wants_challenge=False)


def _respond(
    step: str, request: RecordedRequest, data: DemoData, *, wants_challenge: bool
) -> FakeResponse:
    if step == "/token" and request.method == "POST":
        return _token_response(request.body or {}, data)
    if step != "/authorize":
        return json_response(404, {"error": "not_found"})
    asked = request.query
    challenge = asked.get("code_challenge", "")
    plain = asked.get("code_challenge_method", "plain") == "plain"
    if (
        asked.get("response_type") != "code"
        or asked.get("client_id") != CLIENT_ID
        or (wants_challenge and not (plain and 43 <= len(challenge) <= 128))
    ):
        return json_response(400, {"error": "invalid_request"})
    if request.method == "POST":
        return _consent_response(request.body or {}, asked, data)
    return _consent_page(request)


def _consent_page(request: RecordedRequest) -> FakeResponse:
    """Ask who the fan is, as nobody is known here, and whether Hakken may."""
    here = escape(f"{request.path}?{urlencode(request.query)}")
    page = f"""<!doctype html><html lang="en"><title>Let Hakken in?</title>
<form action="{here}" method="post">
<label>Who are you? <input name="name"></label>
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button>
</form></html>"""
    return FakeResponse(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _consent_response(form: dict[str, str], asked: dict[str, str], data: DemoData) -> FakeResponse:
    fan = data.find_by_name(form.get("name", ""))
    answer = {"state": asked["state"]} if "state" in asked else {}
    if form.get("answer") != "allow" or fan is None:
        answer |= {"error": "access_denied"}
    else:
        code = secrets.token_hex(40)
        challenge = asked.get("code_challenge", "")
        data.codes[code] = SignInCode(fan.name, CLIENT_ID, asked["redirect_uri"], challenge)
        answer |= {"code": code}
    return FakeResponse(302, b"", {"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})


def _token_response(form: dict[str, str], data: DemoData) -> FakeResponse:
    """A token for a code that is used for the first time, by whom it was made for."""
    if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        return json_response(401, {"error": "invalid_client"})
    code = data.codes.pop(form.get("code", ""), None)
    given = form.get("redirect_uri"), form.get("code_verifier", "")
    if (
        form.get("grant_type") != "authorization_code"
        or code is None
        or given != (code.redirect_uri, code.challenge)
    ):
        return json_response(400, {"error": "invalid_grant"})
    token = secrets.token_urlsafe(TOKEN_BYTES)
    data.tokens[token] = code.user_name
    body = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "access_token": token}
    return FakeResponse(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
