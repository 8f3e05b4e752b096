"""Fans with lists on the local AniList, and the same kind of lists as export files."""

from __future__ import annotations

from xml.sax.saxutils import escape

from demo.fake_upstream import FakeUpstream
from tests.lists.scenarios import entry
from tests.tiny_model import anime_ids, title_of

IDS = anime_ids()
SCORED, PLANNED, UNKNOWN = IDS[10:22], IDS[30:32], (900_001, 900_002, 900_003)


def add_fans(fake: FakeUpstream) -> None:
    """`Regular` has everything; the others are special in one way each."""
    regular = [entry(n, n, score=10 - place % 5) for place, n in enumerate(SCORED)]
    regular += [entry(n, n, status="PLANNING") for n in PLANNED]
    regular += [entry(n, n, score=7) for n in UNKNOWN]
    fake.add_user("Regular", [*regular, entry(7_000_001, None)])
    fake.add_user("FewScores", [entry(n, n, score=8) for n in SCORED[:3]])
    fake.add_user("NoScores", [entry(n, n) for n in SCORED])
    fake.add_user("OnlyPlans", [entry(n, n, status="PLANNING") for n in SCORED])
    fake.add_user("Everything", [entry(n, n, score=6) for n in IDS])


def export(scores: dict[int, int], *, name: str = "Exporter") -> bytes:
    """A MyAnimeList export of completed anime."""
    rows = "".join(
        f"<anime><series_animedb_id>{anime_id}</series_animedb_id>"
        f"<series_title><![CDATA[{title_of(anime_id)}]]></series_title>"
        f"<my_score>{score}</my_score><my_status>Completed</my_status></anime>"
        for anime_id, score in scores.items()
    )
    info = f"<user_name>{escape(name)}</user_name><user_export_type>1</user_export_type>"
    return f"<myanimelist><myinfo>{info}</myinfo>{rows}</myanimelist>".encode()


def regular_export() -> bytes:
    """What `Regular` scored, as an export."""
    return export({n: 10 - place % 5 for place, n in enumerate(SCORED)})
