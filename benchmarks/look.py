"""``python -m benchmarks.look --out FOLDER``: every page as a visitor sees it, with figures.

Serves the bundled model with a stand-in for the list sites, opens each page in Chromium at four
widths, by day and by night and in forced colours, with drawn posters in place of those on the net,
once more on a phone that is slow and far away, and writes the pictures, what was measured, and one
page that shows all of it. ``--shift-runs N`` only adds up how far the layout moves, in N first
visits of each page on a desk and on that phone, also while a list is waited for.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from jinja2 import Environment
from playwright.sync_api import Browser, FilePayload, Page, Route, expect, sync_playwright

from app.settings import PROJECT_ROOT
from app.web.middleware.headers import POSTER_ORIGINS
from benchmarks.run_server import run_server
from demo.demo_users import make_demo_data
from demo.fake_upstream import FakeUpstream

CHROMIUM = Path(os.environ.get("CHROMIUM_PATH") or "/usr/bin/chromium")
MODEL = PROJECT_ROOT / "bundled_model"
Scheme = Literal["light", "dark", "forced"]
LOOKS: tuple[tuple[int, Scheme], ...] = (
    *((width, scheme) for width in (390, 768, 1440, 2560) for scheme in ("light", "dark")),
    (1440, "forced"),
)
SLOW_NETWORK = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
"""Of a phone on fast 3G: 150 ms a round trip, 1.6 Mbit a second."""
SLOW_PROCESSOR = 4
HEIGHT = 900
DESK, PHONE = 1440, 390
FAN = "/user/anilist/Hana"
STREAMED = "streamed"
"""What the page is called whose frame is there before its list is."""
MAX_SHIFT = 0.02
UPLOADED = "/#file"
"""Where a page begins to which a file is sent."""
_SCORES = {19: 10, 457: 9, 20: 6, 1: 9, 5: 9, 1535: 8, 5114: 10, 9253: 9, 11061: 9, 2001: 8}
EXPORT: FilePayload = {
    "name": "animelist.xml",
    "mimeType": "text/xml",
    "buffer": b"<myanimelist>%s</myanimelist>"
    % b"".join(
        b"<anime><series_animedb_id>%d</series_animedb_id><my_score>%d</my_score>"
        b"<my_status>Completed</my_status></anime>" % each
        for each in _SCORES.items()
    ),
}
PAGES = {
    "home": "/",
    "results": FAN,
    "all": f"{FAN}?n=40",
    "file": UPLOADED,
    "example": "/example",
    "discover": f"{FAN}?order=discover",
    "pick": "/pick?picks=5114-9&q=cowboy",
    "anime": "/anime/5114",
    "favourites": "/favourites/kitsu/Hana",
    "season": "/season",
    "pair": "/together/anilist/Hana/anilist/Sora",
    "about": "/about",
    "api": "/api",
    "error": "/user/anilist/nobody-of-this-name",
}
WATCH = """window.watched = {shift: 0, long: 0, lcp: 0};
const watch = (type, note) => new PerformanceObserver(list => list.getEntries().forEach(note))
  .observe({type, buffered: true});
