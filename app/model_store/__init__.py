"""Where the model is: a directory on this host, or a folder of a bucket that is copied to it.

A place holds a model when ``manifest.json`` is in it; otherwise its text file ``latest`` names the
version, and the model is in the folder of that name.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from app.model_store.cache import keep_copy
from app.model_store.gcs import BucketFolder, MissingObjectError, open_bucket
from app.recommender.artifact import MANIFEST, ArtifactError, Manifest, parse_manifest

POINTER = "latest"
PATIENCE = 20.0

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_VERSION: TypeAdapter[str] = TypeAdapter(Annotated[str, Manifest.model_fields["version"]])


def locate_model(url: str, cache_dir: Path, *, patience: float = PATIENCE) -> Path:
    """Return the directory of the model at ``url``, ready for ``open_artifact``.

    ``url`` is a directory, a ``file://`` URL or ``gs://bucket/prefix``. A model from a bucket is
    downloaded once into ``cache_dir``; later calls read its manifest again and download nothing.
    Of several processes that start together one downloads and the others wait for it.

    The bucket is read with the default credentials of Google's libraries. Without any, and with
    ``STORAGE_EMULATOR_HOST``, it is read anonymously, which is enough for a public one. But
    ``GOOGLE_APPLICATION_CREDENTIALS`` that cannot be used stops here: it was set to be used.

    A request that fails in a way that may pass is tried again for ``patience`` seconds.

    Raises:
        ArtifactError: the URL cannot be used, there is no model behind it, the storage cannot be
            reached or refuses, or a download is not what the manifest says.
    """
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    if scheme == "gs":
        return _from_bucket(url, cache_dir, patience)
    if scheme == "file":
        return _on_this_host(_file_url_path(url))
    if scheme or not url:
        raise ArtifactError(
            f"HAKKEN_MODEL={url!r} is not a place for a model; "
            "set it to a directory, file:///directory or gs://bucket/prefix."
        )
    return _on_this_host(Path(url))


def _file_url_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise ArtifactError(
            f"HAKKEN_MODEL={url!r} does not name a directory of this host; "
            "write file:/// and the absolute path."
        )
    return Path(unquote(parts.path))


def _on_this_host(place: Path) -> Path:
    try:
        if (place / MANIFEST).is_file():
            return place
        pointer = place / POINTER
        if not pointer.is_file():
            raise ArtifactError(
                f"{place}: neither {MANIFEST} nor {POINTER} is there; "
                "put a model there or correct HAKKEN_MODEL."
            )
        model = place / _version(pointer.read_bytes(), pointer)
        if not (model / MANIFEST).is_file():
            raise ArtifactError(
                f"{model / MANIFEST}: missing, but {pointer} names version {model.name}; "
                "restore that version or point to another one."
            )
    except OSError as error:
        raise ArtifactError(
            f"{place}: cannot be read ({error.strerror or error}); "
            "correct its permissions or HAKKEN_MODEL."
        ) from error
    return model


def _from_bucket(url: str, cache_dir: Path, patience: float) -> Path:
    bucket, _, prefix = url[len("gs://") :].partition("/")
    prefix = prefix.strip("/")
    if not bucket:
        raise ArtifactError(f"HAKKEN_MODEL={url!r} names no bucket; write gs://bucket/prefix.")
    with open_bucket(bucket, prefix, patience) as place:
        folder, text, manifest = _find_manifest(place)
        key = hashlib.sha256(place.url.encode()).hexdigest()[:16]
        return keep_copy(folder, text, manifest, cache_dir / key)


def _find_manifest(place: BucketFolder) -> tuple[BucketFolder, bytes, Manifest]:
    """The folder that holds the model, the bytes of its manifest and what they say."""
    pointed = None
    try:
        text = place.read(MANIFEST)
        folder = place
    except MissingObjectError as no_manifest:
        pointed = _version(_read_pointer(place, no_manifest), place.url_of(POINTER))
        folder = place.below(pointed)
        text = folder.read(MANIFEST)
    origin = folder.url_of(MANIFEST)
    try:
        manifest = parse_manifest(text.decode("utf-8"), origin)
    except UnicodeDecodeError:
        raise ArtifactError(f"{origin}: not UTF-8 text; publish the model again.") from None
    if pointed not in (None, manifest.version):
        raise ArtifactError(
            f"{origin}: the manifest says version {manifest.version}, "
            f"but {POINTER} names {pointed}; publish the model again."
        )
    return folder, text, manifest


def _read_pointer(place: BucketFolder, no_manifest: MissingObjectError) -> bytes:
    try:
        return place.read(POINTER)
    except MissingObjectError as no_pointer:
        for error in (no_manifest, no_pointer):
            if error.denied:
                raise error from None
        raise ArtifactError(
            f"{place.url}: neither {MANIFEST} nor {POINTER} is there, or there is no such bucket; "
            "publish a model there or correct HAKKEN_MODEL."
        ) from None


def _version(pointer: bytes, origin: Path | str) -> str:
    """The version that a pointer names, safe to use as the name of a folder."""
    try:
        return _VERSION.validate_python(pointer.decode("utf-8").strip())
    except (UnicodeDecodeError, ValidationError):
        raise ArtifactError(
            f"{origin}: {pointer[:80]!r} is not the name of a version; write one into it."
        ) from None
