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

from app.answer import answer_as_json
from app.lists.entry import FanList
from app.web.answering import answer_noting, fetch_list, to_listed, where_to_look
from app.web.export import export
from app.web.options import Language, Options, page_query, read_language, read_page_query
from app.web.picked import as_list, read_picks, write_picks
from app.web.problems import all_kinds
from app.web.sample import SAMPLE
from app.web.state import hakken, library
from app.web.streaming import Fetching, stream_page
from app.web.taste import taste_of
from app.web.upload import MAX_UPLOAD, carry, drain, read_carried, read_export
from app.web.view import results

blueprint = Blueprint("pages", __name__)

SENT = "apply"
"""The argument that the form above the results adds: what it sends has a shorter address."""


@blueprint.get("/")
def home() -> Response:
    """Where everything starts. ``?source=`` preselects a site."""
    held = library()
    page = make_response(
        render_template(
            "home.html",
            sources=held.sources,
            source=request.args.get("source", ""),
            english=read_language(request.args) is Language.ENGLISH,
            anime=len(held.model),
            data_date=held.model.manifest.created[:10],
        )
    )
    page.headers["Cache-Control"] = "no-cache"
    return page


@blueprint.get("/recommend")
def find() -> AnyResponse:
    """The form leads here, and from here to the address of the results."""
    held = library()
    source, username = where_to_look(
        held, request.args.get("source", ""), request.args.get("username", "")
    )
    query = page_query(read_page_query(request.args))
    return redirect(url_for(".user", source=source.slug, username=username, **query), 303)


@blueprint.get("/user/<source>/<path:username>")
def user(source: str, username: str) -> str | AnyResponse:
    """What to watch next for a user of another site."""
    held = library()
    if source not in held.sources:
        abort(404)
    options = read_page_query(request.args)

    def address(wanted: Options) -> str:
        return url_for(".user", source=source, username=username, **page_query(wanted))

    if SENT in request.args:
        return redirect(address(options), 303)
    site = held.sources[source]

    def page(fan_list: FanList, part: str | None = None) -> str | AnyResponse:
        name = fan_list.username or username
        link = site.list_link(name)
        query = page_query(options)
        beside = url_for("favourites.of_user", source=source, username=username, **query)
        return _results_page(
            fan_list,
            options,
            address=address,
            name=name,
            site=site.name,
            link=link,
            part=part,
            beside=beside,
        )

    grace = hakken().settings.list_grace
    fetching = Fetching(lambda report: fetch_list(site, username, report))
    # What is kept as a file must have the right status, as must what only asks for the status.
    if "format" in request.args or request.method == "HEAD" or fetching.soon(grace):
        return page(fetching.result())
    return stream_page(fetching, page, name=username, source=site)


@blueprint.get("/example")
def example() -> str | AnyResponse:
    """The same page for a made-up list."""
    options = read_page_query(request.args)

    def address(wanted: Options) -> str:
        return url_for(".example", **page_query(wanted))

    if SENT in request.args:
        return redirect(address(options), 303)
    return _results_page(SAMPLE, options, address=address, sample=True)


@blueprint.get("/picks/<picks>")
def picked(picks: str) -> str | AnyResponse:
    """What to watch next for anime that were picked by hand; they are in the address itself."""
    chosen = read_picks(picks)
    options = read_page_query(request.args)

    def address(wanted: Options) -> str:
        return url_for(".picked", picks=write_picks(chosen), **page_query(wanted))

    if SENT in request.args:
        return redirect(address(options), 303)
    edit = url_for("picks.pick", picks=write_picks(chosen))
    return _results_page(as_list(chosen), options, address=address, edit=edit)


@blueprint.post("/upload")
def upload() -> str | AnyResponse:
    """Results for an uploaded export; the answer itself, because nothing is kept to redirect to."""
    request.max_content_length = MAX_UPLOAD
    try:
        form, files = request.form, request.files
    except RequestEntityTooLarge:
        drain(request)
        raise
    options = read_page_query(_choice(form["choice"]) if "choice" in form else form)
    if "list" in form:
        fan_list = read_carried(form["list"], hakken().settings.max_list_length)
    else:
        fan_list = read_export(files.get("export"))
    return _results_page(fan_list, options, carried=carry(fan_list), name=fan_list.username)


@blueprint.get("/upload")
def upload_again() -> AnyResponse:
    """Reached by reloading or pasting the address of an upload's result: start over."""
    return redirect(url_for(".home", _anchor="upload"), 303)


@blueprint.get("/problems/<slug>")
def problem(slug: str) -> str:
    """What the ``type`` of an API problem means."""
    kind = all_kinds().get(slug) or abort(404)
    return render_template("problem.html", kind=kind)


def _choice(text: str) -> dict[str, str]:
    """The options that a button of an upload's result page stands for, as in an address."""
    return dict(parse_qsl(text))


def _results_page(
    fan_list: FanList,
    options: Options,
    *,
    address: Callable[[Options], str] | None = None,
    carried: str | None = None,
    name: str | None = None,
    site: str | None = None,
    link: str | None = None,
    sample: bool = False,
    edit: str | None = None,
    part: str | None = None,
    beside: str | None = None,
) -> str | AnyResponse:
    held = library()
    answered = answer_noting(held, to_listed(fan_list), options, fan_list.unmapped)
    chosen = request.args if address else _choice(request.form.get("choice", ""))
    if "format" in chosen:
        body = answer_as_json(answered.found, held.catalogue, english=options.english)
        return export(chosen["format"], body)
    return render_template(
        "results.html",
        part=part,
        results=results(held, answered, fan_list, options),
        beside=beside if fan_list.favourites else None,
        taste=taste_of(held.model, held.facts, answered.found.visitor),
        address=address,
        action=address and address(Options()),
        carried=carried,
        page_query=page_query,
        name=name,
        site=site,
        link=link,
        sample=sample,
        edit=edit,
        crowd=bool(held.model.crowds),
        source=fan_list.source,
        age=fan_list.age,
    )
