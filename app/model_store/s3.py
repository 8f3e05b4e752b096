"""Reads objects of a bucket of Amazon S3 or of what speaks its language; errors are one sentence.

boto3 is imported inside functions, for only those who have such a bucket install it. (It may be
used in processes that were forked; clients with threads of their own may not.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

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

CHUNK_BYTES = 1 << 20
NOT_SATISFIABLE = 416


@dataclass(frozen=True, kw_only=True)
class S3Folder(RemoteFolder):
    """The objects of a bucket of S3 below a prefix."""

    client: Any
    bucket: str

    @property
    def url(self) -> str:
        """The address of the folder, s3://BUCKET/PREFIX."""
        return f"s3://{'/'.join(filter(None, (self.bucket, self.prefix)))}"

    def copy(self, name: str, target: BoundedWriter, offset: int) -> None:
        """Write an object from a byte on."""
        from botocore.exceptions import ClientError

        part = {"Range": f"bytes={offset}-"} if offset else {}
        try:
            found = self.client.get_object(Bucket=self.bucket, Key=self.object_name(name), **part)
        except ClientError as error:
            if _status(error) != NOT_SATISFIABLE or not offset:
                raise  # else the object is no longer than that
            return
        with closing(found["Body"]) as body:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                target.write(chunk)

    @contextmanager
    def translate_errors(self, name: str) -> Iterator[None]:
        """Turn what the libraries raise into an ArtifactError."""
        from botocore import exceptions as boto

        url = self.object_url(name)
        try:
            yield
        except boto.ClientError as error:
            status = _status(error)
            if status == 404:
                raise MissingObjectError(
                    f"{url}: not found; publish the model or correct the address."
                ) from error
            if status in (401, 403):
                raise AccessDeniedError(f"{url}: {self._denied_message()}") from error
            raise StorageUnreachableError(
                f"{url}: the storage answered {status}; check the address or try again later."
            ) from error
        except (
            *(boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError),
            *(ConnectionError, TimeoutError),
        ) as error:
            raise StorageUnreachableError(
                f"{url}: the storage does not answer ({type(error).__name__}); "
                "check the network of this host or try again later."
            ) from error
        except boto.BotoCoreError as error:
            raise _configuration_error(url, error) from error

    def _denied_message(self) -> str:
        if self.anonymous:
            return "access is denied without credentials; set AWS_ACCESS_KEY_ID and its secret."
        return "access is denied to the credentials of this host; allow them what they ask for."


@contextmanager
def open_s3_folder(url: BucketUrl, retry_timeout: float) -> Iterator[S3Folder]:
    """Connect to a bucket for the duration of a ``with`` block.

    Raises ArtifactError: boto3 is not installed, or its configuration on this host cannot be used.
    """
    try:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError as error:
        raise ArtifactError(
            f"{url}: needs {error.name}, which is not installed: "
            "python -m pip install 'hakken[s3]' brings it."
        ) from None
    try:
        session = boto3.Session()
        anonymous = session.get_credentials() is None
        attempts = 1 + math.ceil(math.log2(retry_timeout + 1))
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            # The waits between tries are drawn up to 1, 2, 4, ... seconds.
            retries={"mode": "standard", "total_max_attempts": attempts},
            signature_version=UNSIGNED if anonymous else None,
        )
        client = session.client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise _configuration_error(str(url), error) from error
    with closing(client):
        yield S3Folder(
            client=client,
            bucket=url.bucket,
            prefix=url.prefix,
            retry_timeout=retry_timeout,
            anonymous=anonymous,
        )


def _status(error: Any) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _configuration_error(url: str, error: Exception) -> ArtifactError:
    words = " ".join(str(error).split()).rstrip(".")
    return ArtifactError(f"{url}: cannot be asked ({words}); correct AWS's settings of this host.")
