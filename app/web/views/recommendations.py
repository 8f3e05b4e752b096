"""The pages of recommendations. All state stands in the address, to be shared and reloaded."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from app.card_images import CardShape
from app.lists.entry import AnimeList
from app.lists.files import place_entries
from app.translation import in_english
from app.web.presenters.answers import recommendations_answer
from app.web.presenters.results import build_results_page
from app.web.presenters.share_card import build_taste_card
from app.web.presenters.taste_summary import summarize_taste
from app.web.problems import problem_types_by_slug
from app.web.request_costs import Cost, rate_limited
from app.web.requests.pick_list import (
    add_tapped_picks,
    format_picks,
    parse_picks,
    picks_to_anime_list,
)
from app.web.requests.query import (
    QueryOptions,
    ResultsOptions,
    parse_page_query,
    parse_title_language,
    title_query,
    to_page_query,
)
from app.web.requests.upload import (
    MAX_UPLOAD_BYTES,
    deserialize_list,
    drain_body,
    parse_choice,
    parse_uploaded_file,
    serialize_list,
)
from app.web.services.example_lists import EXAMPLE_LIST
from app.web.services.recommendations import SURPRISES, draw_surprise, recommend_and_record
from app.web.services.shelves import Shelf, build_shelves, has_shelves
from app.web.services.showcase import begins_since, current_season, known_anime, season_anime
from app.web.services.user_lists import resolve_user, to_user_list
from app.web.state import get_app_state, get_library
from app.web.views.responses import (
    ATOM,
    CALENDAR,
    SUBMITTED,
    card_response,
    current_page_url,
    export_response,
    feed_response,
    get_source_or_404,
    page_response,
    user_page_url,
)
from app.web.views.streaming import ListPage
from app.web.views.visitors import account_context, refer_to_user, take_notices

blueprint = Blueprint("pages", __name__)

HOME_WALL = 24
"""How many posters the home page has to tap."""


class UserResultsPage(ListPage):
    """What to watch next for a user of another site."""

    options: ResultsOptions

    def render(self, anime_list: AnimeList, part: str | None = None) -> str | AnyResponse:
        """Render the page, or only what comes after its frame."""
        source, username = self.user.source, self.user.username
        name = anime_list.username or username
        beside = None
        if anime_list.favourites:
            endpoint = "favourites.show_favourites"
            beside = user_page_url(endpoint, source.slug, username, self.options)
        return _respond(
            anime_list,
            self.options,
            part=part,
            name=name,
            site=source.name,
            read_from=source.describe_channel(anime_list.channel),
            link=source.list_url(name),
            beside=beside,
            notices=take_notices(),
            **(account_context() if self.user.token else {}),
        )


@blueprint.get("/")
@rate_limited(Cost.PAGE)
def show_home() -> Response:
    """Show where everything starts; ``?source=`` preselects a site."""
    title_language = parse_title_language(request.args)
    library = get_library().in_language(title_language)
    season, this_season = season_anime(library)
    account = account_context()
    page = render_template(
        "home.html",
        sources=library.sources,
        source=request.args.get("source", ""),
        title_language=title_language,
        wall_tiles=known_anime(library, HOME_WALL),
        season=season,
        season_tiles=this_season,
        anime=len(library.model),
        data_date=library.model.manifest.created[:10],
        **account,
    )
    return page_response(page, "private, no-store" if account else "no-cache")


@blueprint.get("/recommend")
@rate_limited(Cost.PAGE)
def redirect_to_results() -> AnyResponse:
    """Lead on from the form to the address of the results."""
    typed = request.args
    user = resolve_user(get_library(), typed.get("source", ""), typed.get("username", ""))
    endpoint, options = ".show_user_recommendations", parse_page_query(typed, ResultsOptions)
    return redirect(user_page_url(endpoint, user.source.slug, user.username, options), 303)


@blueprint.get("/user/<source>/<path:username>")
@rate_limited(Cost.LIST)
def show_user_recommendations(source: str, username: str) -> str | AnyResponse:
    """Show what to watch next for a user of another site."""
    user = refer_to_user(get_source_or_404(source), username)
    options = parse_page_query(request.args, ResultsOptions)
    if SUBMITTED in request.args:
        return redirect(current_page_url(options), 303)
    # What is kept as a file must have the right status.
    return UserResultsPage(user, options).respond(stream="format" not in request.args)


@blueprint.get("/example")
@rate_limited(Cost.PAGE)
def show_example() -> str | AnyResponse:
    """Show the same page for a made-up list."""
    options = parse_page_query(request.args, ResultsOptions)
    if SUBMITTED in request.args:
        return redirect(current_page_url(options), 303)
    return _respond(EXAMPLE_LIST, options, sample=True)


@blueprint.get("/picks")
@rate_limited(Cost.PAGE)
def redirect_to_picks() -> AnyResponse:
    """Lead on from posters that were tapped to the picks for them."""
    typed, catalogue = request.args, get_library().catalogue
    picks = add_tapped_picks(parse_picks(typed.get("picks", "")), catalogue, typed)
    kept = title_query(parse_title_language(typed))
    if not picks:
        return redirect(url_for("picks.show_picker", **kept), 303)
    return redirect(url_for(".show_picked_recommendations", picks=format_picks(picks), **kept), 303)


@blueprint.get("/picks/<picks>")
@rate_limited(Cost.PAGE)
def show_picked_recommendations(picks: str) -> str | AnyResponse:
    """Show what to watch next for picks; they are in the address itself."""
    scores_by_id = parse_picks(picks)
    options = parse_page_query(request.args, ResultsOptions)
    if SUBMITTED in request.args:
        return redirect(current_page_url(options), 303)
    picks = format_picks(scores_by_id)
    edit_url = url_for("picks.show_picker", picks=picks, **title_query(options.title))
    return _respond(picks_to_anime_list(scores_by_id), options, edit=edit_url)


@blueprint.post("/upload")
@rate_limited(Cost.LIST)
def post_upload() -> str | AnyResponse:
    """Show the results for a file; nothing is kept that could be redirected to."""
    request.max_content_length = MAX_UPLOAD_BYTES
    try:
        form, files = request.form, request.files
    except RequestEntityTooLarge:
        drain_body(request)
        raise
    choice = parse_choice(form["choice"]) if "choice" in form else form
    max_entries = get_app_state().settings.max_list_length
    if "list" in form:
        anime_list = deserialize_list(form["list"], max_entries)
    else:
        library = get_library()
        file_list = parse_uploaded_file(files.get("export"), max_entries)
        anime_list = place_entries(file_list, library.catalogue, library.title_index)
    options = parse_page_query(choice, ResultsOptions)
    context = {"carried": serialize_list(anime_list), "name": anime_list.username}
    return _render_or_export(anime_list, options, choice.get("format"), context)


@blueprint.get("/upload")
@rate_limited(Cost.PAGE)
def show_upload_again() -> str:
    """Show an upload's result again, with what the tab kept; where it is pasted, start over."""
    return render_template("reupload.html")


