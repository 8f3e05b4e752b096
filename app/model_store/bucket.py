"""Models in a folder of a bucket: they are copied to this host and opened there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.model_store.cache import Copies
from app.model_store.gcs import BucketFolder, MissingObjectError, open_bucket
from app.model_store.layout import (
    POINTER,
    BucketUrl,
    Offer,
    digest_of,
    no_model_in,
    parse_pointer,
    read_published,
)
from app.recommender.artifact import MANIFEST, Manifest

SHORT_PATIENCE = 3.0
"""Seconds of trying to find out what is live, where a good copy can go on in the meantime."""


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """A model, or a folder of versions. What fails is tried again for ``patience`` seconds."""

    url: BucketUrl
    cache_dir: Path
    patience: float

    def look(self) -> Offer:
        """What is live now: two or three small requests."""
        most = SHORT_PATIENCE if self._copies.last_good() else self.patience
        with open_bucket(self.url, min(most, self.patience)) as place:
            folder, content, manifest = _find_manifest(place)
        there = BucketUrl(self.url.name, folder.prefix)

        def fetch(thorough: bool) -> Path:
            with open_bucket(there, self.patience) as remote:
                return self._copies.keep(remote, content, manifest, thorough=thorough)

        return Offer(manifest.version, digest_of(content), fetch)

    def nearby(self) -> Offer | None:
        """The copy that last was good on this host."""
        copy = self._copies.last_good()
        if copy is None:
            return None
        content = (copy / MANIFEST).read_bytes()
        manifest = read_published(content, copy / MANIFEST, copy.name)
        return Offer(manifest.version, digest_of(content), lambda _thorough: copy)

    def settle(self, model: Path) -> None:
        """Remember the copy as good; of the others only the one used before it is kept."""
        self._copies.settle(model)

    @property
    def _copies(self) -> Copies:
        url = f"gs://{'/'.join(filter(None, (self.url.name, self.url.prefix)))}"
        return Copies(self.cache_dir / hashlib.sha256(url.encode()).hexdigest()[:16])


def _find_manifest(place: BucketFolder) -> tuple[BucketFolder, bytes, Manifest]:
    """The folder that holds the model, the bytes of its manifest and what they say."""
    folder, pointed = place, None
    try:
        content = place.read(MANIFEST)
    except MissingObjectError as no_manifest:
        pointed = parse_pointer(_read_pointer(place, no_manifest), place.url_of(POINTER))
        folder = place.below(pointed)
        content = folder.read(MANIFEST)
    return folder, content, read_published(content, folder.url_of(MANIFEST), pointed)


def _read_pointer(place: BucketFolder, no_manifest: MissingObjectError) -> bytes:
    try:
        return place.read(POINTER)
    except MissingObjectError as no_pointer:
        for error in (no_manifest, no_pointer):
            if error.denied:
                raise error from None
        raise no_model_in(place.url, bucket=True) from None
