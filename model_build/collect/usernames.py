"""Lists on MyAnimeList (or elsewhere) of users named in a file, for ``train``.

Names are not stored: responses are stored by a hash, users are numbered as in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
from tqdm import tqdm

from app.lists import ListSource
from app.lists.errors import ListError, RateLimited, SourceDown, SourceNotConfigured, Trouble
from app.upstream.shared_storage import hashed_key
from model_build.collect.client import Backoff
from model_build.collect.response_cache import ResponseCache
from model_build.util.errors import InputError, read_file

RATINGS_SCHEMA = {
    "user_id": pl.Int32,
    "anime_id": pl.Int32,
    "rating": pl.Float64,
    "status": pl.Int8,
}
ERROR_LABELS = {
    "BadUsername": "names that cannot be one",
    "UnknownUser": "names that nobody has",
    "PrivateList": "private lists",
    "NotFoundOrPrivate": "names without a public list",
    "EmptyList": "empty lists",
    "ListTooLong": "lists that are too long",
}
SETUP_HINTS = {
    "myanimelist": "set MAL_CLIENT_ID (free from MyAnimeList) or HAKKEN_MAL_WEB=1",
    "jikan": "set HAKKEN_JIKAN_URL to a Jikan of your own",
}


def read_usernames(path: Path) -> list[str]:
    """Read names from a file, one a line; blank lines and those that begin with # are skipped.

    A repeated name, in whatever case, is read once.
    """
    names = [line.strip() for line in read_file(path, "text", str.splitlines)]
    found = {name.casefold(): name for name in reversed(names) if name and name[0] != "#"}
    if not found:
        raise InputError(f"{path}: holds no username; expected one a line.")
    return [name for name in names if found.pop(name.casefold(), None) is not None]


def collect_user_lists(
    source: ListSource,
    names: Mapping[int, str],
    cache: ResponseCache,
    backoff: Backoff,
    make_progress_bar: Callable[..., tqdm[None]],
) -> tuple[pl.DataFrame, Counter[str]]:
    """Collect the ratings of names, each by its user's number, and counts of what happened.

    A list that cannot be read is tried again at the end, and then counted.
    """
    tally: Counter[str] = Counter()
    found: dict[int, dict[str, Any]] = {}
    with make_progress_bar(total=len(names), desc="lists", unit=" list") as shown:
        for again in (False, True):
            for number, name in [each for each in names.items() if each[0] not in found]:
                answer = _cached_list(source, name, cache, backoff)
                if answer is not None:
                    found[number] = answer
                    shown.update()
                elif again:
                    tally["lists that could not be read yet"] += 1
    for answer in found.values():
        if "error" in answer:
            tally[ERROR_LABELS[answer["error"]]] += 1
        else:
            tally["lists"] += 1
            tally["entries without MyAnimeList's id"] += answer["unmapped"]
    rows = [
        (number, *entry)
        for number in sorted(found)
        for entry in sorted(found[number].get("entries", ()))
    ]
    return pl.DataFrame(rows, schema=RATINGS_SCHEMA, orient="row"), +tally


def _cached_list(
    source: ListSource, name: str, cache: ResponseCache, backoff: Backoff
) -> dict[str, Any] | None:
    """Return the stored or fetched list; None if it cannot be read now."""
    key = f"lists/{hashed_key(source.slug, name.casefold())}"
    response = cache.get(key)
    if response is None:
        response = _fetch_list(source, name, backoff)
        if response is not None:
            cache.put(key, response)
    return response


def _fetch_list(source: ListSource, name: str, backoff: Backoff) -> dict[str, Any] | None:
    while True:
        try:
            anime_list = source.fetch(name)
        except RateLimited as error:
            backoff.wait_for_rate_limit(error.retry_after)
        except SourceDown as error:
            late = error.trouble is Trouble.TIMED_OUT
            backoff.record_failure("timed out" if late else "no useful answer")
            return None
        except SourceNotConfigured:
            raise InputError(
                f"--source {source.slug}: cannot be asked by name here; "
                f"{SETUP_HINTS[source.slug]}, or choose another."
            ) from None
        except ListError as error:
            backoff.record_success()
            return {"error": type(error).__name__}
        else:
            backoff.record_success()
            entries = [(e.anime_id, e.score or 0.0, int(e.status)) for e in anime_list.entries]
            return {"entries": entries, "unmapped": anime_list.unmapped}
