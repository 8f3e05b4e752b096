"""Six pages look as they did: pictures of them are kept beside this file.

Who means to change a look draws them anew with ``HAKKEN_DRAW_SNAPSHOTS=1`` and reads the pictures
before committing them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from playwright.sync_api import Page

from tests.web.fans import SCORED

pytestmark = pytest.mark.browser

SNAPSHOTS = Path(__file__).with_name("snapshots")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
PAGES = {
    "results": ("/user/anilist/Regular", PHONE, "light"),
    "all": ("/user/anilist/Regular?n=20", DESK, "dark"),
    "anime": (f"/anime/{SCORED[0]}", DESK, "light"),
    "pair": ("/together/anilist/Regular/anilist/Everything", PHONE, "dark"),
    "about": ("/about", DESK, "light"),
    "error": ("/user/anilist/Nobody99", PHONE, "light"),
}
PATCH = 8
"""Pixels; letters that sit elsewhere by one must not matter, a part that moved must."""
MOST_OF_A_PATCH, MOST_ON_THE_WHOLE = 70.0, 2.0
"""Levels of grey, of 255, by which a patch may differ, and the mean of all."""


def patches(picture: Image.Image) -> NDArray[np.float64]:
    """Mean grey levels of the patches of a slightly blurred picture."""
    grey = picture.convert("L").filter(ImageFilter.GaussianBlur(2))
    small = grey.resize((grey.width // PATCH, grey.height // PATCH), Image.Resampling.BOX)
    return np.asarray(small, np.float64)


def difference(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """The largest difference of a patch, and the mean of all."""
    apart = np.abs(patches(one) - patches(other))
    return float(apart.max()), float(apart.mean())


@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_did(name: str, visit: Callable[..., Page], tmp_path: Path) -> None:
    address, size, scheme = PAGES[name]
    page = visit(address, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page.wait_for_load_state("networkidle")
    # As the next visitor sees it, whoever was here before: what was asked of sites is known now.
    page.reload(wait_until="networkidle")
    found = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    kept = SNAPSHOTS / f"{name}.png"
    if os.environ.get("HAKKEN_DRAW_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        found.quantize(64, dither=Image.Dither.NONE).save(kept, optimize=True)
    expected = Image.open(kept).convert("RGB")
    assert found.size == expected.size
    patch, whole = difference(found, expected)
    if patch > MOST_OF_A_PATCH or whole > MOST_ON_THE_WHOLE:
        found.save(tmp_path / kept.name)
        pytest.fail(
            f"{kept.name} looks different: a patch by {patch:.0f} grey levels, all by {whole:.1f}; "
            f"see {tmp_path / kept.name}"
        )


def test_what_moved_or_went_is_seen() -> None:
    kept = Image.open(SNAPSHOTS / "results.png").convert("RGB")
    moved, gone = kept.copy(), kept.copy()
    moved.paste(kept, (0, 3 * PATCH))
    gone.paste(kept.getpixel((2, 2)), (16, 200, 200, 260))  # type: ignore[arg-type]
    for changed in (moved, gone):
        patch, whole = difference(kept, changed)
        assert patch > MOST_OF_A_PATCH or whole > MOST_ON_THE_WHOLE
