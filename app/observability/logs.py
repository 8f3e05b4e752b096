"""How log lines look: text or JSON, with the id of the request and without secrets.

What may be in a log at all is decided where it is written; this is the net below.
"""

from __future__ import annotations

import json
import logging
import logging.config
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

from pythonjsonlogger.json import JsonFormatter

from app.settings import AppSettings

current_request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty between requests."""

REDACTED = "(secret)"

# A line that is begun by what somebody sent would look like one of ours, or move the cursor.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160), 0x2028, 0x2029)}
_CONTROLS |= {ord("\t"): "\t", ord("\n"): "\n\t"}

LOGGER_LEVELS = {
    # Their debug lines and tracebacks hold addresses, which hold usernames and client ids.
    "urllib3": "WARNING",
    "google": "WARNING",
}


class TextFormatter(logging.Formatter):
    """A line for people: time, level, logger, request, message."""

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s")
        self._secrets = _secret_variants(hidden)

    def format(self, record: logging.LogRecord) -> str:
        """Write the line without secrets; whatever it says, what goes on below is indented."""
        found = _request_id_of(record)
        record.request = f" [{found}]" if found else ""
        return _redact(self._secrets, super().format(record)).translate(_CONTROLS)


class JsonLineFormatter(JsonFormatter):
    """A JSON object for programs.

    It has ``time`` (UTC), ``level``, ``logger``, ``message``, ``request_id``, a traceback in
    ``exc_info``, and the further fields of the line.
    """

    def __init__(self, hidden: tuple[str, ...] = ()) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "timestamp": "time"},
            timestamp=True,
            json_ensure_ascii=False,
        )
        spelt = _secret_variants(hidden)
        self._secrets = tuple(json.dumps(each, ensure_ascii=False)[1:-1] for each in spelt)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Add the id of the request."""
        if found := log_data.get("request_id") or current_request_id.get():
            log_data["request_id"] = found
        return super().process_log_record(log_data)

    def format(self, record: logging.LogRecord) -> str:
        """Write the line without secrets."""
        return _redact(self._secrets, super().format(record))


def configure_logging(settings: AppSettings) -> None:
    """Send everything that is logged to stderr, in the form that the settings ask for."""
    kind = JsonLineFormatter if settings.log_format == "json" else TextFormatter
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"lines": {"()": kind, "hidden": settings.secrets}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"level": settings.log_level, "handlers": ["stderr"]},
            "loggers": {name: {"level": level} for name, level in LOGGER_LEVELS.items()},
        }
    )
    logging.captureWarnings(capture=True)


def _request_id_of(record: logging.LogRecord) -> str:
    return str(getattr(record, "request_id", "") or current_request_id.get())


def _secret_variants(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Spell the secrets as Python and addresses quote them, too, the longest first."""
    found = {spelt for each in secrets for spelt in (each, repr(each)[1:-1], quote(each, safe=""))}
    return tuple(sorted(found, key=len, reverse=True))


def _redact(secrets: tuple[str, ...], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text
