"""Options and queries, read from an address or a JSON body by the same rules.

A page writes ``top`` as ``n``; an option at its default never stands in an address. Options that
hold several values are repeated (as forms do) or have commas between them (as our addresses do).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self, TypeVar, overload

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from werkzeug.datastructures import MultiDict

from app.age_rating import CEILINGS, Ceiling
from app.catalogue import TitleLanguage
from app.recommender import EngineName, SortOrder
from app.title_search import MAX_QUERY_LENGTH
from app.translation import ENGLISH, JAPANESE, current_language, gettext
from app.web.requests.values import (
    MARK_PATTERN,
    MAX_MARKS,
    PARSE_INT,
    Flag,
    InvalidQuery,
    keep_last_marks,
    parse_id_list,
    parse_ids,
    parse_seen_marks,
    parse_slugs,
    split_values,
)

MAX_TOP = 100
TOP_STEP = 20
MAX_OFFSET = 10_000
MAX_WORDS = 20
MAX_POPULARITY = 5
MIN_YEAR, MAX_YEAR = 1900, 2100
MAX_EPISODES = 9999
DEFAULT_SIMILAR = 10
MAX_SIMILAR = 50
DEFAULT_SEARCH_LIMIT = 12
MAX_SEED = 999_999

QueryT = TypeVar("QueryT", bound=BaseModel)
OptionsT = TypeVar("OptionsT", bound="QueryOptions")


class MediaType(StrEnum):
    """What kind of anime."""

    TV = "tv"
    MOVIE = "movie"
    OVA = "ova"
    ONA = "ona"
    SPECIAL = "special"
    MUSIC = "music"


class Season(StrEnum):
    """The quarter of the year in which an anime began."""

    WINTER = "winter"
    SPRING = "spring"
    SUMMER = "summer"
    FALL = "fall"


class Preference(StrEnum):
    """By what the nearest users prefer their favourites are ranked."""

    GENRES = "genres"
    SOURCES = "sources"


class PlannedMode(StrEnum):
    """What to do with what the user already plans to watch."""

    NO = "no"
    YES = "yes"
    ONLY = "only"


AnimeId = Annotated[int, Field(gt=0, lt=2**31)]
GivenScore = Annotated[int, Field(ge=0, le=10)]
SeenMarks = Annotated[
    tuple[Annotated[str, Field(pattern=MARK_PATTERN)] | tuple[AnimeId, GivenScore], ...],
    Field(max_length=MAX_MARKS),
]
AnimeIds = Annotated[tuple[AnimeId, ...], Field(max_length=MAX_MARKS), BeforeValidator(parse_ids)]
_IDS_HELP = f"up to {MAX_MARKS} anime ids with commas between them"
_YEAR_HELP = f"a year from {MIN_YEAR} to {MAX_YEAR}"
_EPISODES_HELP = f"a whole number from 1 to {MAX_EPISODES:,}"
_Words = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=40)], ...],
    Field(max_length=MAX_WORDS),
    BeforeValidator(parse_slugs),
]


def _whole(least: int, most: int, meaning: str = "") -> Any:
    """Bound a whole number, and say so."""
    told = f"a whole number from {least:,} to {most:,}{meaning}"
    return Field(ge=least, le=most, description=told)


def _one_of(values: Iterable[str], meaning: str = "") -> Any:
    return Field(description="one of " + ", ".join(values) + meaning)


def _some_of(values: Iterable[str], meaning: str = "") -> Any:
    return Field(description=f"some of {', '.join(values)}, with commas between them{meaning}")


def _words_help(kind: str, examples: str) -> str:
    return f"up to {MAX_WORDS} {kind} with commas between them, such as {examples}"


Genres = Annotated[_Words, Field(description=_words_help("genres", "drama,slice-of-life"))]
Tags = Annotated[_Words, Field(description=_words_help("tags", "time-skip,found-family"))]
Studios = Annotated[_Words, Field(description=_words_help("studios", "madhouse,kyoto-animation"))]
Materials = Annotated[_Words, Field(description=_words_help("source materials", "manga,original"))]
Seasons = Annotated[tuple[Season, ...], _some_of(Season), BeforeValidator(split_values)]
MaxRating = Annotated[Ceiling | None, _one_of(CEILINGS, ": no title of a higher age rating")]
Preferences = Annotated[
    tuple[Preference, ...],
    _some_of(
        Preference,
        ": what the nearest fans prefer ranks what they loved, and leaves out what they prefer "
        "less than all",
    ),
    BeforeValidator(split_values),
]


def default_title_language() -> TitleLanguage:
    """Return what anime are called where nothing was chosen: as who speaks the language does."""
    is_japanese = current_language.get() == JAPANESE
    return TitleLanguage.NATIVE if is_japanese else TitleLanguage.ROMAJI


TitleChoice = Annotated[
    TitleLanguage,
    Field(
        description="one of " + ", ".join(TitleLanguage) + ": how anime are called",
        json_schema_extra={"default": TitleLanguage.ROMAJI},
    ),
]
LeastScore = Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]
Types = Annotated[tuple[MediaType, ...], _some_of(MediaType), BeforeValidator(split_values)]
Year = Annotated[int, Field(ge=MIN_YEAR, le=MAX_YEAR), PARSE_INT]
Episodes = Annotated[int, Field(ge=1, le=MAX_EPISODES), PARSE_INT]


class StrictQuery(BaseModel):
    """A query without unknown names. What is wrong is told in the words of the descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class QueryOptions(StrictQuery):
    """The options of everything that recommends."""

    top: Annotated[int, _whole(1, MAX_TOP), PARSE_INT] = TOP_STEP
    offset: Annotated[int, _whole(0, MAX_OFFSET, ": behind so many it begins"), PARSE_INT] = 0
    order: Annotated[SortOrder, _one_of(SortOrder)] = SortOrder.MATCH
    engine: Annotated[EngineName, _one_of(EngineName)] = EngineName.HAKKEN
    adult: Flag = False
    type: Types = ()
    genre: Genres = ()
    without: Genres = ()
    tag: Tags = ()
    without_tag: Tags = ()
    studio: Studios = ()
    material: Materials = ()
    rating: MaxRating = None
    min_score: Annotated[
        LeastScore | None,
        Field(description="a number from 1 to 10: the least score that the fan would give"),
    ] = None
    season: Seasons = ()
    year_from: Annotated[Year | None, Field(description=_YEAR_HELP)] = None
    year_to: Annotated[Year | None, Field(description=f"{_YEAR_HELP}, not before year_from")] = None
    min_episodes: Annotated[Episodes | None, Field(description=_EPISODES_HELP)] = None
    max_episodes: Annotated[
        Episodes | None, Field(description=f"{_EPISODES_HELP}, not less than min_episodes")
    ] = None
    popularity: Annotated[
        int,
        Field(
            ge=-MAX_POPULARITY,
            le=MAX_POPULARITY,
            description=f"a whole number from {-MAX_POPULARITY} (the biggest hits) over 0 (all) to "
            f"{MAX_POPULARITY} (what hardly anyone knows)",
        ),
        PARSE_INT,
    ] = 0
    new_series: Flag = False
    continues: Flag = False
    unusual: Flag = False
    like: Annotated[
        Annotated[AnimeId, PARSE_INT] | None,
        Field(description="the id of an anime: only what its fans also pick"),
    ] = None
    planned: Annotated[PlannedMode, _one_of(PlannedMode)] = PlannedMode.NO
    extras: Flag = False
    ignore_dropped: Flag = False
    ignore: Annotated[
        AnimeIds, Field(description=f"{_IDS_HELP}: what the list says of these is not counted")
    ] = ()
    title: TitleChoice = Field(default_factory=default_title_language)
    hide: Annotated[AnimeIds, Field(description=_IDS_HELP)] = ()
    seen: Annotated[
        tuple[tuple[AnimeId, GivenScore], ...],
        Field(
            max_length=MAX_MARKS,
            description=f"up to {MAX_MARKS} of anime id:score with commas between them, such as "
            "5:8 (0: no score)",
        ),
        BeforeValidator(parse_seen_marks, json_schema_input_type=SeenMarks),
    ] = ()

    @field_validator("year_to", "max_episodes")
    @classmethod
    def _check_range(cls, maximum: int | None, info: ValidationInfo) -> int | None:
        name = "year_from" if info.field_name == "year_to" else "min_episodes"
        minimum = info.data.get(name)
        if maximum is not None and minimum is not None and maximum < minimum:
            raise ValueError(f"should not be less than {name}")
        return maximum

    def with_changes(self, **changes: Any) -> Self:
        """Copy these options with some changed."""
        return self.model_copy(update=changes)


