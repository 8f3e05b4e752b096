"""``/oauth``: signing in at a list site to have a private list read, and adding picks to it.

Only where the operator has registered Hakken there (`docs/sources.md`); else all of it is 404.
"""

from __future__ import annotations

import hmac
import secrets
import time

from flask import Blueprint, abort, flash, redirect, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.catalogue import Anime
from app.lists import ListSource
from app.lists.errors import PlanNotSaved, SignInFailed, SignInReason, SourceDown, TitleNotThere
from app.lists.sign_in import SignIn
from app.translation import gettext
from app.web.addresses import own_origin
from app.web.request_costs import Cost, rate_limited
from app.web.requests.query import ResultsOptions, parse_page_query
from app.web.requests.upload import parse_choice
from app.web.services.anime import find_anime
from app.web.state import get_library
from app.web.views.responses import get_source_or_404, user_page_url
from app.web.views.visitors import SignedInFan, remember_fan, require_own_form

blueprint = Blueprint("sign_in", __name__, url_prefix="/oauth/<source>")

BEGUN_SECONDS = 600.0
"""How long a fan may take at the site."""
MAX_CODE_LENGTH = 4_096
_BEGUN = "sign_in"
_PICKS = "pages.show_user_recommendations"


@blueprint.get("")
@rate_limited(Cost.PAGE)
def begin(source: str) -> AnyResponse:
    """Send the fan to the site, to be asked there."""
    _, sign_in = _site_or_404(source)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    session[_BEGUN] = {"source": source, "state": state, "verifier": verifier, "at": time.time()}
    session.permanent = True
    return redirect(sign_in.authorize_url(_redirect_uri(source), state, verifier))


@blueprint.get("/callback")
@rate_limited(Cost.LIST)
def finish(source: str) -> AnyResponse:
    """Take the fan back from the site, signed in, and lead on to the fan's picks."""
    site, sign_in = _site_or_404(source)
    verifier = _take_verifier(site)
    code = request.args.get("code", "")
    if not 0 < len(code) <= MAX_CODE_LENGTH:
        denied = request.args.get("error") == "access_denied"
        reason = SignInReason.DENIED if denied else SignInReason.REFUSED
        raise SignInFailed(source=site.name, reason=reason)
    signed_in = sign_in.finish(code, _redirect_uri(source), verifier)
    remember_fan(
        SignedInFan(site, signed_in.name, signed_in.token, time.time() + signed_in.seconds)
    )
    return redirect(user_page_url(_PICKS, source, signed_in.name, ResultsOptions()), 303)


@blueprint.post("/plan")
@rate_limited(Cost.LIST)
def add_to_plan(source: str) -> AnyResponse:
    """Put a pick on the fan's plan to watch at the site, and say so above the picks."""
    site, sign_in = _site_or_404(source)
    fan = require_own_form(site)
    number = request.form.get("anime_id", type=int) or abort(400)
    anime, _ = find_anime(get_library(), number)
    options = parse_page_query(parse_choice(request.form.get("page", "")), ResultsOptions)
    flash(_add_to_plan(fan, sign_in, anime.called(options.title)))
    return redirect(user_page_url(_PICKS, source, fan.name, options), 303)


@blueprint.post("/sign-out")
@rate_limited(Cost.LIST)
def sign_out(source: str) -> AnyResponse:
    """Forget the token; the site still lists Hakken among what the fan has let in."""
    site, _ = _site_or_404(source)
    require_own_form(site)
    session.clear()
    return redirect(url_for("pages.show_home", source=source), 303)


def _site_or_404(slug: str) -> tuple[ListSource, SignIn]:
    site = get_source_or_404(slug)
    return site, site.sign_in or abort(404)


def _redirect_uri(source: str) -> str:
    """Build the address that is registered at the site."""
    return own_origin() + url_for(".finish", source=source)


def _take_verifier(site: ListSource) -> str:
    """Return the verifier of a sign-in that was begun here and now ends, once.

    Raises SignInFailed: there is none in this browser that the site answers.
    """
    match session.pop(_BEGUN, None):
        case {"source": site.slug, "state": str(state), "verifier": str(verifier), "at": float(at)}:
            given = request.args.get("state", "")
            is_ours = hmac.compare_digest(state.encode(), given.encode("utf-8", "replace"))
            if is_ours and 0 <= time.time() - at <= BEGUN_SECONDS:
                return verifier
    raise SignInFailed(source=site.name, reason=SignInReason.NOT_BEGUN)


def _add_to_plan(fan: SignedInFan, sign_in: SignIn, anime: Anime) -> str:
    """Ask the site, and say what has become of it; raises ListError."""
    told = {"title": anime.title, "site": fan.source.name}
    site_id = getattr(anime, sign_in.id_field)
    if site_id is None:
        raise TitleNotThere(source=fan.source.name, title=anime.title)
    try:
        is_added = sign_in.add_to_plan(fan.token, site_id, anime.title)
    except SourceDown as error:
        raise PlanNotSaved(source=fan.source.name, title=anime.title, cause=error) from error
    if is_added:
        return gettext("%(title)s is on your plan to watch on %(site)s.", **told)
    return gettext("%(title)s is on your list on %(site)s already, and stays as it is.", **told)
