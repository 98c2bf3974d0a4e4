"""phoenix.js as released, in a real browser, against the zoo: every version that the tests have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import listen_to
from tests.conformance.server import Zoo, serve_zoo
from tests.conftest import MODULES

pytestmark = [pytest.mark.browser, pytest.mark.socket]

VERSIONS = ("phoenix-1.7.14", "phoenix-1.8.9", "phoenix-1.8.16")

PLAY = """
async () => {
  const { Socket } = await import("/phoenix.mjs");
  const seen = [];
  const answered = (push) => new Promise((resolve, reject) => push
    .receive("ok", (answer) => resolve(["ok", answer]))
    .receive("error", (answer) => resolve(["error", answer]))
    .receive("timeout", () => reject(new Error("timeout"))));
  const once = (subscribe) => new Promise((resolve) => subscribe(resolve));

  const atOnce = { rejoinAfterMs: () => 10, reconnectAfterMs: () => 10, timeout: 60_000 };
  const socket = new Socket("/socket", { params: { user_id: "7" }, ...atOnce });
  socket.connect();
  const room = socket.channel("room:lobby");
  let joins = 0, joined;
  const push = room.join();
  push.receive("ok", (answer) => { joins += 1; joined?.(answer); });
  seen.push(["join", ...(await answered(push))]);
  seen.push(["echo", ...(await answered(room.push("echo", { text: "grüße" })))]);
  seen.push(["error", ...(await answered(room.push("reply_error", { a: 1 })))]);

  const pushed = once((done) => room.on("pushed", done));
  room.push("push", { n: 1 });
  seen.push(["pushed", await pushed]);

  const broadcast = once((done) => room.on("broadcast", done));
  room.push("broadcast", { n: 2 });
  seen.push(["broadcast", await broadcast]);

  const [status, bytes] = await answered(room.push("binary_echo", new Uint8Array([0, 1, 255]).buffer));
  seen.push(["binary", status, [...new Uint8Array(bytes)]]);

  const refused = socket.channel("room:error");
  seen.push(["refused", ...(await answered(refused.join()))]);
  refused.leave();

  const crashed = once((done) => room.onError(done));
  const again = once((done) => { joined = done; });
  room.push("crash", {});
  seen.push(["crashed", await crashed]);
  await again;
  seen.push(["echo after the crash", ...(await answered(room.push("echo", {})))]);

  const closed = once((done) => socket.onClose(done));
  const reconnected = once((done) => { joined = done; });
  await fetch("/admin/disconnect?id=users_socket:7", { method: "POST" });
  seen.push(["disconnected", (await closed).code]);
  await reconnected;
  seen.push(["echo after the disconnect", ...(await answered(room.push("echo", {})))]);

  const left = once((done) => room.onClose(done));
  seen.push(["left", ...(await answered(room.leave()))]);
  await left;
  seen.push(["joins", joins]);
  await new Promise((done) => socket.disconnect(done));
  return seen;
}
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    with serve_zoo(tmp_path_factory.mktemp("zoo")) as zoo:
        yield zoo


@pytest.mark.parametrize("version", VERSIONS)
def test_phoenix_js_in_a_browser(version: str, browser: Browser, zoo: Zoo, complaints: list[str]) -> None:
    module = MODULES / version / "priv" / "static" / "phoenix.mjs"
    page = listen_to(browser.new_page(), complaints)
    page.route("**/phoenix.mjs", lambda route: route.fulfill(path=module, content_type="text/javascript"))
    page.goto(f"{zoo.url}/admin/stats")
    seen: list[list[Any]] = page.evaluate(PLAY)
    page.close()
    crashed = next(entry for entry in seen if entry[0] == "crashed")
    seen.remove(crashed)
    assert seen == [
        ["join", "ok", {"hello": "lobby"}],
        ["echo", "ok", {"text": "grüße"}],
        ["error", "error", {"a": 1}],
        ["pushed", {"n": 1}],
        ["broadcast", {"n": 2}],
        ["binary", "ok", [0, 1, 255]],
        ["refused", "error", {"reason": "unauthorized"}],
        ["echo after the crash", "ok", {}],
        ["disconnected", 1001],
        ["echo after the disconnect", "ok", {}],
        ["left", "ok", {}],
        ["joins", 3],
    ]
