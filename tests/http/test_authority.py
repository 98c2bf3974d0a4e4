from __future__ import annotations

import pytest

from phxactor.http import Authority


@pytest.mark.parametrize(
    ("text", "authority"),
    [
        ("Example.COM", Authority("example.com")),
        ("example.com:8080", Authority("example.com", 8080)),
        ("example.com:", Authority("example.com")),
        ("127.0.0.1:1", Authority("127.0.0.1", 1)),
        ("[::1]", Authority("::1")),
        ("[2001:DB8::1]:443", Authority("2001:db8::1", 443)),
        ("my_host-1.local:65535", Authority("my_host-1.local", 65535)),
    ],
)
def test_hosts_and_ports(text: str, authority: Authority) -> None:
    assert Authority.parse(text) == authority


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "a:b",
        "a:65536",
        "a:123456",
        "a:-1",
        "a:٣",
        "::1",
        "[::1",
        "user@host",
        "a/b",
        "a b",
        "bücher.de",
        "a\n",
    ],
)
def test_what_is_no_host_and_port(text: str) -> None:
    assert Authority.parse(text) is None
