"""Where the model comes from, and how the one that is live is kept in use.

A place (`layout`) is a directory of this host (`directory`) or a folder of a bucket (`bucket`, over
`gcs`), of which copies are kept on this host (`cache`). A `Keeper` serves what a place offers and
takes what is new there; a `Watcher` tells it when to look.
"""

from __future__ import annotations

from pathlib import Path

from app.model_store.bucket import BucketPlace
from app.model_store.directory import DirectoryPlace
from app.model_store.keeper import Keeper
from app.model_store.layout import Offer, Place, parse_url
from app.model_store.watcher import Watcher

__all__ = ["Keeper", "Offer", "Place", "Watcher", "open_place"]

PATIENCE = 20.0


def open_place(
    url: str,
    cache_dir: Path,
    *,
    patience: float | None = None,
    given_as: str = "HAKKEN_MODEL=",
) -> Place:
    """The place at a directory, a ``file://`` URL or ``gs://bucket/prefix``.

    What fails in a way that may pass is tried again for ``patience`` seconds (PATIENCE);
    ``given_as`` stands before the URL where it is refused.

    A bucket is read with the default credentials of Google's libraries. Without any, and with
    ``STORAGE_EMULATOR_HOST``, it is read anonymously, which is enough for a public one. But
    ``GOOGLE_APPLICATION_CREDENTIALS`` that cannot be used is an error: it was set to be used.

    Raises:
        ArtifactError: the URL is none of these.
    """
    parsed = parse_url(url, given_as)
    if isinstance(parsed, Path):
        return DirectoryPlace(parsed)
    return BucketPlace(parsed, cache_dir, PATIENCE if patience is None else patience)
