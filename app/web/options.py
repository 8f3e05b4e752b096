"""What a visitor may ask for, read from a query string or a JSON body by the same rules.

A page writes ``top`` as ``n``; an option at its default never stands in an address. Options that
hold several values are repeated (as forms do) or have commas between them (as our addresses do).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar

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

from app.recommender import EngineName, Order
from app.web.values import AS_WHOLE, MARK, MOST_MARKS, Flag, ids, marks, parts, slugs

MAX_TOP = 100
STEP = 20
MOST_GENRES = 20
SLIDER = 5
FIRST_YEAR, LAST_YEAR = 1900, 2100
MOST_EPISODES = 9999

M = TypeVar("M", bound=BaseModel)


class BadQuery(Exception):  # noqa: N818 -- it names what is wrong, as the errors of lists do
    """A query argument that cannot be used; the sentence names it."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Type(StrEnum):
    """What kind of anime."""

    TV = "tv"
    MOVIE = "movie"
    OVA = "ova"
    ONA = "ona"
    SPECIAL = "special"
    MUSIC = "music"


class Planned(StrEnum):
    """What to do with what the fan already plans to watch."""

    NO = "no"
    YES = "yes"
    ONLY = "only"


class Language(StrEnum):
    """Which of its titles an anime is called by. What has no English title keeps the other."""

    ROMAJI = "romaji"
    ENGLISH = "english"


AnimeId = Annotated[int, Field(gt=0, lt=2**31)]
Given = Annotated[int, Field(ge=0, le=10)]
Marks = Annotated[
    tuple[Annotated[str, Field(pattern=MARK)] | tuple[AnimeId, Given], ...],
    Field(max_length=MOST_MARKS),
]
_GENRES = f"up to {MOST_GENRES} genres with commas between them, such as drama,slice-of-life"
_YEAR = f"a year from {FIRST_YEAR} to {LAST_YEAR}"
_EPISODES = f"a whole number from 1 to {MOST_EPISODES:,}"
Genres = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=40)], ...],
    Field(max_length=MOST_GENRES, description=_GENRES),
    BeforeValidator(slugs),
]
Types = Annotated[
    tuple[Type, ...],
    Field(description="some of " + ", ".join(Type) + ", with commas between them"),
    BeforeValidator(parts),
]
Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR), AS_WHOLE]
Episodes = Annotated[int, Field(ge=1, le=MOST_EPISODES), AS_WHOLE]


