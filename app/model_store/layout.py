"""What a place for models looks like.

It holds a model when ``manifest.json`` is in it; otherwise its text file ``latest`` names the
version that is live, and every version is in the folder of its name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from app.recommender.artifact import MANIFEST_FILE, ArtifactError, Manifest, parse_manifest

POINTER_FILE = "latest"
MAX_POINTER_BYTES = 1024

BUCKET_SCHEMES = ("gs", "s3")
HUB_TYPES = ("models", "datasets", "spaces", "kernels", "buckets")
"""What the Hub's own addresses may begin with in place of an owner."""
_NO_HUB_FOLDERS = frozenset(("", ".", "..", ".git"))
_URL_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_VERSION_ADAPTER: TypeAdapter[str] = TypeAdapter(Annotated[str, Manifest.model_fields["version"]])


class StorageUnreachableError(ArtifactError):
    """Nothing is known to be wrong with the model, but it cannot be had at the moment."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The model that a place has for whoever serves it.

    ``digest`` is the sha256 of its manifest, and so stands for all of it. ``fetch`` returns its
    directory on this host, which may take a download; ``fetch(True)`` also makes sure that a copy
    made earlier still is what was published. It raises ArtifactError.
    """

    version: str
    digest: str
    fetch: Callable[[bool], Path]


class ModelSource(Protocol):
    """Where the model is: what is live, and how it comes to this host."""

    def latest(self) -> ModelRef:
        """Return what is live now.

        Raises StorageUnreachableError: the storage cannot be asked at the moment; ArtifactError:
        there is no model, or it cannot be read.
        """

    def local_copy(self) -> ModelRef | None:
        """Return what can be had without any network: the model that last was good here."""

    def commit(self, model: Path) -> None:
        """Remember that this model is good, and clear away what is left of others."""


@dataclass(frozen=True, slots=True)
class BucketUrl:
    """``gs://name/prefix``, ``s3://name/prefix`` or ``hf://owner/name@revision/prefix``.

    ``bucket`` is all that stands before the prefix.
    """

    bucket: str
    prefix: str
    scheme: str = "gs"

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(filter(None, (self.bucket, self.prefix)))}"


def parse_model_url(url: str, setting_prefix: str) -> Path | BucketUrl:
    """Read a directory, a ``file://`` URL, ``gs://bucket/prefix`` or what is like that.

    ``setting_prefix`` stands before the URL in messages: ``HAKKEN_MODEL=`` or ``--to``. Raises
    ArtifactError: it is none of these.
    """
    match = _URL_SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    if scheme in BUCKET_SCHEMES:
        bucket, _, prefix = url[len("gs://") :].partition("/")
        if not bucket:
            raise ArtifactError(
                f"{setting_prefix}{url!r} names no bucket; write {scheme}://bucket/prefix."
            )
        return BucketUrl(bucket, prefix.strip("/"), scheme)
    if scheme == "hf":
        owner, name, *folders = [*url[len("hf://") :].rstrip("/").split("/"), ""]
        name, at, revision = name.partition("@")
        if not owner or not name or owner in HUB_TYPES or "@" in owner:
            raise ArtifactError(
                f"{setting_prefix}{url!r} names no repository of models; "
                "write hf://owner/name, hf://owner/name@branch or hf://owner/name/folder."
            )
        folders = folders[:-1]
        if not _NO_HUB_FOLDERS.isdisjoint(folders) or not url.isprintable():
            raise ArtifactError(
                f"{setting_prefix}{url!r} names a folder that no repository can have; "
                "write hf://owner/name/folder."
            )
        if unquote(revision) in (".", ".."):
            raise ArtifactError(
                f"{setting_prefix}{url!r} names no branch; write hf://owner/name@branch."
            )
        return BucketUrl(f"{owner}/{name}{at}{revision}", "/".join(folders), scheme)
    if scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise ArtifactError(
                f"{setting_prefix}{url!r} does not name a directory of this host; "
                "write file:/// and the absolute path."
            )
        return Path(unquote(parts.path))
    if scheme or not url:
        raise ArtifactError(
            f"{setting_prefix}{url!r} is not a place for a model; "
            "set it to a directory, file:///directory, gs://bucket/prefix, s3://bucket/prefix "
            "or hf://owner/name."
        )
    return Path(url)


def parse_pointer(content: bytes, origin: Path | str) -> str:
    """Return the version that a pointer names, safe to use as the name of a folder.

    Raises ArtifactError: it names none.
    """
    try:
        return _VERSION_ADAPTER.validate_python(content.decode("utf-8").strip())
    except (UnicodeDecodeError, ValidationError):
        raise ArtifactError(
            f"{origin}: {content[:80]!r} is not the name of a version; write one into it."
        ) from None


def is_version_name(name: str) -> bool:
    """Whether a folder of this name can hold a version."""
    try:
        _VERSION_ADAPTER.validate_python(name)
    except ValidationError:
        return False
    return True


def parse_published_manifest(
    content: bytes, origin: Path | str, expected_version: str | None
) -> Manifest:
    """Return the manifest of a model; ``expected_version`` is what the pointer names, if any.

    Raises ArtifactError: it is damaged, or of another version.
    """
    try:
        manifest = parse_manifest(content.decode("utf-8"), origin)
    except UnicodeDecodeError:
        raise ArtifactError(f"{origin}: not UTF-8 text; publish the model again.") from None
    if expected_version not in (None, manifest.version):
        raise ArtifactError(
            f"{origin}: the manifest says version {manifest.version}, "
            f"but {POINTER_FILE} names {expected_version}; publish the model again."
        )
    return manifest


def no_model_error(location: str, *, bucket: bool = False) -> ArtifactError:
    """Return the error of a place without anything in it."""
    return ArtifactError(
        f"{location}: neither {MANIFEST_FILE} nor {POINTER_FILE} is there"
        f"{', or there is no such bucket' if bucket else ''}; "
        "publish a model there or correct HAKKEN_MODEL."
    )


def manifest_digest(content: bytes) -> str:
    """Return what `ModelRef.digest` holds for this manifest."""
    return hashlib.sha256(content).hexdigest()
