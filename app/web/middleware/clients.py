"""Who asks, and for which host: addresses behind proxies, and names that are not ours."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from app.settings import AppSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_MAX_HOST_LENGTH, _MAX_PORT = 260, 65535
_BAD_HOST = "hakken.bad_host"
_WITH_PORT = re.compile(r"\[?(?P<address>[0-9A-Fa-f:.]+?)\]?:[0-9]{1,5}")
PROBE_ENDPOINTS = {"health.healthz", "health.readyz", "health.get_metrics"}
"""What is asked by address rather than by name, by those who run this."""


def init_app(app: Flask, settings: AppSettings) -> None:
    """Believe as many proxies as the settings say, and answer to no other host names."""
    app.wsgi_app = _HostGuard(app.wsgi_app)  # type: ignore[method-assign]
    hops = settings.trusted_proxies
    if hops:
        # Not X-Forwarded-Host: proxies leave the Host header as it is, and pass a forged one on.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    trusted = settings.trusted_hosts

    def check_host() -> None:
        if request.environ.get(_BAD_HOST):
            raise BadRequest("That is not the name of a host.")
        if not trusted or request.endpoint in PROBE_ENDPOINTS:
            return
        if not host_is_trusted(request.headers.get("Host", "").lower(), trusted):
            raise BadRequest("There is nothing here under that host name.")

    app.before_request(check_host)


class _HostGuard:
    """Keeps host names that are none from those who would fail by them, outside all our handlers.

    Such a request goes on under another name, to be refused like any other.
    """

    def __init__(self, wsgi_app: WSGIApplication) -> None:
        self._wsgi_app = wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        if host and not _is_host(host):
            environ["HTTP_HOST"] = "localhost"
            environ[_BAD_HOST] = True
        if environ["wsgi.url_scheme"] not in {"http", "https"}:  # a proxy may pass on anything
            environ["wsgi.url_scheme"] = "http"
        return self._wsgi_app(environ, start_response)


def _is_host(text: str) -> bool:
    found = _HOST.fullmatch(text) if len(text) <= _MAX_HOST_LENGTH else None
    return found is not None and int(found["port"] or 0) <= _MAX_PORT


def client_address() -> str:
    """Find the address of the client; of IPv6 the network, which is what one household has.

    Where a proxy wrote something that is no address, it is that of the proxy: those who can put
    words there must not be somebody new each time.
    """
    original = request.environ.get("werkzeug.proxy_fix.orig") or {}
    connected = str(original.get("REMOTE_ADDR") or "local")
    address = _parse_address(request.remote_addr or "local") or _parse_address(connected)
    if address is None:
        return "local"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address; some proxies write a port behind it. None for what is none."""
    with_port = _WITH_PORT.fullmatch(text) if "." in text or text.startswith("[") else None
    for each in (text, with_port["address"] if with_port else ""):
        try:
            return ipaddress.ip_address(each.partition("%")[0].strip("[]"))
        except ValueError:
            continue
    return None