@blueprint.get("/problems/<slug>")
@rate_limited(Cost.PAGE)
def show_problem_type(slug: str) -> str:
    """Show what the ``type`` of an API problem means."""
    kind = problem_types_by_slug().get(slug) or abort(404)
    return render_template("problem.html", kind=kind)


def _respond(
    anime_list: AnimeList, options: ResultsOptions, *, part: str | None = None, **context: Any
) -> str | AnyResponse:
    """Answer with the page, or with the file that is asked for."""
    context |= {"part": part, "address": current_page_url}
    context["action"] = current_page_url(QueryOptions())
    return _render_or_export(anime_list, options, request.args.get("format"), context)


def _render_or_export(
    anime_list: AnimeList, options: ResultsOptions, file_format: str | None, context: dict[str, Any]
) -> str | AnyResponse:
    library, user_list = get_library().in_language(options.title), to_user_list(anime_list)
    asked, allowed = options, None
    if file_format == CALENDAR:
        # All that begins, not the page that leads here: the best of all times are rarely on air.
        asked = options.with_changes(top=len(library.model), offset=0, surprise=None)
        allowed = begins_since(library, current_season(library))
    elif options.surprise is not None:
        asked = options.with_changes(top=SURPRISES)
    with in_english() if file_format == "json" else nullcontext():  # which names filters
        filtered = recommend_and_record(library, user_list, asked, anime_list.unmapped, allowed)
    if asked.surprise is not None and options.surprise is not None:
        # It is drawn from more than the page shows, which the page's links need not know.
        filtered = filtered.with_top(options.top)
        filtered = replace(filtered, result=draw_surprise(filtered.result, options.surprise))
    result = filtered.result
    answer = recommendations_answer(library, filtered, options, anime_list.source)
    if file_format in tuple(CardShape):
        card = build_taste_card(
            library, result, answer, context.get("name"), is_example=context.get("sample", False)
        )
        return card_response(card, CardShape(file_format), anime_list)
    if file_format in (ATOM, CALENDAR):
        return feed_response(file_format, answer, anime_list, current_page_url(options))
    if file_format is not None:
        return export_response(file_format, answer, ATOM, CALENDAR, *CardShape)
    shelves: list[Shelf] = []
    if answer.personal and has_shelves(options):
        shelves = build_shelves(library, filtered.estimates, options, result)
    return render_template(
        "results.html",
        shelves=shelves,
        results=build_results_page(library, filtered, answer, anime_list, options),
        taste=summarize_taste(library.model, library.attributes, result.profile),
        page_query=to_page_query,
        crowd=bool(library.model.training_users),
        has_tvdb_ids=library.catalogue.has_tvdb_ids,
        source=anime_list.source,
        age=anime_list.age,
        private=anime_list.is_private,
        **context,
    )
