"""Where the model comes from, and how the one that is live is kept in use.

A source (`sources`) is a directory of this host, or a folder of a bucket (`gcs` or `s3`) or of a
repository (`hub`), copied to this host (`cache`). A `ModelManager` holds the model in use and takes
what is new at the source; a `Poller` says when to look.
"""

from __future__ import annotations

from pathlib import Path

from app.model_store.layout import ModelRef, ModelSource, parse_model_url
from app.model_store.manager import ModelManager, Poller
from app.model_store.sources import BucketModelSource, DirectoryModelSource

__all__ = ["ModelManager", "ModelRef", "ModelSource", "Poller", "open_model_source"]

RETRY_TIMEOUT = 20.0


def open_model_source(
    url: str,
    cache_dir: Path,
    *,
    retry_timeout: float | None = None,
    setting_prefix: str = "HAKKEN_MODEL=",
) -> ModelSource:
    """Return the source at a directory or a ``file://``, ``gs://``, ``s3://`` or ``hf://`` URL.

    What fails in a way that may pass is tried again for ``retry_timeout`` seconds;
    ``setting_prefix`` stands before the URL where it is refused.

    A bucket is read with the default credentials of Google's libraries, or of AWS's. Without any,
    and with ``STORAGE_EMULATOR_HOST``, it is read anonymously, which is enough for a public one.
    But ``GOOGLE_APPLICATION_CREDENTIALS`` that cannot be used is an error: it was set to be used.
    The Hub is read with ``HF_TOKEN`` or who is logged in there, or anonymously.
    Raises ArtifactError: the URL is none of these.
    """
    parsed = parse_model_url(url, setting_prefix)
    if isinstance(parsed, Path):
        return DirectoryModelSource(parsed)
    return BucketModelSource(
        parsed, cache_dir, RETRY_TIMEOUT if retry_timeout is None else retry_timeout
    )
