"""`phxactor observe`: the address that is opened, with the token where no server sees it."""

from __future__ import annotations

import webbrowser

import pytest

from phxactor.observer import open_page


def test_the_token_is_in_the_fragment(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def note(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    assert open_page("4001", "a b#c") == "opened http://127.0.0.1:4001/observer in the browser"
    assert opened == ["http://127.0.0.1:4001/observer#token=a%20b%23c"]


def test_without_a_browser_the_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    told = "there is no browser here; open https://tree.example.com/observer"
    assert open_page("https://tree.example.com") == told


def test_what_is_no_address() -> None:
    with pytest.raises(SystemExit, match="neither a port nor a URL"):
        open_page("http://")
