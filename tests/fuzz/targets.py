"""What clients and nodes can send, and what must hold whatever it is: nothing raises but what is meant for bad input.

Each target takes any bytes. Hypothesis and atheris both feed them, from the same seeds.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import attrs
import h11
import orjson
import trio
from trio.testing import MockClock, memory_stream_pair

from phxactor import Error, LongPollOptions, Message, Ok, Request, Response, WebSocketOptions
from phxactor.endpoint._connect_info import connect_info
from phxactor.envelope import EnvelopeError, Frame, Kind, Seal
from phxactor.envelope import Message as Said
from phxactor.envelope import decode as decode_message
from phxactor.envelope import encode as encode_message
from phxactor.http import BadParams, PeerData, RequestError, SessionOptions, session_of
from phxactor.http._body import MAX_FORM, decode_form
from phxactor.http._h11_stream import BadRequest
from phxactor.http._http_connection import HTTPConnection
from phxactor.http._params import decode as decode_params
from phxactor.socket import BINARY, TEXT, DecodeError, Reply, Serializer, V1JSONSerializer, V2JSONSerializer, select
from phxactor.token import derive_key, sign, verify
from phxactor.token._signing import sign_message
from phxactor.token.external_term import TermError
from phxactor.token.external_term import decode as decode_term
from phxactor.token.external_term import encode as encode_term
from phxactor.transport import Accepted, Refused, SocketOptions, handshake
from tests.fuzz.nodes import NODES, node
from tests.fuzz.values import VALUES, value
from tests.fuzz.wire import converse
from tests.transport.frames import BINARY as BINARY_FRAME
from tests.transport.frames import CONT, PING, RSV1, close_frame, frame
from tests.transport.frames import TEXT as TEXT_FRAME

SECRET: Final = "a secret for the fuzzer, which is long enough"
SALT: Final = "fuzzed"
KEY: Final = derive_key(SECRET, SALT, iterations=1000, length=32, digest="sha256")
SESSION: Final = SessionOptions(key="session", signing_salt=SALT)


@attrs.frozen
class Target:
    """A function that takes any bytes, and bytes that get far in it."""

    function: Callable[[bytes], None]
    seeds: Sequence[bytes]


# -------------------------------------------------------------------------------------------------- frames


def websocket(data: bytes) -> None:
    """Take frames: in whatever pieces they come, the messages and the answers are the same."""
    _websocket(data, compress=False)


def compressed_websocket(data: bytes) -> None:
    """Do the same with permessage-deflate."""
    _websocket(data, compress=True)


def _websocket(data: bytes, *, compress: bool) -> None:
    size = data[0] + 1 if data else 1
    data = data[1:]
    whole = converse([data], compress=compress)
    assert converse((data[at : at + size] for at in range(0, len(data), size)), compress=compress) == whole


def _deflated(message: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-12)
    return (deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


FRAMES: Final = [
    b"\x07" + frame(TEXT_FRAME, b"hello") + frame(BINARY_FRAME, b"\x00" * 200) + close_frame(1000, b"bye"),
    b"\x00" + frame(TEXT_FRAME, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b") + frame(TEXT_FRAME, b"c"),
    b"\x20" + frame(TEXT_FRAME, b"a", fin=False) + close_frame(1001),
    b"\xff" + frame(BINARY_FRAME, b"x" * 4096) + frame(BINARY_FRAME, b"x" * 4097),
    b"\x05" + frame(TEXT_FRAME, b"", size=2**63) + frame(3, b"?"),
]
DEFLATED: Final = [
    b"\x09" + frame(TEXT_FRAME, _deflated(b"hello" * 100), bits=RSV1) + frame(TEXT_FRAME, b"plain"),
    b"\x03" + frame(TEXT_FRAME, _deflated(b"\x00" * 100_000), bits=RSV1),
    b"\x03" + frame(TEXT_FRAME, _deflated(b"ab")[:2], bits=RSV1, fin=False) + frame(CONT, _deflated(b"ab")[2:]),
]

# ---------------------------------------------------------------------------------------------------- HTTP

PEER: Final = PeerData("192.0.2.7", 50000)
STRICT: Final = WebSocketOptions(
    check_origin=["//*.example.org", "https://example.com:8443", "null"],
    connect_info=["uri", "user_agent", "x_headers", "sec_websocket_headers", "trace_context_headers", "peer_data"],
    session=SESSION,
    subprotocols=["one", "two"],
    auth_token=True,
    compress=True,
)
OPTIONS: Final[Sequence[SocketOptions]] = (STRICT, WebSocketOptions(), LongPollOptions(check_origin=["//a"]))
MAX_BODY: Final = 1000
REQUESTS: Final = 20
"""Answers that one input may get: the rest is not read."""


def http(data: bytes) -> None:
    """Take requests: each is one, about which all that is asked can be answered, or is refused with words."""

    async def serve() -> None:
        client, server = memory_stream_pair()
        connection = HTTPConnection(server, peer=PEER)
        await client.send_all(data)
        await client.send_eof()
        for _ in range(REQUESTS):
            try:
                request = await connection.next_request()
            except BadRequest as bad:
                assert bad.why.isprintable()  # noqa: PT017 - there need not be one
                return
            if request is None:
                return
            _decide(request)
            if len(request.path) % 2:  # some handlers read it
                try:
                    await connection.read_body(MAX_BODY)
                except BadRequest:
                    return
            with suppress(h11.LocalProtocolError):  # as an upgrade that was not granted
                await connection.respond(Response.text("so it is"))

    trio.run(serve, clock=MockClock(autojump_threshold=0))


def _decide(request: Request) -> None:
    for options in OPTIONS:
        options.check_origin.allows(request)
        connect_info(request, options, None)
        if isinstance(options.session, SessionOptions):
            session_of(request, options.session, SECRET)
        if isinstance(options, WebSocketOptions):
            decided = handshake(request, options)
            assert isinstance(decided, Accepted | Refused)
    with suppress(BadParams):
        select(request.params.get("vsn"))
    assert all(request.cookies)
    for read in (request.form, request.json):
        with suppress(RequestError):
            read()


def query(data: bytes) -> None:
    """Take a query, and a form: each is a map of text, maps and lists, or bad."""
    with suppress(BadParams):
        orjson.dumps(decode_params(data.decode("latin-1")))
    with suppress(RequestError):
        orjson.dumps(decode_form("application/x-www-form-urlencoded", data, MAX_FORM))


UPGRADE: Final = b"""\
GET /socket/websocket?vsn=2.0.0&a[b]=c&a[]=%20 HTTP/1.1\r
Host: example.org:4000\r
Connection: keep-alive, Upgrade\r
Upgrade: websocket\r
Origin: http://www.example.org\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.c2VjcmV0\r
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12\r
X-Forwarded-For: 192.0.2.8\r
Cookie: a=b; session=SFMyNTY.g3QAAAAA.x\r
\r
"""
HTTP: Final = [
    UPGRADE,
    UPGRADE.replace(b"13\r", b"8\r").replace(b"http://www.", b"null"),
    b"POST http://[::1]:4000/x?y HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    + UPGRADE,
    b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost:\r\n\r\n",
    b"GET /%ff HTTP/1.1\nhost: a\n\n",
]
QUERIES: Final = [b"a=1&a[b]=2&a[][c]=3&&%20=%zz&b[c][d]", b"a" + b"[b]" * 40 + b"=1", b"token=%ff"]

# ----------------------------------------------------------------------------------------------- messages


def version_1(data: bytes) -> None:
    """Take a message of version 1."""
    _message(V1JSONSerializer(), data)


def version_2(data: bytes) -> None:
    """Take a message of version 2."""
    _message(V2JSONSerializer(), data)


def _message(serializer: Serializer, data: bytes) -> None:
    """Read it; what was read can be answered with itself, and is then the same message."""
    for opcode in (TEXT, BINARY):
        try:
            message = serializer.decode(data, opcode)
        except DecodeError as error:
            assert len(str(error)) < 1000  # noqa: PT017 - it is for one line of a log
            continue
        assert (type(message.topic), type(message.event)) == (str, str)
        if isinstance(message.payload, bytes):
            assert len(message.payload) < len(data)
            continue
        reply = Reply(message.topic[:60], "ok", message.payload, message.ref, message.join_ref)
        serializer.encode(reply)
        again = serializer.decode(serializer.encode(message).data, TEXT)
        if isinstance(serializer, V2JSONSerializer):
            assert again == message
            serializer.encode(attrs.evolve(reply, payload=b""))
        else:  # it tells no join_ref
            assert again == Message(message.topic, message.event, message.payload, message.ref)


MESSAGES: Final = [
    b'["1","2","room:1","phx_join",{"a":[1,2.5,null,true,"\\u20ac"]}]',
    b'[1,2.5,"room:1","event",9999999999999999999999]',
    b'{"topic":"room:1","event":"e","payload":{},"ref":"1","join_ref":null}',
    b"\x00\x01\x01\x06\x0412room:1echo\x00\xff",
    b"\x00\x00\x00\x00\x00",
    b"[" * 300 + b"]" * 300,
    b'["1","2","t","e",' + b"[" * 199 + b"]" * 199 + b"]",
    b'["1","2","t","e",' + b'{"":' * 253 + b"1" + b"}" * 253 + b"]",
    b'["1","' + b"2" * 256 + b'","t","e",{}]',
]

# ------------------------------------------------------------------------------------------ terms and tokens


def term(data: bytes) -> None:
    """Take an external term; what was read is written and read again alike."""
    try:
        read = decode_term(data)
    except TermError:
        return
    assert decode_term(encode_term(read)) == read


def token(data: bytes) -> None:
    """Take a token, and a message with the right signature: both are verified, or not."""
    assert isinstance(verify(SECRET, SALT, data.decode("latin-1")), Ok | Error)
    signed = sign_message(data, KEY)
    assert isinstance(verify(SECRET, SALT, signed), Ok | Error)
    assert isinstance(verify(SECRET, SALT, signed, max_age=None), Ok | Error)
    SESSION.read(SECRET, signed)


TERMS: Final = [
    encode_term({"a": [1, 2.5, 2**70, -(2**70), b"\xff"], "b": (True, None, [1, 2, 3])}),
    encode_term(("user", 1_700_000_000_000, 86400)),
    b"\x83h\x03m\x00\x00\x00\x01an\x06\x00\x00\x00\x00\x00\x00\x01d\x00\x08infinity",
    b"\x83P\x00\x00\xff\xff" + zlib.compress(b"m\x00\x00\xff\xfa" + b"x" * 65530),
    b"\x83t\x00\x00\x00\x01w\x01aF\x40\x00\x00\x00\x00\x00\x00\x00",
    b"\x83l\x7f\xff\xff\xff",
]

# ----------------------------------------------------------------------------------------------- envelopes

CHANNEL: Final = b"fuzzed:t:endpoint.pubsub:room:1"
SEALED: Final = Seal(SECRET)
OPEN: Final = Seal(None)


def envelope(data: bytes) -> None:
    """Take what other nodes say, in a cluster with a secret and in one without; what was read is written alike."""
    for seal in (SEALED, OPEN):
        try:
            frame = seal.open(CHANNEL, data)
        except EnvelopeError:
            continue
        if data[:1] != b"{":
            assert seal.seal(CHANNEL, frame) == data
        _said(frame.message)
    _said(data)


def _said(data: bytes) -> None:
    try:
        message = decode_message(data)
    except EnvelopeError:
        return
    assert encode_message(message) == data


SAID: Final = encode_message(Said(Kind.BROADCAST, "endpoint.pubsub", "room:1", "news", b'{"a":1}'))
FRAME: Final = Frame(bytes(range(16)), 7, 5, 1_700_000_000_000, SAID)
ENVELOPES: Final = [
    SAID,
    SEALED.seal(CHANNEL, FRAME),
    OPEN.seal(CHANNEL, FRAME),
    b'{"v":1,"topic":"room:1","event":"news","payload":{"a":[1,2.5,null]},"scope":"news"}',
    b"\x01\x02\xff\xff\xff\xff\xff",
]

TARGETS: Final = {
    "websocket": Target(websocket, FRAMES),
    "compressed_websocket": Target(compressed_websocket, [*FRAMES, *DEFLATED]),
    "http": Target(http, HTTP),
    "query": Target(query, QUERIES),
    "version_1": Target(version_1, MESSAGES),
    "version_2": Target(version_2, MESSAGES),
    "envelope": Target(envelope, ENVELOPES),
    "node": Target(node, NODES),
    "value": Target(value, VALUES),
    "term": Target(term, TERMS),
    "token": Target(token, [*TERMS, sign(SECRET, SALT, "user").encode()]),
}
