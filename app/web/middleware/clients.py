"""Who asks, and for which host: addresses behind proxies, and names that are not ours."""

from __future__ import annotations

import ipaddress

from flask import Flask, request
from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from app.settings import AppSettings

PROBE_ENDPOINTS = {"health.healthz", "health.readyz", "metrics.get_metrics"}
"""What is asked by address rather than by name, by those who run this."""


def init_app(app: Flask, settings: AppSettings) -> None:
    """Believe as many proxies as the settings say, and answer to no other host names."""
    hops = settings.trusted_proxies
    if hops:
        # Not X-Forwarded-Host: proxies leave the Host header as it is, and pass a forged one on.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    trusted = settings.trusted_hosts

    def check_host() -> None:
        if not host_is_trusted(request.headers.get("Host", "").lower(), trusted):
            raise BadRequest("There is nothing here under that host name.")

    def check_request() -> None:
        if request.endpoint not in PROBE_ENDPOINTS:
            check_host()

    if trusted:
        app.before_request(check_request)


def client_address() -> str:
    """Find the address of the client; of IPv6 the network, which is what one household has."""
    text = request.remote_addr or "local"
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text[:100]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
