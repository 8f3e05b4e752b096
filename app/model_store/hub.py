"""Reads files of a repository of the Hugging Face Hub; every failure is one sentence.

huggingface_hub is imported inside functions, for only those who have models there install it. It is
asked for addresses, credentials and its HTTP client, not for its cache: copies are ours.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any
from urllib.parse import unquote

from app import VERSION
from app.model_store.layout import BucketUrl, StorageUnreachableError
from app.model_store.remote import (
    CONNECT_SECONDS,
    READ_DEADLINE,
    READ_SECONDS,
    AccessDeniedError,
    BoundedWriter,
    MissingObjectError,
    RemoteFolder,
    run_with_deadline,
)
from app.recommender.artifact import ArtifactError

NEEDED_CLIENT = "2.4"
FIRST_WAIT = 0.25
OK = 200
PARTIAL_CONTENT = 206
NOT_SATISFIABLE = 416
RETRIED_STATUSES = (408, 500, 502, 503, 504)

_CLIENT_SETTINGS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # Xet's threads end with a fork, and no deadline of ours reaches them.
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_VERBOSITY": "error",
}
"""What the client reads from the environment when it is imported, unless it is set there."""


@dataclass(frozen=True, kw_only=True)
class HubFolder(RemoteFolder):
    """The files of a repository of models below a prefix, on one branch, tag or commit.

    ``repository`` is ``owner/name``; without a ``revision`` it is the branch ``main``.
    """

    api: Any
    token: str | None = field(repr=False)
    repository: str
    revision: str | None
    address: str

    @property
    def url(self) -> str:
        """The address of the folder, hf://OWNER/NAME@REVISION/PREFIX."""
        return f"hf://{'/'.join(filter(None, (self.address, self.prefix)))}"

    def copy(self, name: str, target: BoundedWriter, offset: int) -> None:
        """Write a file from a byte on."""
        from httpx2 import NetworkError, RemoteProtocolError, TimeoutException
        from huggingface_hub.errors import HfHubHTTPError

        end, wait = time.monotonic() + self.retry_timeout, FIRST_WAIT
        while True:
            try:
                return self._copy_at_once(name, target, offset)
            except (HfHubHTTPError, NetworkError, RemoteProtocolError, TimeoutException) as error:
                left = end - time.monotonic()
                answer = error.response if isinstance(error, HfHubHTTPError) else None
                if left <= 0 or (answer is not None and answer.status_code not in RETRIED_STATUSES):
                    raise
                time.sleep(min(max(wait, _retry_after(answer)), left))
            wait *= 2

    def _copy_at_once(self, name: str, target: BoundedWriter, offset: int) -> None:
        import httpx2
        from huggingface_hub import hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError
        from huggingface_hub.utils import http_stream_backoff

        headers = {"User-Agent": f"hakken/{VERSION}", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with http_stream_backoff(
            "GET",
            hf_hub_url(
                self.repository,
                self.object_name(name),
                revision=self.revision,
                endpoint=self.api.endpoint,
            ),
            headers=headers,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            # Its own waits are as long as the answer asks for, and it reads all of an error first.
            max_retries=0,
            retry_on_status_codes=(),
        ) as answer:
            if answer.status_code == NOT_SATISFIABLE and offset:
                return  # the file is no longer than that
            if answer.status_code not in (OK, PARTIAL_CONTENT):
                raise HfHubHTTPError(str(answer.status_code), response=answer)
            known = 0 if answer.status_code == PARTIAL_CONTENT else offset
            try:
                for chunk in answer.iter_bytes():
                    target.write(chunk[known:])
                    known = max(0, known - len(chunk))
            except httpx2.TransportError as error:
                # Under its own name it would be asked again, as if nothing had been written.
                raise ConnectionError(type(error).__name__) from error

    @contextmanager
    def translate_errors(self, name: str) -> Iterator[None]:
        """Turn what the client raises into an ArtifactError."""
        from httpx2 import HTTPError, InvalidURL
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        url = self.object_url(name)
        try:
            yield
        except HfHubHTTPError as error:
            raise self._refusal(url, error.response) from error
        except (HTTPError, InvalidURL, ConnectionError, TimeoutError) as error:
            raise _unreachable(url, error.__cause__ or error) from error
        except RuntimeError as error:  # an upload that failed, for the reason that it carries
            if isinstance(error.__cause__, HfHubHTTPError):
                raise self._refusal(url, error.__cause__.response) from error
            raise _unreachable(url, error.__cause__ or error) from error
        except HFValidationError as error:
            raise ArtifactError(
                f"{url}: no repository has such a name; correct the address."
            ) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StorageUnreachableError(
                f"{url}: what answered does not speak as the Hub does ({type(error).__name__}); "
                "check HF_ENDPOINT or try again later."
            ) from error

    def _refusal(self, url: str, answer: Any) -> ArtifactError:
        status, code = answer.status_code, answer.headers.get("X-Error-Code")
        if code == "EntryNotFound":
            return MissingObjectError(
                f"{url}: not found; publish the model or correct the address."
            )
        if code == "RevisionNotFound":
            return ArtifactError(
                f"{url}: the repository has no such branch, tag or commit; correct the address."
            )
        if status == 404:
            return ArtifactError(
                f"{url}: there is no such repository, or it is not for this token; "
                "create it at the Hub, correct the address or set another HF_TOKEN."
            )
        if status in (401, 403):
            return AccessDeniedError(f"{url}: {self._denied_message(status, code)}")
        if status == 429:
            return StorageUnreachableError(
                f"{url}: the Hub has had too many requests for now; try again later"
                f"{', or set HF_TOKEN' if self.anonymous else ''}."
            )
        return StorageUnreachableError(
            f"{url}: the Hub answered {status}; check the address or try again later."
        )

    def _denied_message(self, status: int, code: str | None) -> str:
        if code == "GatedRepo":
            return "the repository is gated; ask for access on its page at the Hub."
        if self.anonymous:
            return (
                "there is no such repository, or it is not for strangers; "
                "correct the address or set HF_TOKEN."
            )
        if status == 401:
            return (
                "the Hub does not know the token of this host; set HF_TOKEN to one that is valid."
            )
        return "the token of this host may not do that; give it the right to, or set HF_TOKEN."


@contextmanager
def open_hub_folder(url: BucketUrl, retry_timeout: float) -> Iterator[HubFolder]:
    """Return the folder for the duration of a ``with`` block; the client is the process's.

    Raises ArtifactError: huggingface_hub is not installed, or its token cannot be had.
    """
    for variable, value in _CLIENT_SETTINGS.items():
        os.environ.setdefault(variable, value)
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import DeviceCodeError  # noqa: F401 -- earlier ones have none
    except ModuleNotFoundError as error:
        raise ArtifactError(
            f"{url}: needs {error.name}, which is not installed: "
            "python -m pip install 'hakken[hf]' brings it."
        ) from None
    except ImportError:
        raise ArtifactError(
            f"{url}: needs huggingface_hub {NEEDED_CLIENT} or later of its series, and "
            f"{metadata.version('huggingface_hub')} is installed: "
            "python -m pip install 'hakken[hf]' brings it."
        ) from None
    # It tells of every request, with addresses that let whoever has them in.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    token = _find_token(url, retry_timeout)
    repository, _, revision = url.bucket.partition("@")
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    api = HfApi(
        endpoint=endpoint or None,
        token=token or False,
        library_name="hakken",
        library_version=VERSION,
    )
    yield HubFolder(
        api=api,
        token=token,
        repository=repository,
        revision=unquote(revision) or None,
        address=url.bucket,
        prefix=url.prefix,
        retry_timeout=retry_timeout,
        anonymous=token is None,
    )


def _find_token(url: BucketUrl, retry_timeout: float) -> str | None:
    from httpx2 import HTTPError, InvalidURL
    from huggingface_hub import get_token
    from huggingface_hub.errors import DeviceCodeError, OIDCError

    failures = (DeviceCodeError, OIDCError, HTTPError, InvalidURL)
    try:
        # It may ask the Hub for one, and has no deadline of its own.
        token: str | None = run_with_deadline(get_token, retry_timeout + READ_DEADLINE)
    except (*failures, OSError, LookupError, TypeError, ValueError) as error:
        words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ArtifactError(
            f"{url}: the token of this host cannot be had ({words}); set HF_TOKEN."
        ) from error
    if token and not (token.isascii() and token.isprintable()):
        raise ArtifactError(
            f"{url}: the token of this host has characters in it that no token has; "
            "set HF_TOKEN to what the Hub shows of it."
        )
    return token


def _retry_after(answer: Any) -> float:
    """For how many seconds not to ask; 0 where no answer says it, or it names a date."""
    told = answer.headers.get("Retry-After", "").strip() if answer is not None else ""
    return float(told) if told.isdecimal() else 0.0


def _unreachable(url: str, error: BaseException) -> ArtifactError:
    return StorageUnreachableError(
        f"{url}: the Hub does not answer ({type(error).__name__}); "
        "check the network of this host, HF_ENDPOINT and HF_HUB_OFFLINE, or try again later."
    )
