"""Chromium, as the tests of pages have it."""

from tests.browser.conftest import browser, complaints

__all__ = ["browser", "complaints"]
