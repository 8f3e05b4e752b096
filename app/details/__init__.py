"""Pictures and synopses of anime, fetched for what a page shows, after it is on the screen.

They are public and about nobody. A page is complete without them, so nothing here ever fails: what
cannot be had is left out.
"""

from __future__ import annotations

from app.details.details_cache import DetailsCache, DetailsResult, build_details_cache

__all__ = ["DetailsCache", "DetailsResult", "build_details_cache"]
