"""What each public dump looks like: its files, their columns and codes.

Column names are as published; a dump may come in several files with the same lists (all of them,
or only what was completed and scored), of which the first here that is found is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from app.recommender.watch_status import WatchStatus
from model_build.util.errors import InputError


@dataclass(frozen=True, slots=True)
class RatingsFileFormat:
    """A file of list entries: which column holds what.

    Without a ``status_column`` every entry has ``default_status``. ``users_by_name`` says how a CSV
    file is read; a Parquet file says itself. ``published_rows`` is how many rows the file has on
    Kaggle, to see when rows are missing.
    """

    file: str
    user_column: str = "user_id"
    anime_column: str = "anime_id"
    score_column: str = "rating"
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
class DumpFormat:
    """A public dump: where it is published and the files that it may consist of.

    ``kaggle_slug`` is None for what Kaggle does not have. ``catalogue_columns`` are those that have
    another meaning than in `CATALOGUE_COLUMNS`.
    """

    kaggle_slug: str | None
    ratings_files: tuple[RatingsFileFormat, ...]
    catalogue_files: tuple[str, ...] = ()
    catalogue_columns: Mapping[str, str] = field(default_factory=dict)

    def columns(self, header: Collection[str]) -> dict[str, str]:
        """Return the columns of a catalogue file with this header, by the fact that they hold."""
        meaning = {**CATALOGUE_COLUMNS, **self.catalogue_columns}
        return {meaning[name]: name for name in header if name in meaning}


CATALOGUE_COLUMNS = {
    **dict.fromkeys(("anime_id", "MAL_ID"), "anime_id"),
    **dict.fromkeys(("title", "name", "Name"), "title"),
    **dict.fromkeys(("title_english", "English name"), "title_english"),
    **dict.fromkeys(("type", "Type"), "type"),
    **dict.fromkeys(("episodes", "Episodes"), "episodes"),
    **dict.fromkeys(("genre", "Genres"), "genres"),
    **dict.fromkeys(("score", "Score"), "mean"),
    **dict.fromkeys(("members", "Members"), "members"),
    **dict.fromkeys(("image_url", "Image URL"), "picture"),
    **dict.fromkeys(("source", "Source"), "source"),
    **dict.fromkeys(("premiered", "Premiered"), "premiered"),
    **dict.fromkeys(("aired_string", "Aired"), "aired"),
    **dict.fromkeys(("rating", "Rating"), "age_rating"),
}
"""What a column of a catalogue file holds: a fact of `app.catalogue.COLUMN_DEFAULTS`; or a season
and a year, a text with a year in it, and what says which are adult. "Unknown" in any case is an
empty cell; genres are separated by commas."""

_azathoth_ratings = partial(
    RatingsFileFormat,
    user_column="username",
    score_column="my_score",
    status_column="my_status",
    users_by_name=True,
    multiline_cells=True,  # within tags
)
DUMP_FORMATS: Mapping[str, DumpFormat] = {
    "cooperunion2016": DumpFormat(
        "CooperUnion/anime-recommendations-database",
        (RatingsFileFormat("rating.csv", published_rows=7_813_737),),
        ("anime.csv",),
        {"rating": "mean"},
    ),
    "azathoth2018": DumpFormat(
        "azathoth42/myanimelist",
        (
            _azathoth_ratings("UserAnimeList.csv", published_rows=80_076_112),
            _azathoth_ratings("animelists_filtered.csv"),
            _azathoth_ratings("animelists_cleaned.csv", published_rows=31_284_030),
        ),
        ("AnimeList.csv", "anime_filtered.csv", "anime_cleaned.csv"),
    ),
    "hernan2020": DumpFormat(
        "hernan4444/anime-recommendation-database-2020",
        (
            RatingsFileFormat(
                "animelist.csv", status_column="watching_status", published_rows=109_224_747
            ),
            RatingsFileFormat(
                "rating_complete.csv",
                default_status=WatchStatus.COMPLETED,
                published_rows=57_633_278,
            ),
        ),
        ("anime.csv", "anime_with_synopsis.csv"),
    ),
    "dbdmobile2023": DumpFormat(
        "dbdmobile/myanimelist-dataset",
        (RatingsFileFormat("users-score-2023.csv", published_rows=24_325_191),),
        ("anime-dataset-2023.csv",),
    ),
    # What `collect` and `split` write, by number or by name, as the ratings had them.
    "lists": DumpFormat(
        None, (RatingsFileFormat("ratings.csv", status_column="status", users_by_name=True),)
    ),
}


KAGGLE_PREFIX = "kaggle:"


def find_dump_name(slug: str) -> str:
    """Return our name of the dump ``OWNER/NAME``; InputError if Hakken reads no such dump."""
    for name, dump in DUMP_FORMATS.items():
        if dump.kaggle_slug and dump.kaggle_slug.lower() == slug.lower():
            return name
    slugs = [dump.kaggle_slug for dump in DUMP_FORMATS.values() if dump.kaggle_slug]
    known = ", ".join(KAGGLE_PREFIX + name for name in slugs)
    raise InputError(f"{KAGGLE_PREFIX}{slug}: not a dump that Hakken reads; it reads {known}.")


def download_dump(slug: str) -> Path:
    """Return the folder with the files of ``OWNER/NAME``, downloaded if need be."""
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