watch("layout-shift", each => { watched.shift += each.value; });
watch("longtask", each => { watched.long = Math.max(watched.long, each.duration); });
watch("largest-contentful-paint", each => { watched.lcp = each.startTime; });"""
MEASURE = """() => ({
  ...window.watched,
  wide: document.documentElement.scrollWidth > innerWidth,
  bytes: performance.getEntriesByType("navigation")[0].encodedBodySize,
  first: document.querySelector(".poster, .thumb")?.getBoundingClientRect().top ?? null,
})"""
REPORT = Path(__file__).with_name("look.html.jinja")


def drawn_poster(address: str) -> str:
    """Draw a picture of 225 x 318 that is always the same for an address."""
    seed = hashlib.sha256(address.encode()).digest()
    hue, other = seed[0] * 360 // 256, (seed[0] * 360 // 256 + 40 + seed[1] % 140) % 360
    x, y, size = 30 + seed[2] % 160, 60 + seed[3] % 180, 40 + seed[4] % 70
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="225" height="318">'
        f'<linearGradient id="g" x2="0" y2="1"><stop stop-color="hsl({hue} 55% 62%)"/>'
        f'<stop offset="1" stop-color="hsl({other} 50% 30%)"/></linearGradient>'
        '<rect width="225" height="318" fill="url(#g)"/>'
        f'<circle cx="{x}" cy="{y}" r="{size}" fill="hsl({other} 70% 75%)" opacity=".8"/>'
        f'<path d="M0 318L{x} {y + size}L225 318Z" fill="hsl({hue} 40% 20%)" opacity=".7"/>'
        '<path d="M3 3H222V315H3Z" fill="none" stroke="#fff" stroke-width="3"/></svg>'
    )


def answer_posters(route: Route) -> None:
    """Answer for the hosts of posters with a drawing, and let nothing else out."""
    address = route.request.url
    if address.startswith("http://127.0.0.1:"):
        route.continue_()
    elif address.startswith(tuple(f"{host}/" for host in POSTER_ORIGINS)):
        route.fulfill(body=drawn_poster(address), content_type="image/svg+xml")
    else:
        route.abort()


@contextmanager
def serving() -> Iterator[tuple[str, FakeUpstream]]:
    """Serve the bundled model; the list sites are on this machine."""
    data = make_demo_data(MODEL)
    data.synopses = {anime_id: " ".join([text] * 8) for anime_id, text in data.synopses.items()}
    with FakeUpstream(data=data) as sites, TemporaryDirectory() as cache:
        environment = {
            "HAKKEN_CACHE_DIR": cache,  # nobody has been here before
            "HAKKEN_MODEL": str(MODEL),
            "HAKKEN_ANILIST_URL": sites.base_url("anilist"),
            "HAKKEN_KITSU_URL": sites.base_url("kitsu"),
            "HAKKEN_LIMITS": "0",
            "HAKKEN_RATE_LISTS": "off",
            "HAKKEN_RATE_PAGES": "off",
        }
        with run_server(1, environment) as server:
            yield server.url, sites


def look_at(page: Page, address: str, *, with_axe: bool) -> dict[str, Any]:
    """Open a page, let it come to rest, and measure it."""
    page.goto(address, wait_until="load")
    if address == UPLOADED:
        page.get_by_label("Your list as a file").set_input_files(EXPORT)
        with page.expect_navigation():
            page.get_by_role("button", name="Read the file").click()
    page.wait_for_load_state("networkidle")
    measured: dict[str, Any] = page.evaluate(MEASURE)
    found = Axe().run(page).response["violations"] if with_axe else []
    return {**measured, "faults": [rule["id"] for rule in found]}


def look(browser: Browser, server: str, out: Path, pages: dict[str, str]) -> list[dict[str, Any]]:
    """Look at all pages in all sizes and schemes."""
    rows = []
    for width, scheme in LOOKS:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if scheme == "dark" else "light",
            forced_colors="active" if scheme == "forced" else "none",
            base_url=server,
        )
        context.add_init_script(WATCH)
        context.route("**/*", answer_posters)
        page = context.new_page()
        for name, address in pages.items():
            picture = f"{name}-{width}-{scheme}.png"
            measured = look_at(page, address, with_axe=width in {390, 1440})
            page.screenshot(path=out / picture)
            rows.append(
                {"page": name, "width": width, "scheme": scheme, "picture": picture, **measured}
            )
        context.close()
    return rows


@contextmanager
def first_visit(browser: Browser, server: str, width: int, *, slow: bool) -> Iterator[Page]:
    """Open a browser that has seen nothing yet; ``slow``: on a phone that is far away."""
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, base_url=server)
    context.add_init_script(WATCH)
    context.route(lambda url: not url.startswith(server), answer_posters)
    page = context.new_page()
    if slow:
        link = context.new_cdp_session(page)
        link.send("Network.enable")
        link.send("Network.emulateNetworkConditions", SLOW_NETWORK)
        link.send("Emulation.setCPUThrottlingRate", {"rate": SLOW_PROCESSOR})
    yield page
    context.close()


def look_slowly(browser: Browser, server: str, pages: dict[str, str]) -> list[dict[str, Any]]:
    """Look at all pages for the first time, on a phone that is slow and far away."""
    rows = []
    for name, address in pages.items():
        with first_visit(browser, server, PHONE, slow=True) as page:
            rows.append(
                {"page": name, "width": PHONE, "scheme": "slow", "picture": ""}
                | look_at(page, address, with_axe=False)
            )
    return rows


def wait_for_list(page: Page, sites: FakeUpstream, name: str) -> float:
    """Open the results of a new fan whose list comes late; return how far the layout moved."""
    sites.add_user(name, sites.data.users["hana"].entries)
    gate = sites.hold_responses(name)
    page.goto(f"/user/anilist/{name}", wait_until="commit")
    expect(page.locator(".asking p:visible")).to_have_count(1, timeout=60_000)
    gate.open()
    expect(page.locator(".read")).to_have_count(1, timeout=60_000)
    page.wait_for_load_state("networkidle")
    shift: float = page.evaluate(MEASURE)["shift"]
    return shift


def measure_shifts(
    browser: Browser, server: str, sites: FakeUpstream, pages: dict[str, str], runs: int
) -> Iterator[tuple[str, int, list[float]]]:
    """Visit each page ``runs`` times by desk and phone; yield how far each visit's layout moved.

    Each visit to an anime is to another one, of which the server knows no details yet.
    """
    others = iter(sites.data.synopses)
    for width in (DESK, PHONE):
        for name in (*pages, STREAMED):
            shifts = []
            for run in range(runs):
                with first_visit(browser, server, width, slow=width == PHONE) as page:
                    if name == STREAMED:
                        shifts.append(wait_for_list(page, sites, f"Waits{width}n{run}"))
                    else:
                        address = f"/anime/{next(others)}" if name == "anime" else pages[name]
                        shifts.append(look_at(page, address, with_axe=False)["shift"])
            yield name, width, shifts


def report_shifts(found: Iterable[tuple[str, int, list[float]]], out: Path) -> bool:
    """Write and print what was measured; return whether a page moved by more than it may."""
    rows, moved = [], False
    for name, width, shifts in found:
        rows.append({"page": name, "width": width, "shifts": shifts})
        moved |= max(shifts) > MAX_SHIFT
        worst, mean = max(shifts), sum(shifts) / len(shifts)
        told = f"{name:<11}{width:>5}  worst {worst:.4f}  mean {mean:.4f} of {len(shifts)} visits"
        sys.stdout.write(f"{told}{'  MOVES' if worst > MAX_SHIFT else ''}\n")
        sys.stdout.flush()
    (out / "shifts.json").write_text(json.dumps(rows, indent=1) + "\n")
    return moved


def main() -> None:
    """Look, and say what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.look", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=list(PAGES), metavar="NAME")
    parser.add_argument("--shift-runs", type=int, metavar="N")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with serving() as (server, sites), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        pages = {name: PAGES[name] for name in arguments.pages}
        if arguments.shift_runs:
            found = measure_shifts(browser, server, sites, pages, arguments.shift_runs)
            moved = report_shifts(found, arguments.out)
            browser.close()
            sys.exit(moved)
        rows = look(browser, server, arguments.out, pages)
        rows += look_slowly(browser, server, pages)
        browser.close()
    (arguments.out / "look.json").write_text(json.dumps(rows, indent=1) + "\n")
    page = Environment(autoescape=True).from_string(REPORT.read_text()).render(rows=rows)
    (arguments.out / "index.html").write_text(page)
    for row in rows:
        first = "-" if row["first"] is None else f"{row['first']:.0f}"
        told = [
            f"{row['page']:<11}{row['width']:>5} {row['scheme']:<6}",
            f"shift {row['shift']:.3f}  first poster {first:>4}  {row['bytes'] / 1000:5.1f} kB",
            f"longest task {row['long']:4.0f} ms  largest paint {row['lcp']:4.0f} ms",
            "WIDER THAN THE WINDOW" if row["wide"] else "",
            ", ".join(row["faults"]),
        ]
        sys.stdout.write("  ".join(filter(None, told)) + "\n")


if __name__ == "__main__":
    main()