class Options(BaseModel):
    """The choices that every way of asking shares. The descriptions are told to who errs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top: Annotated[
        int,
        Field(ge=1, le=MAX_TOP, description=f"a whole number from 1 to {MAX_TOP}"),
        AS_WHOLE,
    ] = STEP
    order: Annotated[
        Order, Field(description="one of " + ", ".join(order.value for order in Order))
    ] = Order.MATCH
    engine: Annotated[EngineName, Field(description="one of " + ", ".join(EngineName))] = (
        EngineName.HAKKEN
    )
    adult: Flag = False
    type: Types = ()
    genre: Genres = ()
    without: Genres = ()
    year_from: Annotated[Year | None, Field(description=_YEAR)] = None
    year_to: Annotated[Year | None, Field(description=f"{_YEAR}, not before year_from")] = None
    min_episodes: Annotated[Episodes | None, Field(description=_EPISODES)] = None
    max_episodes: Annotated[
        Episodes | None, Field(description=f"{_EPISODES}, not less than min_episodes")
    ] = None
    popularity: Annotated[
        int,
        Field(
            ge=-SLIDER,
            le=SLIDER,
            description=f"a whole number from {-SLIDER} (the biggest hits) over 0 (all) to "
            f"{SLIDER} (what hardly anyone knows)",
        ),
        AS_WHOLE,
    ] = 0
    new_series: Flag = False
    planned: Annotated[Planned, Field(description="one of " + ", ".join(Planned))] = Planned.NO
    extras: Flag = False
    ignore_dropped: Flag = False
    title: Annotated[
        Language, Field(description="one of " + ", ".join(Language) + ": how anime are called")
    ] = Language.ROMAJI
    hide: Annotated[
        tuple[AnimeId, ...],
        Field(
            max_length=MOST_MARKS,
            description=f"up to {MOST_MARKS} anime ids with commas between them",
        ),
        BeforeValidator(ids),
    ] = ()
    seen: Annotated[
        tuple[tuple[AnimeId, Given], ...],
        Field(
            max_length=MOST_MARKS,
            description=f"up to {MOST_MARKS} of anime id:score with commas between them, such as "
            "5:8 (0: no score)",
        ),
        BeforeValidator(marks, json_schema_input_type=Marks),
    ] = ()

    @field_validator("year_to", "max_episodes")
    @classmethod
    def _in_order(cls, most: int | None, info: ValidationInfo) -> int | None:
        name = "year_from" if info.field_name == "year_to" else "min_episodes"
        least = info.data.get(name)
        if most is not None and least is not None and most < least:
            raise ValueError(f"should not be less than {name}")
        return most

    @property
    def english(self) -> bool:
        """Whether anime are called by their English titles."""
        return self.title is Language.ENGLISH

    def but(self, **changes: Any) -> Self:
        """These options with some changed."""
        return self.model_copy(update=changes)


_OWN_NAMES = {own: "n" if own == "top" else own for own in Options.model_fields}
_PAGE_NAMES = {page: own for own, page in _OWN_NAMES.items()}
SEVERAL = frozenset({"type", "genre", "without", "hide", "seen"})


class FetchQuery(Options):
    """The query of ``GET /api/v1/recommendations``."""

    source: Annotated[str, Field(description="the site, such as anilist")]
    username: Annotated[
        str, Field(min_length=1, max_length=100, description="a username on that site")
    ]


def read_query(kind: type[M], arguments: Mapping[str, str]) -> M:
    """Read a query strictly: every name must be known.

    Raises:
        BadQuery: naming the first argument that is missing, unknown or out of bounds.
    """
    try:
        return kind.model_validate({name: _value(arguments, name) for name in arguments})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][0])
        raise BadQuery(name, _sentence(kind, name, name, first["type"])) from None


def read_page_query(arguments: Mapping[str, str]) -> Options:
    """Read a page's options; names that a page does not know are left alone, as are empty fields.

    Raises:
        BadQuery: naming the first argument that is out of bounds.
    """
    known = {own: _value(arguments, page) for page, own in _PAGE_NAMES.items() if page in arguments}
    # A field of a form that was left empty; how many and in which order is never left empty.
    filled = {own: text for own, text in known.items() if text or own in {"top", "order"}}
    try:
        return Options.model_validate(filled)
    except ValidationError as error:
        own = str(error.errors()[0]["loc"][0])
        page = _OWN_NAMES[own]
        raise BadQuery(page, _sentence(Options, own, page, "")) from None


def read_language(arguments: Mapping[str, str]) -> Language:
    """What anime are called on a page that has no other option.

    Raises:
        BadQuery: there is no such language.
    """
    return read_page_query({"title": arguments["title"]} if "title" in arguments else {}).title


def page_query(options: Options) -> dict[str, Any]:
    """The query arguments of a page with these options, defaults left out."""
    changed = options.model_dump(mode="json", exclude_defaults=True, include=set(_OWN_NAMES))
    return {_OWN_NAMES[own]: _text(own, value) for own, value in changed.items()}


def _text(own: str, value: Any) -> str:
    if own == "seen":
        return ",".join(f"{anime_id}:{score}" for anime_id, score in value)
    if own in SEVERAL:
        return ",".join(map(str, value))
    return str(int(value) if isinstance(value, bool) else value)


def _value(arguments: Mapping[str, str], name: str) -> str:
    if name in SEVERAL and isinstance(arguments, MultiDict):
        return ",".join(arguments.getlist(name))
    return arguments[name]


def _sentence(kind: type[BaseModel], name: str, shown: str, fault: str) -> str:
    field = kind.model_fields.get(name)
    if field is None:
        return f"“{name}” is not an option here: leave it out."
    if fault == "missing":
        return f"“{shown}” is missing: it should be {field.description}."
    return f"“{shown}” should be {field.description}."
