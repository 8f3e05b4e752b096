"""Made-up fans with lists of anime that exist: well-known ones more often, as people have."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.catalogue import Catalogue
from app.recommender import Model
from demo.data import DemoData, DemoEntry
from demo.faults import Fault

DEMO_USERS: Mapping[str, int] = {"Akira": 12, "Hana": 60, "Ryo": 150, "Sora": 320, "Yuki": 1_200}
"""How many anime are on whose list."""
SEED = 7
_STATUSES = ("completed", "completed", "completed", "watching", "on_hold", "dropped")


def make_demo_data(model_folder: Path, list_sizes: Mapping[str, int] = DEMO_USERS) -> DemoData:
    """Everybody with trouble (`demo.faults`), and a few fans with lists of anime that exist."""
    model = Model.open(model_folder)
    catalogue = Catalogue.open(model.catalogue_path)
    data = DemoData()
    rng = random.Random(SEED)  # noqa: S311 -- the same fans every time
    ids = [int(anime_id) for anime_id in model.anime_id]
    members = catalogue.column_values("members", ids)
    weights = [(count or 0) + 1 for count in members]
    for name, size in list_sizes.items():
        chosen = dict.fromkeys(rng.choices(ids, weights, k=4 * size))
        data.add_user(name, _random_entries(list(chosen)[:size], catalogue, rng))
    # Whoever signs in as the fan with a private list has one worth reading.
    longest = max(data.users.values(), key=lambda user: list_sizes.get(user.name, 0))
    data.add_user(Fault.PRIVATE.value, longest.entries, Fault.PRIVATE)
    data.mal_ids = catalogue.mal_ids_by_site_id("anilist")
    data.synopses.update(
        {
            anime_id: f"{title} is an anime of the demo: this text stands where its synopsis would."
            for anime_id, title in zip(ids, catalogue.column_values("title", ids), strict=True)
        }
    )
    return data


def _random_entries(
    chosen: list[int], catalogue: Catalogue, draw: random.Random
) -> Iterator[DemoEntry]:
    titles = catalogue.column_values("title", chosen)
    others = catalogue.column_values("anilist_id", chosen)
    means = catalogue.column_values("mean", chosen)
    for anime_id, title, other, mean in zip(chosen, titles, others, means, strict=True):
        if draw.random() < 0.1:
            yield DemoEntry(anime_id, 0, "plan_to_watch", media_id=other, name=title)
            continue
        score = min(10, max(1, round(draw.gauss(mean or 7, 1.2))))
        scored = score if draw.random() < 0.85 else 0
        yield DemoEntry(anime_id, scored, draw.choice(_STATUSES), media_id=other, name=title)