class ResultsView(StrEnum):
    """How a whole list of results looks."""

    GRID = "grid"
    LIST = "list"


class ResultsOptions(QueryOptions):
    """The options of a page of results for one user: how it looks, and a pick by chance."""

    view: Annotated[ResultsView, _one_of(ResultsView, ": how a list looks")] = ResultsView.GRID
    surprise: Annotated[int | None, _whole(1, MAX_SEED, ": any of them"), PARSE_INT] = None


class SimilarUsersOptions(QueryOptions):
    """The options of the page of fans like one."""

    prefer: Preferences = ()


_PAGE_NAME_BY_OPTION = {
    own: "n" if own == "top" else own
    for own in ResultsOptions.model_fields | SimilarUsersOptions.model_fields
}
_OPTION_BY_PAGE_NAME = {page: own for own, page in _PAGE_NAME_BY_OPTION.items()}
PAGE_OPTIONS = frozenset(_OPTION_BY_PAGE_NAME)
"""What options are called in the addresses of pages."""
MARKS = frozenset({"hide", "seen", "ignore"})
"""Options that say something of titles, for one list."""
MULTI_VALUE_OPTIONS = frozenset(
    {
        *("type", "genre", "without", "tag", "without_tag", "studio", "material", "season"),
        *("hide", "seen", "ignore", "prefer"),
    }
)


