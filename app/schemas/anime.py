"""One anime, what is like it, and what it looks like."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field

from app.age_rating import AgeRating
from app.catalogue import Anime, Catalogue, RelationKind
from app.recommender import EngineName
from app.schemas.base import SIX_DIGITS, Count, Rounded, Schema, Score, fields_of

AnimeId = Annotated[int, Field(ge=1, description="MyAnimeList’s number of the anime")]
Rank = Annotated[int, Field(ge=1)]
RatingInferred = Annotated[
    bool, Field(description="the rating is inferred from genres, themes, tags and relatives")
]


class AnimeTitle(Schema):
    """An anime by name."""

    anime_id: AnimeId
    title: str


class AnimeSummary(AnimeTitle):
    """An anime in short."""

    title_english: str | None
    title_native: Annotated[str | None, Field(description="in the letters of its country")]
    type: str | None
    year: int | None
    episodes: int | None
    anilist_id: Annotated[int | None, Field(description="AniList’s number of it, where known")]
    kitsu_id: Annotated[int | None, Field(description="Kitsu’s number of it, where known")]
    tvdb_id: Annotated[
        int | None, Field(description="TVDB’s number of the series that it is of, where known")
    ]


class AnimeRelation(AnimeTitle):
    """What an anime is to this one: "sequel" where it continues this one."""

    relation: RelationKind | None

    @classmethod
    def of_anime(cls, anime: Anime, catalogue: Catalogue) -> Self | None:
        """Describe what an anime is to which other; None where nothing is known."""
        if anime.relation_id is None:
            return None
        return cls.between(anime, anime.relation_id, catalogue)

    @classmethod
    def between(cls, anime: Anime, other: int, catalogue: Catalogue) -> Self:
        """Describe what an anime is to another one."""
        return cls(
            anime_id=other,
            title=catalogue.title(other),
            relation=anime.relation_kind if anime.relation_id == other else None,
        )


class SeriesAnimeSchema(AnimeSummary):
    """An anime of a series; `extra` are recaps, adverts and the like."""

    relation_to: AnimeRelation | None
    extra: bool
    inferred: Annotated[
        bool, Field(description="by its title: no catalogue says that it is of the series")
    ]


class AnimePreview(AnimeSummary):
    """An anime with its picture and its pages."""

    picture: str | None
    url: Annotated[
        str,
        Field(
            description="its page on the site of the list, on MyAnimeList where that site or its "
            "page there is not known"
        ),
    ]
    mal_url: Annotated[str, Field(description="its page on MyAnimeList")]


class Ranked(Schema):
    """The first key of everything that has a place."""

    rank: Rank


class RankedAnime(AnimePreview, Ranked):
    """An anime in its place."""

    genres: tuple[str, ...]
    themes: tuple[str, ...]
    age_rating: AgeRating | None
    rating_inferred: RatingInferred


def ranked_fields(
    rank: int, anime_id: int, catalogue: Catalogue, *, source: str | None = None
) -> dict[str, Any]:
    """Build the fields of a `RankedAnime` for who has a list on ``source``."""
    anime = catalogue.get_anime(anime_id)
    given = {"rank": rank, "url": anime.url_on(source), "mal_url": anime.url}
    return fields_of(RankedAnime, anime, given) | given


class SearchResponse(Schema):
    """What a search found, the likeliest first."""

    anime: list[AnimePreview]


class AnimeStatsSchema(Schema):
    """Where an anime stands in the model."""

    popularity_rank: Annotated[
        Rank,
        Field(
            description="1 is the best known: by members on MyAnimeList, where they are unknown by "
            "lists"
        ),
    ]
    lists: Count
    scores: Count
    bias: Annotated[Rounded | None, Field(description="null until somebody has scored it")]
    typical_score: Score | None


class AnimeResponse(AnimeSummary):
    """Everything that is known of an anime; `in_model` is null where too few fans list it."""

    model: str
    season: str | None
    genres: tuple[str, ...]
    themes: tuple[str, ...]
    demographics: tuple[str, ...]
    tags: tuple[str, ...]
    studios: tuple[str, ...]
    material: Annotated[str | None, Field(description="what it was made from")]
    age_rating: AgeRating | None
    rating_inferred: RatingInferred
    adult: bool
    picture: str | None
    links: dict[str, str]
    in_model: AnimeStatsSchema | None
    relation_to: AnimeRelation | None
    series: Annotated[
        list[SeriesAnimeSchema], Field(description="the whole series in the order of watching")
    ]


class SimilarAnimeSchema(AnimeSummary):
    """An anime like another, and how strongly."""

    weight: Annotated[float, Field(ge=0), SIX_DIGITS]


class AlsoLovedSchema(AnimeSummary):
    """An anime for who loved another and nothing else."""

    match: Rounded
    predicted_score: Score


class SimilarAnimeResponse(Schema):
    """What is scored like an anime, what its fans pick, and what is recommended for it alone."""

    model: str
    anime_id: AnimeId
    similarity: list[SimilarAnimeSchema]
    affinity: list[SimilarAnimeSchema]
    engines: Annotated[
        dict[str, list[SimilarAnimeSchema]],
        Field(description="by vectors, for each further engine that the model has"),
    ]
    also_loved: list[AlsoLovedSchema]


class EngineNeighbourSchema(RankedAnime):
    """An anime whose vector is near that of another, by cosine."""

    likeness: Rounded


class EngineNeighboursResponse(Schema):
    """What one engine or matrix puts near an anime (``model_build similar --anime``)."""

    model: str
    engine: EngineName | Literal["similarity", "affinity"]
    anime_id: AnimeId
    similar: list[EngineNeighbourSchema]


class StreamingLinkSchema(Schema):
    """A site that shows an anime, and the address there."""

    site: str
    url: str


class AnimeDetailsSchema(Schema):
    """A picture, a synopsis and a trailer, null where nobody has one; and where to watch it."""

    anime_id: AnimeId
    picture: str | None
    synopsis: str | None
    trailer: str | None
    streaming: list[StreamingLinkSchema]


class AnimeDetailsResponse(Schema):
    """What is known now; unless `complete`, asking again in a few seconds may bring more."""

    details: list[AnimeDetailsSchema]
    complete: bool
