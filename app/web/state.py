"""What the process holds: settings, and the library that answers come from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Protocol, cast

from flask import current_app, g, request

from app.model_store import ModelManager, Poller, open_model_source
from app.model_store.manager import LoadedModel
from app.observability.metrics import ACTIVE_MODEL
from app.settings import AppSettings
from app.translation import current_language
from app.web.presenters.trial import try_pages
from app.web.services.library import DataProviders, Library, ModelUnavailable, load_library


class AppState:
    """``app.extensions["hakken"]``: the settings, and a library that follows the live model.

    ``model_manager`` says which model is in use and why not another one; one that cannot be used is
    logged. ``poller`` looks for new ones: it is to be started after forking. Where a model is
    tried, it answers once before it is used.
    """

    def __init__(self, settings: AppSettings, version: str, *, is_tried: bool = True) -> None:
        self.settings = settings
        self.version = version
        self.providers = DataProviders(settings, version)
        self._is_tried = is_tried
        open_source = partial(open_model_source, settings.model, settings.model_cache)
        manager = ModelManager(open_source, self._load, _record_model_in_use)
        self.model_manager = manager
        self.poller = Poller(lambda asked: manager.refresh(force=asked), settings.model_poll)
        manager.refresh()

    @property
    def library(self) -> Library | None:
        """The library of the model in use at this moment."""
        loaded_model = self.model_manager.current
        return loaded_model.content if loaded_model else None

    def _load(self, model: Path) -> Library:
        ceiling, is_tried = self.settings.max_rating, self._is_tried
        library = load_library(model, self.providers, ceiling, is_tried=is_tried)
        if is_tried:
            try_pages(library)
        # Last, for this is seen by requests with the model before, too.
        self.providers.update_id_maps(library.catalogue)
        return library


def _record_model_in_use(loaded_model: LoadedModel[Library]) -> None:
    manifest = loaded_model.content.model.manifest
    ACTIVE_MODEL.set_active(manifest.version, manifest.created_at, loaded_model.loaded_at)


def get_app_state() -> AppState:
    """Return what the current application holds."""
    return cast("AppState", current_app.extensions["hakken"])


def get_library() -> Library:
    """Return the library of the request: the same one from its beginning to its end.

    Raises ModelUnavailable: there is none.
    """
    if "library" not in g:
        g.library = get_app_state().library
    found = cast("Library | None", g.library)
    if found is None:
        raise ModelUnavailable("Hakken is being updated: come back in a few minutes.")
    return found


class ShownAnime(Protocol):
    """An anime, or what a card shows of one."""

    @property
    def anime_id(self) -> int:
        """Its number on MyAnimeList."""

    @property
    def title(self) -> str:
        """What it is called on the page."""

    @property
    def picture(self) -> str | None:
        """The address of its picture in the catalogue."""


def find_picture(item: ShownAnime) -> str | None:
    """Return the address of a picture: that of the catalogue, else one that was fetched lately."""
    return item.picture or get_library().details_cache.get_picture(item.anime_id)


def keep_card_part(
    name: str, item: ShownAnime, *depends_on: Hashable, caller: Callable[[], str]
) -> str:
    """Render a part of a card, or find it rendered for another list: in a template, ``kept``.

    Nothing in it may depend on the list. That it is of this anime, so called, in the language of
    the page and with addresses below this root need not be said in ``depends_on``.
    """
    key = (name, item.anime_id, item.title, current_language.get(), request.script_root)
    return get_library().card_parts.get_or_render((*key, *depends_on), caller)
