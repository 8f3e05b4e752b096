"""The pages. All state of a view stands in its address, so that it can be shared and reloaded."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

from flask import (
    Blueprint,
    Response,
    abort,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from app.lists.entry import AnimeList
from app.recommendation_json import recommendations_to_json
from app.web.presenters.export import export_response
from app.web.presenters.results import build_results_page
from app.web.presenters.taste_summary import summarize_taste
from app.web.problems import problem_types_by_slug
from app.web.request_costs import Cost, rate_limited
from app.web.requests.pick_list import format_picks, parse_picks, picks_to_anime_list
from app.web.requests.query import (
    QueryOptions,
    TitleLanguage,
    parse_page_query,
    parse_title_language,
    to_page_query,
)
from app.web.requests.upload import (
    MAX_UPLOAD_BYTES,
    deserialize_list,
    drain_body,
    parse_uploaded_export,
    serialize_list,
)
from app.web.services.example_lists import EXAMPLE_LIST
from app.web.services.recommend import (
    fetch_list_or_empty,
    recommend_and_record,
    resolve_source,
    to_user_list,
)
from app.web.state import get_app_state, get_library
from app.web.views.streaming import ListFetch, stream_page

blueprint = Blueprint("pages", __name__)

SUBMITTED = "apply"
"""The argument that the form above the results adds: what it sends has a shorter address."""


@blueprint.get("/")
@rate_limited(Cost.PAGE)
def show_home() -> Response:
    """Where everything starts. ``?source=`` preselects a site."""
    library = get_library()
    response = make_response(
        render_template(
            "home.html",
            sources=library.sources,
            source=request.args.get("source", ""),
            english=parse_title_language(request.args) is TitleLanguage.ENGLISH,
            anime=len(library.model),
            data_date=library.model.manifest.created[:10],
        )
    )
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/recommend")
@rate_limited(Cost.PAGE)
def redirect_to_results() -> AnyResponse:
    """The form leads here, and from here to the address of the results."""
    library = get_library()
    source, username = resolve_source(
        library, request.args.get("source", ""), request.args.get("username", "")
    )
    query = to_page_query(parse_page_query(request.args))
    return redirect(
        url_for(".show_user_recommendations", source=source.slug, username=username, **query), 303
    )


@blueprint.get("/user/<source>/<path:username>")
@rate_limited(Cost.LIST)
def show_user_recommendations(source: str, username: str) -> str | AnyResponse:
    """What to watch next for a user of another site."""
    library = get_library()
    if source not in library.sources:
        abort(404)
    options = parse_page_query(request.args)

    def url_for_options(wanted: QueryOptions) -> str:
        return url_for(
            ".show_user_recommendations", source=source, username=username, **to_page_query(wanted)
        )

    if SUBMITTED in request.args:
        return redirect(url_for_options(options), 303)
    site = library.sources[source]

    def render_page(anime_list: AnimeList, part: str | None = None) -> str | AnyResponse:
        name = anime_list.username or username
        list_url = site.list_url(name)
        query = to_page_query(options)
        favourites_url = url_for(
            "favourites.show_favourites", source=source, username=username, **query
        )
        return _render_results(
            anime_list,
            options,
            url_for_options=url_for_options,
            display_name=name,
            site_name=site.name,
            list_url=list_url,
            part=part,
            favourites_url=favourites_url,
        )

    wait_seconds = get_app_state().settings.list_grace
    fetching = ListFetch(lambda report: fetch_list_or_empty(site, username, report))
    # What is kept as a file must have the right status, as must what only asks for the status.
    if "format" in request.args or request.method == "HEAD" or fetching.wait(wait_seconds):
        return render_page(fetching.result())
    return stream_page(fetching, render_page, name=username, source=site)


@blueprint.get("/example")
@rate_limited(Cost.PAGE)
def show_example() -> str | AnyResponse:
    """The same page for a made-up list."""
    options = parse_page_query(request.args)

    def url_for_options(wanted: QueryOptions) -> str:
        return url_for(".show_example", **to_page_query(wanted))

    if SUBMITTED in request.args:
        return redirect(url_for_options(options), 303)
    return _render_results(EXAMPLE_LIST, options, url_for_options=url_for_options, is_example=True)


@blueprint.get("/picks/<picks>")
@rate_limited(Cost.PAGE)
def show_picked_recommendations(picks: str) -> str | AnyResponse:
    """What to watch next for anime that were picked by hand; they are in the address itself."""
    scores_by_id = parse_picks(picks)
    options = parse_page_query(request.args)

    def url_for_options(wanted: QueryOptions) -> str:
        return url_for(
            ".show_picked_recommendations",
            picks=format_picks(scores_by_id),
            **to_page_query(wanted),
        )

    if SUBMITTED in request.args:
        return redirect(url_for_options(options), 303)
    edit_url = url_for("picks.show_picker", picks=format_picks(scores_by_id))
    return _render_results(
        picks_to_anime_list(scores_by_id),
        options,
        url_for_options=url_for_options,
        edit_url=edit_url,
    )


@blueprint.post("/upload")
@rate_limited(Cost.LIST)
def post_upload() -> str | AnyResponse:
    """Results for an uploaded export; the answer itself, because nothing is kept to redirect to."""
    request.max_content_length = MAX_UPLOAD_BYTES
    try:
        form, files = request.form, request.files
    except RequestEntityTooLarge:
        drain_body(request)
        raise
    options = parse_page_query(_parse_choice(form["choice"]) if "choice" in form else form)
    if "list" in form:
        anime_list = deserialize_list(form["list"], get_app_state().settings.max_list_length)
    else:
        anime_list = parse_uploaded_export(files.get("export"))
    return _render_results(
        anime_list,
        options,
        uploaded_list=serialize_list(anime_list),
        display_name=anime_list.username,
    )


@blueprint.get("/upload")
@rate_limited(Cost.PAGE)
def redirect_to_upload_form() -> AnyResponse:
    """Reached by reloading or pasting the address of an upload's result: start over."""
    return redirect(url_for(".show_home", _anchor="upload"), 303)


