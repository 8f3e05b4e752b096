"""Reads objects of a Google Cloud Storage bucket; every failure is one sentence.

Google's libraries are imported inside functions: a model on this host needs none of them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.model_store.layout import BucketUrl, StorageUnreachableError
from app.model_store.remote import (
    CONNECT_SECONDS,
    READ_SECONDS,
    AccessDeniedError,
    BoundedWriter,
    MissingObjectError,
    RemoteFolder,
)
from app.recommender.artifact import ArtifactError

if TYPE_CHECKING:
    from google.cloud.storage import Bucket, Client

DISABLE_METADATA_VARIABLE = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
READ_ONLY_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
READ_WRITE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BucketFolder(RemoteFolder):
    """The objects of a bucket of Google's below a prefix."""

    bucket: Bucket
    required_role: str

    @property
    def url(self) -> str:
        """The address of the folder, gs://BUCKET/PREFIX."""
        return f"gs://{'/'.join(filter(None, (self.bucket.name, self.prefix)))}"

    def copy(self, name: str, target: BoundedWriter, offset: int) -> None:
        """Write an object from a byte on."""
        from google.api_core.exceptions import RequestRangeNotSatisfiable

        blob = self.bucket.blob(self.object_name(name))
        try:
            blob.download_to_file(target, start=offset or None, **self.request_options())
        except RequestRangeNotSatisfiable:  # the object is no longer than that
            if not offset:
                raise

    def request_options(self) -> dict[str, Any]:
        """How long a request may take, and when it is repeated: arguments of Google's methods."""
        from google.cloud.storage.retry import DEFAULT_RETRY

        retry = DEFAULT_RETRY.with_delay(initial=0.25, maximum=5.0).with_timeout(self.retry_timeout)
        return {"timeout": (CONNECT_SECONDS, READ_SECONDS), "retry": retry}

    @contextmanager
    def translate_errors(self, name: str) -> Iterator[None]:
        """Turn what the libraries raise into an ArtifactError."""
        from google.api_core import exceptions as api
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.cloud.storage.exceptions import DataCorruption
        from requests import RequestException
        from urllib3.exceptions import HTTPError

        url = self.object_url(name)
        try:
            yield
        except api.NotFound as error:
            raise MissingObjectError(
                f"{url}: not found; publish the model or correct the address."
            ) from error
        except (api.Forbidden, api.Unauthorized) as error:
            raise AccessDeniedError(f"{url}: {self._denied_message()}") from error
        except DataCorruption as error:
            raise ArtifactError(
                f"{url}: what arrived does not have the checksum of the object; try again."
            ) from error
        except api.GoogleAPICallError as error:
            raise StorageUnreachableError(
                f"{url}: the storage answered {error.code}; check the address or try again later."
            ) from error
        except (
            *(api.RetryError, TransportError, RequestException, HTTPError),
            *(ConnectionError, TimeoutError),
        ) as error:
            cause = type(getattr(error, "cause", None) or error).__name__
            raise StorageUnreachableError(
                f"{url}: the storage does not answer ({cause}); "
                "check the network of this host or try again later."
            ) from error
        except GoogleAuthError as error:
            if self.anonymous:  # a 401, and there is nothing to renew
                raise AccessDeniedError(f"{url}: {self._denied_message()}") from error
            raise _credentials_error(url) from error

    def _denied_message(self) -> str:
        if self.anonymous:
            return (
                "access is denied without credentials; "
                "set GOOGLE_APPLICATION_CREDENTIALS or make the bucket public."
            )
        return (
            "access is denied to the credentials of this host; "
            f"grant them the role {self.required_role} on the bucket."
        )


def connect_bucket(url: BucketUrl, retry_timeout: float, *, write: bool = False) -> BucketFolder:
    """Connect to a bucket, to read or also to ``write``; its client is never closed.

    Raises ArtifactError: the credentials of this host cannot be used.
    """
    client, anonymous = _create_client(
        f"gs://{url.bucket}", READ_WRITE_SCOPE if write else READ_ONLY_SCOPE
    )
    role = "Storage Object User" if write else "Storage Object Viewer"
    return BucketFolder(
        bucket=client.bucket(url.bucket),
        prefix=url.prefix,
        retry_timeout=retry_timeout,
        anonymous=anonymous,
        required_role=role,
    )


@contextmanager
def open_bucket(
    url: BucketUrl, retry_timeout: float, *, write: bool = False
) -> Iterator[BucketFolder]:
    """`connect_bucket` for the duration of a ``with`` block."""
    folder = connect_bucket(url, retry_timeout, write=write)
    with closing(folder.bucket.client):
        yield folder


def _create_client(url: str, scope: str) -> tuple[Client, bool]:
    """Return a client, and whether it is anonymous."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.cloud.storage import Client

    # Else the library asks for the bucket's description in a thread of its own, which may outlive
    # the client and needs a permission that reading objects does not.
    os.environ.setdefault(DISABLE_METADATA_VARIABLE, "true")
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return Client.create_anonymous_client(), True
    try:
        credentials, _ = google.auth.default(scopes=[scope])
    except DefaultCredentialsError as error:
        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            raise _credentials_error(url) from error
        _log.info("no credentials found, reading %s anonymously", url)
        return Client.create_anonymous_client(), True
    except (GoogleAuthError, OSError) as error:
        raise _credentials_error(url) from error
    return Client(project=None, credentials=credentials), False


def _credentials_error(url: str) -> ArtifactError:
    return ArtifactError(
        f"{url}: the credentials of this host cannot be used; correct "
        "GOOGLE_APPLICATION_CREDENTIALS or run `gcloud auth application-default login`."
    )
