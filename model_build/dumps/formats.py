"""What each public dump looks like: its files, their columns and codes.

Column names are as published; a dump may come in several files with the same lists (all of them,
or only what was completed and scored), of which the first here that is found is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.recommender.status import Status


@dataclass(frozen=True, slots=True)
class Lists:
    """A file of list entries: which column holds what.

    ``status`` is None where the file has none; every entry then has ``status_if_none``. ``named``
    fans are known by name, the others by number. ``published`` is how many rows the file has on
    Kaggle, to tell when rows are missing.
    """

    file: str
    fan: str
    anime: str
    score: str
    status: str | None = None
    status_if_none: Status = Status.UNKNOWN
    named: bool = False
    line_breaks: bool = False
    published: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        columns = (self.fan, self.anime, self.score)
        return columns if self.status is None else (*columns, self.status)


@dataclass(frozen=True, slots=True)
class Facts:
    """A catalogue file: the column of each fact of `app.catalogue.COLUMNS` that it has.

    ``premiered`` holds a season and a year, ``aired`` a text with a year in it, ``age_rating`` says
    which are adult. Cells that say ``unknown`` in any case are empty. Genres are separated by
    commas.
    """

    file: str
    columns: Mapping[str, str]
    premiered: str | None = None
    aired: str | None = None
    age_rating: str | None = None


@dataclass(frozen=True, slots=True)
class Dump:
    """A public dump: where it is published and the files that it may consist of."""

    kaggle: str
    lists: tuple[Lists, ...]
    facts: tuple[Facts, ...] = field(default=())


def _azathoth(file: str, published: int | None = None) -> Lists:
    return Lists(
        file,
        fan="username",
        anime="anime_id",
        score="my_score",
        status="my_status",
        named=True,
        line_breaks=True,  # within tags
        published=published,
    )


def _azathoth_facts(file: str) -> Facts:
    return Facts(
        file,
        {
            "anime_id": "anime_id",
            "title": "title",
            "title_english": "title_english",
            "type": "type",
            "episodes": "episodes",
            "genres": "genre",
            "mean": "score",
            "members": "members",
            "picture": "image_url",
            "source": "source",
        },
        premiered="premiered",
        aired="aired_string",
        age_rating="rating",
    )


def _titled(identity: str, **further: str) -> dict[str, str]:
    return {
        "anime_id": identity,
        "title": "Name",
        "genres": "Genres",
        "mean": "Score",
        **further,
    }


_DETAILED = {
    "source": "Source",
    "title_english": "English name",
    "type": "Type",
    "episodes": "Episodes",
    "members": "Members",
}

DUMPS: Mapping[str, Dump] = {
    "cooperunion2016": Dump(
        "CooperUnion/anime-recommendations-database",
        (Lists("rating.csv", "user_id", "anime_id", "rating", published=7_813_737),),
        (
            Facts(
                "anime.csv",
                {
                    "anime_id": "anime_id",
                    "title": "name",
                    "type": "type",
                    "episodes": "episodes",
                    "genres": "genre",
                    "mean": "rating",
                    "members": "members",
                },
            ),
        ),
    ),
    "azathoth2018": Dump(
        "azathoth42/myanimelist",
        (
            _azathoth("UserAnimeList.csv", 80_076_112),
            _azathoth("animelists_filtered.csv"),
            _azathoth("animelists_cleaned.csv", 31_284_030),
        ),
        tuple(
            _azathoth_facts(file)
            for file in ("AnimeList.csv", "anime_filtered.csv", "anime_cleaned.csv")
        ),
    ),
    "hernan2020": Dump(
        "hernan4444/anime-recommendation-database-2020",
        (
            Lists(
                "animelist.csv",
                "user_id",
                "anime_id",
                "rating",
                status="watching_status",
                published=109_224_747,
            ),
            Lists(
                "rating_complete.csv",
                "user_id",
                "anime_id",
                "rating",
                status_if_none=Status.COMPLETED,
                published=57_633_278,
            ),
        ),
        (
            Facts(
                "anime.csv",
                _titled("MAL_ID", **_DETAILED),
                premiered="Premiered",
                aired="Aired",
                age_rating="Rating",
            ),
            Facts("anime_with_synopsis.csv", _titled("MAL_ID")),
        ),
    ),
    "dbdmobile2023": Dump(
        "dbdmobile/myanimelist-dataset",
        (
            Lists(
                "users-score-2023.csv",
                "user_id",
                "anime_id",
                "rating",
                published=24_325_191,
            ),
        ),
        (
            Facts(
                "anime-dataset-2023.csv",
                _titled("anime_id", **_DETAILED, picture="Image URL"),
                premiered="Premiered",
                aired="Aired",
                age_rating="Rating",
            ),
        ),
    ),
}