@blueprint.get("/problems/<slug>")
@rate_limited(Cost.PAGE)
def show_problem_type(slug: str) -> str:
    """What the ``type`` of an API problem means."""
    kind = problem_types_by_slug().get(slug) or abort(404)
    return render_template("problem.html", kind=kind)


def _parse_choice(text: str) -> dict[str, str]:
    """The options that a button of an upload's result page stands for, as in an address."""
    return dict(parse_qsl(text))


def _render_results(
    anime_list: AnimeList,
    options: QueryOptions,
    *,
    url_for_options: Callable[[QueryOptions], str] | None = None,
    uploaded_list: str | None = None,
    display_name: str | None = None,
    site_name: str | None = None,
    list_url: str | None = None,
    is_example: bool = False,
    edit_url: str | None = None,
    part: str | None = None,
    favourites_url: str | None = None,
) -> str | AnyResponse:
    library = get_library()
    filtered = recommend_and_record(library, to_user_list(anime_list), options, anime_list.unmapped)
    arguments = request.args if url_for_options else _parse_choice(request.form.get("choice", ""))
    if "format" in arguments:
        body = recommendations_to_json(filtered.result, library.catalogue, english=options.english)
        return export_response(arguments["format"], body)
    return render_template(
        "results.html",
        part=part,
        results=build_results_page(library, filtered, anime_list, options),
        beside=favourites_url if anime_list.favourites else None,
        taste=summarize_taste(library.model, library.attributes, filtered.result.profile),
        address=url_for_options,
        action=url_for_options and url_for_options(QueryOptions()),
        carried=uploaded_list,
        page_query=to_page_query,
        name=display_name,
        site=site_name,
        link=list_url,
        sample=is_example,
        edit=edit_url,
        crowd=bool(library.model.training_users),
        source=anime_list.source,
        age=anime_list.age,
    )
