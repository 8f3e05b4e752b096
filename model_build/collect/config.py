"""Options of `collect`."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from pydantic import AfterValidator, BeforeValidator, Field

from model_build.util.options import Config, Count, InputFile, Metavar, OptionRole, OutputFolder

ACTIVITY_SEGMENTS = ("Low", "Medium", "High")
MIN_RATE, MAX_RATE = 0.01, 100.0


def parse_segments(text: str) -> tuple[str, ...]:
    """Segments named in an option such as ``Medium,High``, in any case.

    Raises
    ------
    ValueError
        One is not known, or none is named.
    """
    known = {name.casefold() for name in ACTIVITY_SEGMENTS}
    names = {part.strip().casefold() for part in text.split(",") if part.strip()}
    if names - known or not names:
        raise ValueError(
            f"{text!r} is not some of {', '.join(ACTIVITY_SEGMENTS)}, with commas between"
        )
    return tuple(name for name in ACTIVITY_SEGMENTS if name.casefold() in names)


def _check_segments(text: str) -> str:
    parse_segments(text)
    return text


def _check_rate(value: object) -> float:
    try:
        rate = float(str(value))
    except ValueError:
        rate = -1.0
    if rate != 0 and not MIN_RATE <= rate <= MAX_RATE:
        raise ValueError(f"{str(value)!r} is not a number from {MIN_RATE:g} to {MAX_RATE:g}, or 0")
    return rate


class CollectOptions(Config):
    """Options of both services."""

    patience: Annotated[int, Ge(1), Metavar("S")] = Field(
        1800, description="seconds to wait for one answer while the service asks for rest"
    )


class KitsuOptions(CollectOptions):
    """Collect lists from a service. Left out, ratings come from files."""

    service: Annotated[Literal["kitsu"], OptionRole.SUBCOMMAND, Metavar("SERVICE")] = "kitsu"
    users: Count = Field(description="how many", examples=[5000])
    seed: Annotated[int, Ge(0), Metavar("N")] = Field(0, description="of the pages")
    segments: Annotated[str, AfterValidator(_check_segments), Metavar("NAMES")] = Field(
        ",".join(ACTIVITY_SEGMENTS),
        description="whose interactions are written: some of Low,Medium,High; to choose others "
        "later, run again, nothing is fetched for that",
    )
    catalogue: InputFile | None = Field(
        None, description="knows MyAnimeList's ids where Kitsu does not"
    )
    rate: Annotated[float, BeforeValidator(_check_rate), Metavar("R")] | None = Field(
        None, description="requests a second at most, 0: no limit (default: 2)", examples=[2]
    )


class MyAnimeListOptions(CollectOptions):
    """Collect lists from a service. Left out, ratings come from files."""

    service: Annotated[Literal["myanimelist"], OptionRole.SUBCOMMAND, Metavar("SERVICE")] = (
        "myanimelist"
    )
    usernames: InputFile = Field(description="names, one a line")
    source: Literal["myanimelist", "anilist", "kitsu", "shikimori", "jikan"] = Field(
        "myanimelist", description="where these users are"
    )


class CollectConfig(CollectOptions):
    """What every collection is given by its run."""

    out: OutputFolder = Field(description="the folder")
    quiet: bool = Field(False, description="no progress bar")
    skip: Annotated[int, Ge(0), Metavar("N")] = Field(
        0, description="leave out the first N, who were collected before"
    )


class KitsuConfig(KitsuOptions, CollectConfig):
    """All options of `collect kitsu`."""


class MyAnimeListConfig(MyAnimeListOptions, CollectConfig):
    """All options of `collect myanimelist`."""

    until: Annotated[int, Ge(1), Metavar("N")] | None = Field(
        None, description="leave out all names after the first N, who are collected later"
    )


COLLECT_CONFIGS: dict[type[Config], type[Config]] = {
    KitsuOptions: KitsuConfig,
    MyAnimeListOptions: MyAnimeListConfig,
}