class _UserNamed(StrictQuery):
    source: Annotated[str, Field(description="the site, such as anilist")]
    username: Annotated[
        str,
        Field(
            min_length=1,
            max_length=100,
            description="a username on that site, or the address of a profile on any",
        ),
    ]


class UserQuery(_UserNamed, QueryOptions):
    """The query of ``GET /api/v1/recommendations``."""


class SimilarUsersQuery(UserQuery, SimilarUsersOptions):
    """The query of ``GET /api/v1/fans``."""


class ForFanQuery(_UserNamed):
    """The query of ``GET /api/v1/anime/<id>/for``."""

    title: TitleChoice = Field(default_factory=default_title_language)


class PairQuery(UserQuery):
    """The query of ``GET /api/v1/together``."""

    with_source: Annotated[str, Field(description="the site of the second fan")]
    with_username: Annotated[
        str,
        Field(
            min_length=1, max_length=100, description="the second fan’s username there, or profile"
        ),
    ]


class SearchQuery(StrictQuery):
    """The query of ``GET /api/v1/anime``."""

    search: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_QUERY_LENGTH,
            description="a title, some of it, or what fans call it",
        ),
    ]
    limit: Annotated[int, _whole(1, 50), PARSE_INT] = DEFAULT_SEARCH_LIMIT


class SimilarQuery(StrictQuery):
    """The query of ``GET /api/v1/anime/<id>/similar``."""

    top: Annotated[int, _whole(1, MAX_SIMILAR), PARSE_INT] = DEFAULT_SIMILAR
    type: Types = ()
    genre: Genres = ()
    rating: MaxRating = None


class DetailsQuery(StrictQuery):
    """The query of ``GET /api/v1/details``."""

    ids: Annotated[
        tuple[AnimeId, ...],
        Field(
            min_length=1,
            max_length=MAX_TOP,
            description=f"up to {MAX_TOP} of MyAnimeList’s anime ids with commas between them",
        ),
        BeforeValidator(parse_id_list),
    ]


