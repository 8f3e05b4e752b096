"""Read files of a folder on this host or below gs://bucket/prefix."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from app.model_store.gcs import BucketFolder, connect_bucket
from app.model_store.layout import BucketUrl
from app.model_store.remote import MissingObjectError
from app.recommender.artifact import ArtifactError
from model_build.util.errors import InputError

GCS_SCHEME = "gs://"
RETRY_SECONDS = 120.0


def is_url(location: str) -> bool:
    """Whether it is the address of something elsewhere, and no path of this host."""
    return "://" in location


def is_gcs_url(location: str) -> bool:
    """Whether a location is in Google Cloud Storage."""
    return location.startswith(GCS_SCHEME)


def read_bytes(location: str, name: str) -> bytes:
    """Return the content of the file ``name`` in a folder or below a gs:// URL.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    InputError
        The bucket cannot be read.
    """
    if not is_gcs_url(location):
        return (Path(location) / name).read_bytes()
    bucket, _, prefix = location[len(GCS_SCHEME) :].partition("/")
    if not bucket:
        raise InputError(f"{location}: names no bucket; write gs://bucket/prefix.")
    try:
        return _connect(bucket).read("/".join(filter(None, (prefix.strip("/"), name))))
    except MissingObjectError:
        raise FileNotFoundError(f"{location}/{name}") from None
    except ArtifactError as error:
        raise InputError(str(error)) from None


@lru_cache(maxsize=4)
def _connect(bucket: str) -> BucketFolder:
    """One client for all partitions of a process."""
    return connect_bucket(BucketUrl(bucket, ""), RETRY_SECONDS)
