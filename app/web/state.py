"""What the process holds: settings, and the library that answers come from."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

from flask import current_app, g

from app.metrics import MODEL_IN_USE
from app.model_store import Keeper, Watcher, open_place
from app.model_store.keeper import Kept
from app.settings import Settings
from app.web.library import Library, open_library
from app.web.providers import Providers

__all__ = ["Hakken", "Library", "ModelMissing", "hakken", "library", "open_hakken"]


class ModelMissing(Exception):  # noqa: N818 -- it names the state, not a mistake
    """There is no model to answer with."""


class Hakken:
    """``app.extensions["hakken"]``: the settings, and a library that follows the live model.

    ``models`` says which model is in use and why not another one.
    """

    def __init__(self, settings: Settings, version: str) -> None:
        self.settings = settings
        self.version = version
        providers = Providers(settings, version)

        def read(model: Path) -> Library:
            return open_library(model, providers)

        place = partial(open_place, settings.model, settings.model_cache_dir)
        self.models = Keeper(place, read, _note)
        self._watcher = Watcher(
            lambda insist: self.models.check(insist=insist), settings.model_poll
        )

    @property
    def library(self) -> Library | None:
        """The library of the model in use at this moment."""
        kept = self.models.current
        return kept.content if kept else None

    @property
    def fault(self) -> str | None:
        """Why the live model is not in use, in one line; None when it is."""
        return self.models.fault

    def watch(self) -> None:
        """See to it that this process notices new models. To be called after forking."""
        self._watcher.start()

    def look_for_a_model(self) -> None:
        """Have the watcher look now. Safe in a signal handler."""
        self._watcher.wake()


def _note(kept: Kept[Library]) -> None:
    manifest = kept.content.model.manifest
    MODEL_IN_USE.note(manifest.version, manifest.created, kept.loaded)


def open_hakken(settings: Settings, version: str) -> Hakken:
    """Open the library; a model that cannot be used is logged and remembered as the fault."""
    held = Hakken(settings, version)
    held.models.check()
    return held


def hakken() -> Hakken:
    """What the current application holds."""
    return cast("Hakken", current_app.extensions["hakken"])


def library() -> Library:
    """The library of the current request: the same one from its beginning to its end.

    Raises:
        ModelMissing: there is none.
    """
    if "library" not in g:
        g.library = hakken().library
    found = cast("Library | None", g.library)
    if found is None:
        raise ModelMissing("Hakken is being updated: come back in a few minutes.")
    return found
