"""The hosts that a server answers to."""

from __future__ import annotations

import pytest

from phxactor.http import Hosts, cannot_be_rebound
from tests.http.requests import request

GIVEN = ["Shop.example", "192.0.2.7", "2001:db8::1"]


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("shop.example", True),
        ("SHOP.example:4000", True),
        ("192.0.2.7:80", True),
        ("[2001:db8::1]:80", True),
        ("www.shop.example", False),
        ("shop.example.evil.example", False),
        ("evil.example", False),
        ("localhost", False),
        ("127.0.0.1:4000", False),
        ("", False),
        (None, False),
    ],
)
def test_those_that_are_given(host: str | None, *, allowed: bool) -> None:
    assert Hosts(GIVEN).allow(request(host=host)) is allowed


def test_a_url_and_a_header_must_both_be_right() -> None:
    assert Hosts(GIVEN).allow(request("http://shop.example/a", host="shop.example"))
    assert not Hosts(GIVEN).allow(request("http://shop.example/a", host="evil.example"))
    assert not Hosts(GIVEN).allow(request("http://evil.example/a", host="shop.example"))


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost:4000", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("192.168.1.5:4000", True),
        ("[::1]:4000", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("notlocalhost", False),
        ("127.0.0.1.evil.example", False),
        ("127.1", False),
        ("2130706433", False),
        ("app", False),
        (None, False),
    ],
)
def test_names_that_no_page_can_have_resolved(host: str | None, *, local: bool) -> None:
    assert cannot_be_rebound(request(host=host)) is local
