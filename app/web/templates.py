"""Templates: compiled ones are kept beside compiled modules; and addresses for them.

Compiling takes a tenth of a start.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from flask import Flask, url_for
from flask.templating import Environment
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket
from werkzeug.urls import iri_to_uri

from app.web.addresses import current_address, own_origin

FOLDER = Path(__file__).with_name("__pycache__")
"""Whoever may write here may change the code itself, so nobody else can plant anything."""


class TemplateCache(FileSystemBytecodeCache):
    """Keeps each template for as long as its source and the settings of its compiler are the same.

    Where nothing can be written, as Python's own, nothing is kept.
    """

    def __init__(self, environment: Environment, folder: Path = FOLDER) -> None:
        blanks = environment.trim_blocks, environment.lstrip_blocks
        trimmed = environment.policies["ext.i18n.trimmed"]
        compiler = f"{version('jinja2')} {blanks} {trimmed} {sorted(environment.extensions)}"
        digest = hashlib.sha256(compiler.encode()).hexdigest()[:12]
        super().__init__(str(folder), f"{digest}-%s.jinja")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read what was kept of a template, if it is of the same source."""
        with suppress(OSError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)


YEAR_SECONDS = 365 * 24 * 3600


def init_app(app: Flask) -> None:
    """Give templates ``asset("hakken.css")``, ``absolute(address)`` and ``here()``."""
    folder = Path(app.static_folder or "")

    def digest(name: str) -> str:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]

    known_digest = digest if app.debug else cache(digest)

    def asset_url(name: str) -> str:
        """Build an address that changes with the file, so that browsers may keep it for good."""
        return url_for("static", filename=name, v=known_digest(name))

    def absolute_url(address: str) -> str:
        """Add the host."""
        return own_origin() + iri_to_uri(address)

    def current_url() -> str:
        return absolute_url(current_address())

    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = YEAR_SECONDS
    app.jinja_env.globals |= {"asset": asset_url, "absolute": absolute_url, "here": current_url}
