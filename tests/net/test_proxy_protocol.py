"""The PROXY protocol: what a header says, what is none, and how much of a connection it is."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.http import PeerData
from phxactor.net import ProxyHeaderError
from phxactor.net._proxy_protocol import MAX_BODY, MAX_LINE, SIGNATURE, parse_proxy_header

REST = b"GET / HTTP/1.1\r\n\r\n"
REAL = None
"""The peer of the connection itself is meant."""


def v2(body: bytes, command: int = 0x21, family: int = 0x11, size: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body) if size is None else size) + body


def tcp4(source: str = "203.0.113.9", port: int = 4711) -> bytes:
    return IPv4Address(source).packed + IPv4Address("192.0.2.1").packed + struct.pack("!HH", port, 443)


def tcp6(source: str = "2001:db8::9", port: int = 4711) -> bytes:
    return IPv6Address(source).packed + IPv6Address("2001:db8::1").packed + struct.pack("!HH", port, 443)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n", PeerData("203.0.113.9", 4711)),
        (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", PeerData("255.255.255.255", 65535)),
        (b"PROXY TCP4 203.0.113.9 192.0.2.1 0 0\r\n", PeerData("203.0.113.9", 0)),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n", PeerData("2001:db8::9", 4711)),
        (b"PROXY TCP6 2001:DB8:0:0:0:0:0:9 ::1 4711 443\r\n", PeerData("2001:db8::9", 4711)),
        (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 4711 443\r\n", PeerData("203.0.113.9", 4711)),
        (b"PROXY UNKNOWN\r\n", REAL),
        (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", REAL),
        (v2(tcp4()), PeerData("203.0.113.9", 4711)),
        (v2(tcp6(), family=0x21), PeerData("2001:db8::9", 4711)),
        (v2(tcp6("::ffff:203.0.113.9"), family=0x21), PeerData("203.0.113.9", 4711)),
        (v2(tcp4() + b"\x04\x00\x03abc"), PeerData("203.0.113.9", 4711)),  # with an extension
        (v2(tcp4() + b"\xff" * (MAX_BODY - 12)), PeerData("203.0.113.9", 4711)),
        (v2(bytes(216), family=0x31), REAL),  # a Unix socket
        (v2(b"", family=0), REAL),
        (v2(b"anything", family=0), REAL),
        (v2(b"", command=0x20, family=0), REAL),  # LOCAL: a health check
        (v2(tcp4(), command=0x20), REAL),
        (v2(b"", command=0x20, family=0x99), REAL),
    ],
)
def test_who_the_client_is(header: bytes, client: PeerData | None) -> None:
    assert parse_proxy_header(header) == (client, len(header))
    assert parse_proxy_header(header + REST) == (client, len(header))
    for end in range(len(header)):
        assert parse_proxy_header(header[:end]) is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"GET / HTTP/1.1\r\n", "the first bytes are no PROXY header: b'GET / HTTP/1.1"),
        (b"\x16\x03\x01", "the first bytes are no PROXY header"),
        (b"proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n", "the first bytes are no PROXY header"),
        (b"\r\n\r\n\0\r\nQUIX", "the first bytes are no PROXY header"),
        (b" PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n", "the first bytes are no PROXY header"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n", "malformed"),
        (b"PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3.4 host 1 1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n", "malformed"),
        (b"PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY TCP4 ::1 ::1 1 1\r\n", "malformed"),
        (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY TCP6 fe80::1%eth0 ::1 1 1\r\n", "malformed"),
        (b"PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY \r\n", "malformed"),
        (b"PROXY TCP4 \xff 1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY TCP4 1.2.3.4\n1.2.3.4 1 1\r\n", "malformed"),
        (b"PROXY " + b"x" * 200, "ends within 107 bytes"),
        (b"PROXY UNKNOWN" + b" " * (MAX_LINE - 14) + b"\r\n", "ends within 107 bytes"),
        (v2(tcp4(), command=0x31), "version 3 and command 1"),
        (v2(tcp4(), command=0x11), "version 1 and command 1"),
        (v2(tcp4(), command=0x22), "version 2 and command 2"),
        (v2(b"abcd"), "family and protocol 0x11 with 4 bytes"),
        (v2(tcp4(), family=0x21), "family and protocol 0x21 with 12 bytes"),
        (v2(bytes(215), family=0x31), "family and protocol 0x31"),
        (v2(tcp4(), family=0x12), "family and protocol 0x12"),  # UDP
        (v2(tcp4(), family=0x10), "family and protocol 0x10"),
        (v2(tcp4(), family=0x41), "family and protocol 0x41"),
        (v2(b"", size=MAX_BODY + 1), "announces 4097 bytes"),
        (v2(b"", size=0xFFFF, command=0x20), "announces 65535 bytes"),
    ],
)
def test_what_is_no_header(data: bytes, says: str) -> None:
    with pytest.raises(ProxyHeaderError, match=says):
        parse_proxy_header(data)


@given(st.ip_addresses().filter(lambda address: "%" not in str(address)), st.integers(0, 65535), st.binary(max_size=50))
def test_what_proxies_write_is_read(address: IPv4Address | IPv6Address, port: int, extensions: bytes) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    client = PeerData(str(mapped or address), port)
    number = address.version
    line = f"PROXY TCP{number} {address} {address} {port} 443\r\n".encode()
    assert parse_proxy_header(line + REST) == (client, len(line))
    body = tcp4(str(address), port) if number == 4 else tcp6(str(address), port)
    header = v2(body + extensions, family=0x11 if number == 4 else 0x21)
    assert parse_proxy_header(header + REST) == (client, len(header))


@given(st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11"]), st.binary())
def test_any_bytes_are_judged(beginning: bytes, rest: bytes) -> None:
    data = beginning + rest
    try:
        header = parse_proxy_header(data)
    except ProxyHeaderError:
        return
    assert header is None or header[1] <= len(data)