def parse_query(model: type[QueryT], arguments: Mapping[str, str]) -> QueryT:
    """Read a query strictly.

    Raises InvalidQuery, which names the first argument that is missing, unknown or out of bounds.
    """
    try:
        return model.model_validate({name: _argument_value(arguments, name) for name in arguments})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0])
        raise InvalidQuery(name, _error_sentence(model, name, name, first["type"])) from None


@overload
def parse_page_query(arguments: Mapping[str, str]) -> QueryOptions: ...


@overload
def parse_page_query(arguments: Mapping[str, str], model: type[OptionsT]) -> OptionsT: ...


def parse_page_query(
    arguments: Mapping[str, str], model: type[QueryOptions] = QueryOptions
) -> QueryOptions:
    """Read a page's options; names that a page does not know are left alone, as are empty fields.

    A range whose ends were swapped is read as it was meant. Raises InvalidQuery, which names the
    first argument that is out of bounds.
    """
    known = {
        option: _argument_value(arguments, page)
        for page, option in _OPTION_BY_PAGE_NAME.items()
        if page in arguments and option in model.model_fields
    }
    if "seen" in known:  # fields of a form add to those of the address
        known["seen"] = keep_last_marks(known["seen"])
    # A field of a form that was left empty; how many and in which order is never left empty.
    filled = {option: text for option, text in known.items() if text or option in {"top", "order"}}
    for minimum, maximum in (("year_from", "year_to"), ("min_episodes", "max_episodes")):
        ends = filled.get(minimum, ""), filled.get(maximum, "")
        are_numbers = all(re.fullmatch("[0-9]{1,4}", each) for each in ends)
        if are_numbers and int(ends[0]) > int(ends[1]):
            filled[minimum], filled[maximum] = ends[::-1]  # what was meant is plain
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        option = str(error.errors()[0]["loc"][0])
        page = _PAGE_NAME_BY_OPTION[option]
        raise InvalidQuery(page, _error_sentence(model, option, page, "")) from None


def parse_title_language(arguments: Mapping[str, str]) -> TitleLanguage:
    """Read what anime are called on a page that has no other option.

    Raises InvalidQuery: there is no such language.
    """
    return parse_page_query({"title": arguments["title"]} if "title" in arguments else {}).title


def to_page_query(options: QueryOptions) -> dict[str, Any]:
    """Write options as a page's query arguments, defaults left out."""
    changed = options.model_dump(mode="json", exclude_defaults=True, include=_own(type(options)))
    return {
        _PAGE_NAME_BY_OPTION[name]: _option_text(name, value) for name, value in changed.items()
    }


def title_query(language: TitleLanguage) -> dict[str, Any]:
    """Write what anime are called as query arguments: none where that needs not be said."""
    return to_page_query(QueryOptions(title=language))


@cache
def _own(model: type[QueryOptions]) -> set[str]:
    return _PAGE_NAME_BY_OPTION.keys() & model.model_fields.keys()


def _option_text(option: str, value: Any) -> str:
    if option == "seen":
        return ",".join(f"{anime_id}:{score}" for anime_id, score in value)
    if option in MULTI_VALUE_OPTIONS:
        return ",".join(map(str, value))
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return str(int(value) if isinstance(value, bool) else value)


def _argument_value(arguments: Mapping[str, str], name: str) -> str:
    if name in MULTI_VALUE_OPTIONS and isinstance(arguments, MultiDict):
        return ",".join(arguments.getlist(name))
    return arguments[name]


def _error_sentence(model: type[BaseModel], name: str, shown: str, error_type: str) -> str:
    field = model.model_fields.get(name)
    if field is None:
        return gettext("“%(option)s” is not an option here: leave it out.", option=name)
    if current_language.get() != ENGLISH:  # what an option takes is only told in English
        return gettext("“%(option)s” cannot be read: leave it out, or change it.", option=shown)
    if error_type == "missing":
        return gettext(
            "“%(option)s” is missing: it should be %(what)s.", option=shown, what=field.description
        )
    return gettext("“%(option)s” should be %(what)s.", option=shown, what=field.description)
