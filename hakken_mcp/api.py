"""Asks Hakken's JSON API: of a running Hakken, or of one in this very process."""

from __future__ import annotations

import json
from typing import Any

import httpx2

PATIENCE_S = 60.0
"""A list from a slow site takes up to 20 seconds, and who asks much may have to wait."""


class ApiProblemError(Exception):
    """Hakken did not answer as asked; one sentence says why, and what to do."""


class HakkenApi:
    """One Hakken, by its address."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str) -> HakkenApi:
        """Return the Hakken that runs at an address."""
        return cls(httpx2.Client(base_url=url.rstrip("/"), timeout=PATIENCE_S))

    @classmethod
    def in_process(cls) -> HakkenApi:
        """Open Hakken here, with the settings of the environment. Raises SettingsError.

        Nobody else asks it, so it takes no limits on visitors and no names of hosts.
        """
        from app import create_app
        from app.settings import RATE_LIMIT_OFF, load_settings

        own = {"hosts": "*", "rate_lists": RATE_LIMIT_OFF, "rate_pages": RATE_LIMIT_OFF}
        app = create_app(load_settings().model_copy(update=own))
        transport = httpx2.WSGITransport(app=app.wsgi_app)
        return cls(httpx2.Client(base_url="http://localhost", transport=transport))

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return an answer of ``/api/v1``; what is None or empty in the query is left out.

        Raises
        ------
        ApiProblemError
            Hakken cannot be reached, or says that something is wrong.
        """
        given = {name: _written(value) for name, value in query.items() if value not in (None, [])}
        try:
            response = self._client.get(f"/api/v1/{path}", params=given)
            answer = response.json()
        except httpx2.HTTPError as error:
            raise ApiProblemError(
                f"No Hakken answers at {self._client.base_url} ({type(error).__name__}): "
                "start it, or check --url."
            ) from None
        except json.JSONDecodeError:
            raise ApiProblemError(
                f"What answers at {self._client.base_url} is no Hakken: check --url."
            ) from None
        if response.status_code != httpx2.codes.OK or not isinstance(answer, dict):
            told = answer.get("detail") if isinstance(answer, dict) else None
            raise ApiProblemError(told or f"Hakken answered with {response.status_code}.")
        return answer


def _written(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
