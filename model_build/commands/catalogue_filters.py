"""Which anime a command shows: by genre, by type, and whether for adults."""

from __future__ import annotations

import argparse

import numpy as np

from app.catalogue import Catalogue
from app.recommender import Model
from app.recommender.array_types import BoolArray
from model_build.data.catalogue import ANIME_TYPE_NAMES
from model_build.util.errors import InputError

ANIME_TYPES = ("tv", "movie", "ova", "ona", "special", "music")


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """``--genre``, ``--type`` and ``--adult``."""
    parser.add_argument(
        "--genre", nargs="+", default=[], metavar="NAME", help="only anime of all these genres"
    )
    parser.add_argument(
        "--type",
        nargs="+",
        default=[],
        choices=ANIME_TYPES,
        metavar="NAME",
        help=", ".join(ANIME_TYPES),
    )
    parser.add_argument("--adult", action="store_true", help="include adult anime")


def filter_mask(arguments: argparse.Namespace, model: Model, catalogue: Catalogue) -> BoolArray:
    """Where an anime of the model passes, (n,).

    Raises:
        InputError: the catalogue has no genres or types, or not one of those asked for.
    """
    ids = model.anime_id.tolist()
    allowed = np.ones(len(ids), bool)
    if not arguments.adult:
        allowed &= ~np.array(catalogue.column_values("adult", ids), bool)
    if arguments.genre:
        of = [
            set((names or "").casefold().split(";"))
            for names in catalogue.column_values("genres", ids)
        ]
        known = set().union(*of) - {""}
        for genre in arguments.genre:
            if genre.casefold() not in known:
                some = ", ".join(sorted(known)[:12]) or "none: train with a --catalogue that does"
                raise InputError(f"--genre {genre}: the model's catalogue has {some}.")
            allowed &= np.array([genre.casefold() in names for names in of], bool)
    if arguments.type:
        names = {ANIME_TYPE_NAMES[kind.upper()] for kind in arguments.type}
        if "special" in arguments.type:
            names.add(ANIME_TYPE_NAMES["TV SPECIAL"])
        kinds = catalogue.column_values("type", ids)
        if not any(kinds):
            raise InputError("--type: the model's catalogue has none: train with a --catalogue.")
        allowed &= np.array([kind in names for kind in kinds], bool)
    return allowed
