"""The shape of every JSON answer, for the description of the API (`app.web.openapi`).

The answers themselves are plain dictionaries; the tests hold them to these shapes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.recommender import EngineName, Order

AnimeId = Annotated[int, Field(ge=1, description="MyAnimeList’s number of the anime")]
Share = Annotated[float, Field(description="this and its likes add up to what is explained")]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(_Shape):
    """What went wrong, and what to do (RFC 9457). `type` is a page that says what it means."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    errors: list[Fault] | None = None
    request_id: str | None = None


class Fault(_Shape):
    """One thing that is wrong with a query or a body, and where."""

    path: str
    message: str


class Brief(_Shape):
    """An anime in short."""

    anime_id: AnimeId
    title: str
    title_english: str | None
    type: str | None
    year: int | None
    episodes: int | None


class FoundAnime(Brief):
    """An anime that a search found."""

    picture: str | None
    url: str


class Search(_Shape):
    """What a search found, the likeliest first."""

    anime: list[FoundAnime]


class Reason(_Shape):
    """A title of the list that speaks for an anime; `score` is null where none was given."""

    anime_id: AnimeId
    title: str
    score: float | None
    weight: Share


class Ranked(FoundAnime):
    """An anime in its place."""

    rank: Annotated[int, Field(ge=1)]
    genres: list[str]
    more_of_franchise: Annotated[int, Field(ge=0)]


class Recommendation(Ranked):
    """One recommendation. The weights of `because` and `rest` add up to what is `explained`."""

    match: Annotated[float, Field(description="percent: how much the fan would want to have it")]
    predicted_score: Annotated[float, Field(ge=1, le=10)]
    expected_error: Annotated[float, Field(ge=0, description="one standard deviation of the score")]
    because: list[Reason]
    rest: Share
    few_fans: Annotated[
        bool, Field(description="so few know it that it is placed by its genres and its series")
    ]


class Understood(_Shape):
    """How many titles of the list could be used."""

    known: Annotated[int, Field(ge=0)]
    rated: Annotated[int, Field(ge=0)]
    unknown: Annotated[int, Field(ge=0)]


class Fetched(Understood):
    """The same of a list from a site; `unmapped` are those without MyAnimeList’s number."""

    unmapped: Annotated[int, Field(ge=0)]


class Relax(_Shape):
    """A filter that is to blame when nothing is left, and how many titles there would be."""

    options: list[str]
    label: str
    would_show: Annotated[int, Field(ge=1)]


class Answer(_Shape):
    """Recommendations. `personal` is false where the list says nothing, and popular anime are
    shown; `relax` is there where filters left nothing."""

    model: str
    engine: EngineName
    order: Order
    explained: Literal["match", "predicted_score"]
    personal: bool
    recommendations: list[Recommendation]
    relax: list[Relax] | None = None
    list: Understood


class UserAnswer(Answer):
    """Recommendations for a list from a site."""

    source: str
    username: str
    list: Fetched


class Fan(Fetched):
    """One of two fans, and how much of the list could be used."""

    source: str
    username: str
    personal: bool


class Likeness(_Shape):
    """How alike two fans score. Null where too few titles were scored by both to tell."""

    both_seen: Annotated[int, Field(ge=0)]
    both_scored: Annotated[int, Field(ge=0)]
    value: Annotated[float, Field(ge=-1, le=1)] | None
    chance: Annotated[float, Field(ge=0, le=1)] | None
    mean_difference: float | None


class ForOne(_Shape):
    """What one of two fans would make of an anime."""

    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]
    planned: bool
    because: list[Reason]


class ForBoth(Ranked):
    """An anime for two fans, the first fan first."""

    match: float
    fans: Annotated[list[ForOne], Field(min_length=2, max_length=2)]


class Verdict(_Shape):
    """An anime that both scored; `apart` is by how much, the fans' ways of scoring left out."""

    anime_id: AnimeId
    title: str
    scores: Annotated[list[float], Field(min_length=2, max_length=2)]
    apart: float


class Tip(_Shape):
    """An anime that one fan loved and the other does not know, as it would be for the other."""

    anime_id: AnimeId
    title: str
    score: float
    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]


class PairAnswer(_Shape):
    """What two fans would both enjoy, and how alike they are."""

    model: str
    engine: EngineName
    order: Order
    fans: Annotated[list[Fan], Field(min_length=2, max_length=2)]
    likeness: Likeness
    recommendations: list[ForBoth]
    favourites: list[Verdict]
    disagreements: list[Verdict]
    first_loved: list[Tip]
    second_loved: list[Tip]
    relax: list[Relax] | None = None


class Standing(_Shape):
    """Where an anime stands in the model."""

    popularity_rank: Annotated[int, Field(ge=1)]
    lists: Annotated[int, Field(ge=0)]
    scores: Annotated[int, Field(ge=0)]
    bias: Annotated[float | None, Field(description="null until somebody has scored it")]
    typical_score: Annotated[float, Field(ge=1, le=10)] | None


class AnimeFacts(Brief):
    """Everything that is known of an anime; `in_model` is null where too few fans list it."""

    model: str
    season: str | None
    genres: list[str]
    adult: bool
    picture: str | None
    links: dict[str, str]
    in_model: Standing | None
    series: list[Brief]


class Alike(Brief):
    """An anime like another, and how strongly."""

    weight: Annotated[float, Field(gt=0)]


class Loved(Brief):
    """An anime for who loved another and nothing else."""

    match: float
    predicted_score: Annotated[float, Field(ge=1, le=10)]


class Similar(_Shape):
    """What is like an anime: those scored alike, those that its fans pick, and those for whom it
    is all that they love."""

    model: str
    anime_id: AnimeId
    similarity: list[Alike]
    affinity: list[Alike]
    engines: Annotated[
        dict[str, list[Alike]],
        Field(description="by vectors, for each further engine that the model has"),
    ]
    also_loved: list[Loved]


class Titled(_Shape):
    """An anime by name."""

    anime_id: AnimeId
    title: str


class NearFan(_Shape):
    """A fan of those trained on, without a name: what both loved, and what else the fan loved."""

    likeness: Annotated[float, Field(gt=0, le=1.001)]
    shared: list[Titled]
    loved: list[Titled]


class Leaning(_Shape):
    """How much of what the nearest fans loved is of a kind, and of what all loved."""

    name: str
    share: Annotated[float, Field(ge=0, le=1)]
    usual: Annotated[float, Field(ge=0, le=1)]


class Favourite(FoundAnime):
    """An anime that `lovers` of the nearest fans loved."""

    rank: Annotated[int, Field(ge=1)]
    genres: list[str]
    lovers: Annotated[int, Field(ge=1)]
    weight: Annotated[float, Field(gt=0)]


class FansAnswer(_Shape):
    """The fans most like one, what they prefer, and what they loved that is not on the list."""

    source: str
    username: str
    model: str
    engine: EngineName
    nearest: Annotated[int, Field(ge=0)]
    fans: list[NearFan]
    genres: list[Leaning]
    sources: list[Leaning]
    recommendations: list[Favourite]


class Described(_Shape):
    """A picture and a synopsis, null where nobody has one."""

    anime_id: AnimeId
    picture: str | None
    synopsis: str | None


class Details(_Shape):
    """What is known now; unless `complete`, asking again in a few seconds may bring more."""

    details: list[Described]
    complete: bool


SHAPES = (Problem, Search, Answer, UserAnswer, PairAnswer, FansAnswer, AnimeFacts, Similar, Details)
"""Those that are referred to by name."""
