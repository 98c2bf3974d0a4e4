"""Chromium for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import CHROMIUM
from tests.patience import PATIENCE

expect.set_options(timeout=1000 * PATIENCE)

# Nothing of the system is trusted to it, and it shall talk to nobody but the servers of the tests.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium. For one folder: while Playwright runs, so does a loop of asyncio in this thread."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What pages complain of, uncaught exceptions and violations of their policy among them: must be nothing."""
    found: list[str] = []
    yield found
    assert found == []


def listen_to(page: Page, complaints: list[str]) -> Page:
    """Collect what a page complains of; and have patience with it."""
    page.set_default_timeout(1000 * PATIENCE)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    return page
