"""Long polling from a real page: across origins, and where a WebSocket does not come through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import listen_to
from tests.conformance.server import Zoo, serve_zoo
from tests.conftest import MODULES
from tests.longpoll.proxy import proxying

VERSIONS = ("phoenix-1.7.14", "phoenix-1.8.9", "phoenix-1.8.16")

pytestmark = [pytest.mark.browser, pytest.mark.socket]

PLAY = """
async ([url, options]) => {
  const { Socket, LongPoll } = await import("/phoenix.mjs");
  if (options.longpoll) options.transport = LongPoll;
  const answered = (push) => new Promise((resolve, reject) => push
    .receive("ok", resolve)
    .receive("error", reject)
    .receive("timeout", () => reject(new Error("timeout"))));

  const socket = new Socket(url, { timeout: 60_000, ...options });
  socket.connect();
  const room = socket.channel("room:page");
  await answered(room.join());
  const heard = new Promise((resolve) => room.on("broadcast", resolve));
  room.push("broadcast", { text: "grüße" });
  const { transport } = await answered(room.push("info", {}));
  const seen = [transport, await heard, sessionStorage.getItem("phx:fallback:LongPoll")];
  await answered(room.leave());
  await new Promise((done) => socket.disconnect(done));
  return seen;
}
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    with serve_zoo(tmp_path_factory.mktemp("zoo")) as zoo:
        yield zoo


@pytest.fixture(scope="module")
def proxy(zoo: Zoo) -> Iterator[str]:
    with proxying(zoo.url, "refuse") as url:
        yield url


def page_at(url: str, version: str, browser: Browser, complaints: list[str]) -> Page:
    """Open a page of this origin that can import phoenix.js."""
    module = MODULES / version / "priv" / "static" / "phoenix.mjs"
    page = listen_to(browser.new_page(), complaints)
    page.route("**/phoenix.mjs", lambda route: route.fulfill(path=module, content_type="text/javascript"))
    page.goto(f"{url}/admin/stats")
    return page


@pytest.mark.parametrize("version", VERSIONS)
def test_a_page_of_another_origin(version: str, browser: Browser, zoo: Zoo, proxy: str, complaints: list[str]) -> None:
    """The browser asks first, for a body of lines is nothing that a form could send."""
    page = page_at(zoo.url, version, browser, complaints)
    seen: list[Any] = page.evaluate(PLAY, [f"{proxy}/socket", {"longpoll": True}])
    page.close()
    assert seen == ["longpoll", {"text": "grüße"}, None]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_page_falls_back(version: str, browser: Browser, proxy: str, complaints: list[str]) -> None:
    page = page_at(proxy, version, browser, complaints)
    seen: list[Any] = page.evaluate(PLAY, ["/socket", {"longPollFallbackMs": 500}])
    page.close()
    assert seen == ["longpoll", {"text": "grüße"}, "true"]
    complaints.clear()  # of the WebSocket that was refused
