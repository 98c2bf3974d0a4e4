"""Makes the pictures of docs/observer.md: `python -m tests.browser.pictures`. With pngquant they become small."""

from __future__ import annotations

import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import attrs
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.observing import PHONE, WIDE, free_port, looking, row, rows, show, watched
from tests.conftest import CHROMIUM
from tests.demos.program import ROOT

DOCS: Final = ROOT / "docs"


@attrs.frozen
class Picture:
    """A picture of the page, docs/observer-NAME.png."""

    name: str
    fragment: str
    scheme: Literal["light", "dark"] = "light"
    size: tuple[int, int] = WIDE
    prepare: Callable[[Page], object] | None = None
    """Chooses what it shows."""

    @property
    def path(self) -> Path:
        return DOCS / f"observer-{self.name}.png"

    def take(self, page: Page) -> bytes:
        """Show what it shows, and return it as PNG."""
        show(page, self.fragment)
        if self.prepare is not None:
            self.prepare(page)
        page.wait_for_timeout(1500)  # a frame of figures
        return page.screenshot()


def open_kitchen(page: Page) -> None:
    row(page, "Kitchen").locator(".twist").click()
    expect(row(page, "oven").first).to_be_visible()


def choose(words: str) -> Callable[[Page], object]:
    return lambda page: row(page, words).first.click()


def play(page: Page) -> None:
    open_kitchen(page)
    page.locator(".crashes button", has_text="oven").first.click()
    page.locator(".story").get_by_role("slider").fill("2")


def open_group(page: Page) -> None:
    page.locator(".group h2 button").first.click()


def let_pass(page: Page) -> None:
    page.wait_for_timeout(20_000)


PICTURES: Final = (
    Picture("tree", "/tree", prepare=open_kitchen),
    Picture("busiest", "/tree?sort=rate", "dark", prepare=choose("Mill")),
    Picture("story", "/tree", prepare=play),
    Picture("sockets", "/sockets", prepare=lambda page: rows(page).first.click()),
    Picture("topics", "/topics?topic=chat:0", "dark"),
    Picture("log", "/log?search=room:42", prepare=open_group),
    Picture("charts", "/charts?span=300", "dark", prepare=let_pass),
    Picture("phone", "/tree", "dark", PHONE, open_kitchen),
    Picture("phone-process", "/tree?search=Clerk", "light", PHONE, choose("Clerk")),
)


def unlikeness(browser: Browser, one: bytes, other: bytes) -> float:
    """Return how much two pictures differ, from 0 to 1: the mean of 640 points, to which each is shrunk."""
    page = browser.new_page()
    try:
        difference: float = page.evaluate(
            """async pictures => {
                const [one, other] = await Promise.all(pictures.map(async picture => {
                    const image = new Image();
                    image.src = `data:image/png;base64,${picture}`;
                    await image.decode();
                    const canvas = new OffscreenCanvas(32, 20).getContext("2d");
                    canvas.imageSmoothingQuality = "high";
                    canvas.drawImage(image, 0, 0, 32, 20);
                    return canvas.getImageData(0, 0, 32, 20).data;
                }));
                return one.reduce((sum, value, index) => sum + Math.abs(value - other[index]), 0) / one.length / 255;
            }""",
            [b64encode(one).decode(), b64encode(other).decode()],
        )
    finally:
        page.close()
    return difference


def shrink(path: Path) -> None:
    """Make the file small: 64 colours do for such pictures."""
    if (program := shutil.which("pngquant")) is not None:
        subprocess.run(
            [program, "--force", "--skip-if-larger", "--speed", "1", "--output", str(path), "64", str(path)],
            check=False,
        )


def main(names: list[str]) -> None:
    with watched(free_port()) as program, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for picture in PICTURES:
            if names and picture.name not in names:
                continue
            with looking(chromium, program, [], picture.size, picture.scheme) as page:
                picture.path.write_bytes(picture.take(page))
            shrink(picture.path)
            print(picture.path.relative_to(ROOT), picture.path.stat().st_size, "bytes")  # noqa: T201 - a command prints
        chromium.close()


if __name__ == "__main__":
    main(sys.argv[1:])
