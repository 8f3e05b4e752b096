"""Bugs, reported to a Sentry if there is one: which exception and where, never about whom."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from app.settings import SettingsError

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_ALLOWED_EVENT_KEYS = {
    *("event_id", "timestamp", "platform", "level", "release", "environment", "exception"),
    *("sdk", "tags", "transaction", "contexts"),
}
_ALLOWED_CONTEXTS = {"runtime", "trace"}


def init_sentry(dsn: str, version: str) -> None:
    """Report to ``dsn`` from now on.

    Raises SettingsError: the package is not installed, or the address is none of a Sentry.
    """
    try:
        import sentry_sdk
    except ImportError:
        raise SettingsError(
            "HAKKEN_SENTRY_DSN: the package sentry-sdk is not installed; "
            "run pip install sentry-sdk, or unset the variable."
        ) from None
    try:
        sentry_sdk.init(
            dsn,
            release=f"hakken@{version}",
            # Nothing is reported but what `report_exception` is given.
            default_integrations=False,
            auto_enabling_integrations=False,
            send_default_pii=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            max_request_body_size="never",
            server_name="",
            traces_sample_rate=None,
            before_send=_scrub_event,
        )
    except sentry_sdk.utils.BadDsn:
        raise SettingsError("HAKKEN_SENTRY_DSN: not the address of a Sentry project.") from None


def report_exception(error: BaseException, request_id: str, route: str) -> None:
    """Report a bug; nothing happens unless `init_sentry` was called."""
    sdk = sys.modules.get("sentry_sdk")
    if sdk is None:
        return
    with sdk.new_scope() as scope:
        scope.set_transaction_name(route)
        scope.set_tag("request_id", request_id)
        scope.capture_exception(error)


def _scrub_event(event: Event, _hint: Hint) -> Event:
    """Strip the event of what exceptions say, which may name a user, and of all else."""
    kept: dict[str, Any] = {
        name: value for name, value in event.items() if name in _ALLOWED_EVENT_KEYS
    }
    contexts = kept.get("contexts", {})
    kept["contexts"] = {name: contexts[name] for name in _ALLOWED_CONTEXTS if name in contexts}
    for exception in kept.get("exception", {}).get("values", ()):
        exception["value"] = ""
    return kept  # type: ignore[return-value]
