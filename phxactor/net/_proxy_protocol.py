"""The PROXY protocol, versions 1 and 2: a header before all other bytes, with the client's address.

It is HAProxy's (doc/proxy-protocol.txt). Load balancers that forward bytes and not requests use it.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from trio.lowlevel import wait_readable

from phxactor.http import MAX_PORT, PeerData
from phxactor.runtime import self_pid

HEADER_TIMEOUT: Final = 5.0
"""Seconds that a proxy has to send the header; at least 3 s, since a packet may be lost and sent again."""
MAX_LINE: Final = 107
"""Most bytes of a header of version 1, with its line end."""
MAX_BODY: Final = 4096
"""Most bytes after the first 16 of a header of version 2: the addresses, and extensions (TLVs), which are skipped."""
LINE: Final = b"PROXY "
SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"

_KINDS: Final[dict[bytes, type[IPv4Address | IPv6Address]]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_FIXED: Final = 16
_VERSION: Final = 2
_LOCAL, _PROXY = 0, 1
_UNSPECIFIED: Final = 0
_TCP4, _TCP6, _UNIX_STREAM = 0x11, 0x21, 0x31
_SIZES: Final = {_TCP4: 12, _TCP6: 36, _UNIX_STREAM: 216}
"""Bytes of the addresses of a version 2 header, by family and protocol."""


class ProxyHeaderError(Exception):
    """A connection began without a valid header; the text says why."""


def parse_proxy_header(data: bytes) -> tuple[PeerData | None, int] | None:
    """Return the client and the length of the header that `data` begins with; None if more bytes are needed.

    The client is None if the peer of the connection itself is meant: for a proxy's own connection, such as a health
    check (LOCAL), and for a client without an IP address (UNKNOWN, UNSPEC and Unix sockets).

    Raises:
        ProxyHeaderError: no more bytes can make it a header.

    """
    if data.startswith(SIGNATURE[: len(data)]):
        return _version_2(data)
    if data.startswith(LINE[: len(data)]):
        return _version_1(data)
    raise ProxyHeaderError(f"the first bytes are no PROXY header: {data[:_FIXED]!r}")


def without_proxy_header(data: bytes) -> str:
    """Return what the log says of a connection that begins with a header which is not read; "" without one."""
    if not data.startswith((LINE, SIGNATURE)):
        return ""
    return "; it begins with the PROXY protocol, which TrustedProxies([...], header='proxy-protocol') reads"


async def read_proxy_header(sock: socket.socket, peer: PeerData) -> PeerData | None:
    """Read a header from a socket, and nothing behind it; return the client, None if the peer leaves without a byte.

    Raises:
        ProxyHeaderError: there is none within `HEADER_TIMEOUT`, it is malformed, or the peer leaves in its middle.

    """
    sock.settimeout(0)
    received = b""
    with self_pid().runtime.patience.move_on_after(HEADER_TIMEOUT):
        while True:
            await wait_readable(sock)
            try:
                data = sock.recv(_FIXED + MAX_BODY, socket.MSG_PEEK)
                if not data and not received:
                    return None
                if not data:
                    raise ProxyHeaderError("the peer left in the middle of a PROXY header")
                header = parse_proxy_header(received + data)
                # Without a whole header, all bytes that have come belong to it.
                length = len(data) if header is None else header[1] - len(received)
                received += sock.recv(length)
            except BlockingIOError:
                continue
            except OSError as error:
                raise ProxyHeaderError(str(error)) from None
            if header is not None:
                return header[0] or peer
    raise ProxyHeaderError(f"there was no whole PROXY header within {HEADER_TIMEOUT:g} seconds")


def _version_1(data: bytes) -> tuple[PeerData | None, int] | None:
    end = data.find(b"\r\n", 0, MAX_LINE)
    if end < 0:
        if len(data) >= MAX_LINE:
            raise ProxyHeaderError(f"a PROXY line ends within {MAX_LINE} bytes; got {data[:MAX_LINE]!r}")
        return None
    family, *rest = data[len(LINE) : end].split(b" ")
    if family == b"UNKNOWN":
        return None, end + 2
    try:
        source, destination, *ports = (text.decode("ascii") for text in rest)
        kind = _KINDS[family]
        from_port, _ = map(_port, ports)
        if "%" in source + destination:
            raise ValueError(source)  # noqa: TRY301 - a zone means nothing on another machine
        kind(destination)
        return _client(kind(source), from_port), end + 2
    except (ValueError, KeyError):
        raise ProxyHeaderError(f"a PROXY line is malformed: {data[:end]!r}") from None


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else MAX_PORT + 1
    if port > MAX_PORT or str(port) != text:
        raise ValueError(text)
    return port


def _version_2(data: bytes) -> tuple[PeerData | None, int] | None:
    if len(data) < _FIXED:
        return None
    version, family, size = struct.unpack_from("!BBH", data, len(SIGNATURE))
    version, command = version >> 4, version & 0xF
    if version != _VERSION or command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"a PROXY header has version {version} and command {command}; 2 with 0 or 1 are known")
    if size > MAX_BODY:
        raise ProxyHeaderError(f"a PROXY header announces {size} bytes; at most {MAX_BODY} are read")
    if len(data) < _FIXED + size:
        return None
    end = _FIXED + size
    if command == _LOCAL or family >> 4 == _UNSPECIFIED:
        return None, end
    if size < _SIZES.get(family, size + 1):
        raise ProxyHeaderError(f"a PROXY header has family and protocol {family:#04x} with {size} bytes of addresses")
    if family == _UNIX_STREAM:
        return None, end
    if family == _TCP4:
        source, _, port = struct.unpack_from("!4s4sH", data, _FIXED)
        return _client(IPv4Address(source), port), end
    source, _, port = struct.unpack_from("!16s16sH", data, _FIXED)
    return _client(IPv6Address(source), port), end


def _client(address: IPv4Address | IPv6Address, port: int) -> PeerData:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return PeerData(str(mapped or address), port)
