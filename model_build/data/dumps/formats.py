"""What each public dump looks like: its files, their columns and codes.

Column names are as published; a dump may come in several files with the same lists (all of them,
or only what was completed and scored), of which the first here that is found is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.recommender.watch_status import WatchStatus
from model_build.util.errors import InputError


@dataclass(frozen=True, slots=True)
class RatingsFileFormat:
    """A file of list entries: which column holds what.

    Without a ``status_column`` every entry has ``default_status``. ``published_rows`` is how many
    rows the file has on Kaggle, to see when rows are missing.
    """

    file: str
    user_column: str
    anime_column: str
    score_column: str
    status_column: str | None = None
    default_status: WatchStatus = WatchStatus.UNKNOWN
    users_by_name: bool = False
    multiline_cells: bool = False
    published_rows: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """User, anime, score and, where there is one, status."""
        columns = (self.user_column, self.anime_column, self.score_column)
        return columns if self.status_column is None else (*columns, self.status_column)


@dataclass(frozen=True, slots=True)
class CatalogueFileFormat:
    """A catalogue file: the column of each fact of `app.catalogue.COLUMN_DEFAULTS` that it has.

    ``premiered_column`` holds a season and a year, ``aired_column`` a text with a year in it,
    ``age_rating_column`` says which are adult. "Unknown" in any case is an empty cell; genres are
    separated by commas.
    """

    file: str
    columns: Mapping[str, str]
    premiered_column: str | None = None
    aired_column: str | None = None
    age_rating_column: str | None = None


@dataclass(frozen=True, slots=True)
class DumpFormat:
    """A public dump: where it is published and the files that it may consist of."""

    kaggle_slug: str
    ratings_files: tuple[RatingsFileFormat, ...]
    catalogue_files: tuple[CatalogueFileFormat, ...] = field(default=())


def _azathoth_ratings(file: str, published: int | None = None) -> RatingsFileFormat:
    return RatingsFileFormat(
        file,
        user_column="username",
        anime_column="anime_id",
        score_column="my_score",
        status_column="my_status",
        users_by_name=True,
        multiline_cells=True,  # within tags
        published_rows=published,
    )


def _azathoth_catalogue(file: str) -> CatalogueFileFormat:
    return CatalogueFileFormat(
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
        premiered_column="premiered",
        aired_column="aired_string",
        age_rating_column="rating",
    )


def _catalogue_columns(identity: str, **further: str) -> dict[str, str]:
    return {"anime_id": identity, "title": "Name", "genres": "Genres", "mean": "Score", **further}


_DETAIL_COLUMNS = {
    "source": "Source",
    "title_english": "English name",
    "type": "Type",
    "episodes": "Episodes",
    "members": "Members",
}

DUMP_FORMATS: Mapping[str, DumpFormat] = {
    "cooperunion2016": DumpFormat(
        "CooperUnion/anime-recommendations-database",
        (
            RatingsFileFormat(
                "rating.csv", "user_id", "anime_id", "rating", published_rows=7_813_737
            ),
        ),
        (
            CatalogueFileFormat(
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
    "azathoth2018": DumpFormat(
        "azathoth42/myanimelist",
        (
            _azathoth_ratings("UserAnimeList.csv", 80_076_112),
            _azathoth_ratings("animelists_filtered.csv"),
            _azathoth_ratings("animelists_cleaned.csv", 31_284_030),
        ),
        tuple(
            _azathoth_catalogue(file)
            for file in ("AnimeList.csv", "anime_filtered.csv", "anime_cleaned.csv")
        ),
    ),
    "hernan2020": DumpFormat(
        "hernan4444/anime-recommendation-database-2020",
        (
            RatingsFileFormat(
                "animelist.csv",
                "user_id",
                "anime_id",
                "rating",
                status_column="watching_status",
                published_rows=109_224_747,
            ),
            RatingsFileFormat(
                "rating_complete.csv",
                "user_id",
                "anime_id",
                "rating",
                default_status=WatchStatus.COMPLETED,
                published_rows=57_633_278,
            ),
        ),
        (
            CatalogueFileFormat(
                "anime.csv",
                _catalogue_columns("MAL_ID", **_DETAIL_COLUMNS),
                premiered_column="Premiered",
                aired_column="Aired",
                age_rating_column="Rating",
            ),
            CatalogueFileFormat("anime_with_synopsis.csv", _catalogue_columns("MAL_ID")),
        ),
    ),
    "dbdmobile2023": DumpFormat(
        "dbdmobile/myanimelist-dataset",
        (
            RatingsFileFormat(
                "users-score-2023.csv", "user_id", "anime_id", "rating", published_rows=24_325_191
            ),
        ),
        (
            CatalogueFileFormat(
                "anime-dataset-2023.csv",
                _catalogue_columns("anime_id", **_DETAIL_COLUMNS, picture="Image URL"),
                premiered_column="Premiered",
                aired_column="Aired",
                age_rating_column="Rating",
            ),
        ),
    ),
}


KAGGLE_PREFIX = "kaggle:"


def dump_name(slug: str) -> str:
    """Return our name of the dump ``OWNER/NAME``; InputError if Hakken reads no such dump."""
    for name, dump in DUMP_FORMATS.items():
        if dump.kaggle_slug.lower() == slug.lower():
            return name
    known = ", ".join(KAGGLE_PREFIX + dump.kaggle_slug for dump in DUMP_FORMATS.values())
    raise InputError(f"{KAGGLE_PREFIX}{slug}: not a dump that Hakken reads; it reads {known}.")


def download_dump(slug: str) -> Path:
    """Return the folder with the files of ``OWNER/NAME``, downloaded unless they are there already.

    Raises
    ------
    InputError
        kagglehub is not installed, or Kaggle cannot be reached or refuses.
    """
    try:
        import kagglehub
    except ImportError:
        raise InputError(
            "kagglehub is not installed; pip install -r requirements-build.txt, or download the "
            "dump by hand and name it with --from."
        ) from None
    try:
        return Path(kagglehub.dataset_download(slug))
    except Exception as error:  # whatever its HTTP client, its cache or Kaggle raises
        words = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{KAGGLE_PREFIX}{slug}: could not be downloaded ({words[:300]}); download it by hand "
            "from Kaggle and name it with --from."
        ) from None
