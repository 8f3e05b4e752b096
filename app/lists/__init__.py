"""Where a fan's list comes from: one module a source, one shape out (``entry.FanList``)."""

from __future__ import annotations

from app.lists.memory import Spans
from app.lists.registry import Source, build_sources
from app.lists.services import PACES, Services, SourceSettings

__all__ = ["PACES", "Services", "Source", "SourceSettings", "Spans", "build_sources"]
