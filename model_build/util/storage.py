"""Read files of a folder on this host or below gs://bucket/prefix."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from model_build.util.errors import InputError

GCS_SCHEME = "gs://"
CONNECT_SECONDS, READ_SECONDS, RETRY_SECONDS = 5.0, 60.0, 120.0


def is_gcs_url(location: str) -> bool:
    """Whether a place is in Google Cloud Storage."""
    return location.startswith(GCS_SCHEME)


def read_bytes(location: str, name: str) -> bytes:
    """The content of the file ``name`` in a folder or below a gs:// address.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the bucket cannot be read.
    """
    if not is_gcs_url(location):
        return (Path(location) / name).read_bytes()
    from google.api_core import exceptions as api
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.storage.retry import DEFAULT_RETRY
    from requests import RequestException

    bucket, _, prefix = location[len(GCS_SCHEME) :].partition("/")
    if not bucket:
        raise InputError(f"{location}: names no bucket; write gs://bucket/prefix.")
    try:
        content: bytes = (
            _gcs_client()
            .bucket(bucket)
            .blob("/".join(filter(None, (prefix.strip("/"), name))))
            .download_as_bytes(
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                retry=DEFAULT_RETRY.with_timeout(RETRY_SECONDS),
            )
        )
    except api.NotFound:
        raise FileNotFoundError(f"{location}/{name}") from None
    except (api.GoogleAPICallError, api.RetryError, GoogleAuthError, RequestException) as error:
        words = " ".join(str(error).split())
        raise InputError(
            f"{location}/{name}: the storage cannot be read ({words[:200]}); check the credentials "
            "and the network of this host."
        ) from None
    return content


@lru_cache(maxsize=1)
def _gcs_client() -> Any:
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud.storage import Client

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return Client.create_anonymous_client()
    try:
        return Client()
    except DefaultCredentialsError:  # enough for a public bucket
        return Client.create_anonymous_client()
