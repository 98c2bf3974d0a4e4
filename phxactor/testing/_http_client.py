"""A browser in a test: HTTP requests to an endpoint, without a network port.

Each request goes over a connection of its own, in memory, to a connection process below the endpoint: routes, limits,
time-outs, processes and answers are those of a server, and all of it takes virtual time.
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlencode

import attrs
import h11
import orjson
import trio
import trio.testing

from phxactor.endpoint import IN_MEMORY, Endpoint
from phxactor.http import JSON, PeerData
from phxactor.testing._connecting import HOST, running
from phxactor.testing._cookie_jar import CookieJar

_CHUNK: Final = 65536
_SHOWN: Final = 200
"""Characters of a body that `repr` shows."""


class _Unset:
    """The value of `json` where there is none: JSON's own `null` is None."""


_UNSET: Final = _Unset()


@attrs.frozen(repr=False)
class HTTPAnswer:
    """The answer to a request of an `HTTPClient`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Pairs of a name in lower case and a value, in order."""
    body: bytes

    def __repr__(self) -> str:
        """Show the status, and how the body begins."""
        text = self.text[:_SHOWN]
        return f"<HTTPAnswer {self.status} {text!r}{'...' if len(self.text) > _SHOWN else ''}>"

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None; commas join headers of one name."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def location(self) -> str | None:
        """Where a redirect leads."""
        return self.header("location")

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode(errors="replace")

    def json(self) -> JSON:
        """Decode the body. Raises ValueError if it is not JSON."""
        value: JSON = jsonlib.loads(self.body)
        return value


class HTTPClient:
    """A browser without a page: it sends requests to an endpoint, and keeps the cookies that it is given.

    Redirects are not followed: the test looks at the answer's `location`. If a handler raises, the answer is 500, as
    from a server, and the log has the traceback. The caller of a request must be a process, e.g. in a test with
    `phx_runtime`.

    Args:
        endpoint: the endpoint. If it does not run, the first request starts it, without a network port and linked to
            the caller.
        headers: headers that each request has.
        peer: the client's address.

    """

    def __init__(
        self, endpoint: Endpoint, *, headers: Mapping[str, str] | None = None, peer: PeerData = IN_MEMORY
    ) -> None:
        self.endpoint = endpoint
        self.headers = dict(headers or {})
        self.peer = peer
        self._jar = CookieJar()

    def __repr__(self) -> str:
        """Show the endpoint, and the names of the cookies."""
        return f"<HTTPClient of {self.endpoint!r}, cookies: {sorted(self.cookies)}>"

    # ----------------------------------------------------------------------------------------------- cookies

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies that the client has, by name; `connect(UserSocket, cookies=client.cookies)` sends them too."""
        return self._jar.all()

    def set_cookie(self, name: str, value: str, *, path: str = "/") -> None:
        """Set a cookie, as if a server had sent it; any text, also one that a browser would not send."""
        self._jar.set(name, value, path)

    # ---------------------------------------------------------------------------------------------- requests

    async def get(self, target: str, *, headers: Mapping[str, str] | None = None) -> HTTPAnswer:
        """Send a GET request; see `request`."""
        return await self.request("GET", target, headers=headers)

    async def post(
        self,
        target: str,
        *,
        form: Mapping[str, str | Iterable[str]] | None = None,
        json: object = _UNSET,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPAnswer:
        """Send a POST request; see `request`."""
        return await self.request("POST", target, form=form, json=json, body=body, headers=headers)

    async def request(
        self,
        method: str,
        target: str,
        *,
        form: Mapping[str, str | Iterable[str]] | None = None,
        json: object = _UNSET,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> HTTPAnswer:
        """Send a request, and return the answer when it is complete. If this is cancelled, the client leaves.

        Args:
            method: the method, in upper case.
            target: the path, percent-encoded, with a query if there is one.
            form: the fields of a form, for the body: name and value, or name and values.
            json: a value for the body, as JSON.
            body: any other body.
            headers: headers of this request, beside the client's own; a name that is here replaces them.

        Raises:
            ValueError: there is more than one of `form`, `json` and `body`; or this is no request that h11 can send.
            ConnectionError: the server closed the connection without a whole answer.
            NotAProcessError: the caller is no process.

        """
        __tracebackhide__ = True
        content, content_type = _content(form, json, body)
        sent = {"host": HOST, **content_type, **_lower(self.headers), **_lower(headers or {})}
        cookie = self._jar.header(target.partition("?")[0])
        if cookie and "cookie" not in sent:
            sent["cookie"] = cookie
        if content or method not in ("GET", "HEAD"):
            sent["content-length"] = str(len(content))
        sent["connection"] = "close"
        client = h11.Connection(h11.CLIENT)
        try:
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
            head = h11.Request(method=method, target=target, headers=pairs)
            data = b"".join([client.send(head), client.send(h11.Data(data=content)), client.send(h11.EndOfMessage())])
        except h11.LocalProtocolError as error:
            raise ValueError(f"{method} {target!r:.100} cannot be sent: {error}") from None
        await running(self.endpoint)
        answer = await self._exchange(client, data)
        self._jar.take([value for name, value in answer.headers if name == "set-cookie"], target.partition("?")[0])
        return answer

    async def _exchange(self, client: h11.Connection, data: bytes) -> HTTPAnswer:
        ours, theirs = trio.testing.memory_stream_pair()
        (await self.endpoint.serve_stream(theirs, self.peer)).unwrap()
        answer, body = None, b""
        try:
            await ours.send_all(data)
            while not isinstance(event := await _event(client, ours), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    answer = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif event is None:
                    raise ConnectionError("the server closed the connection without a whole answer")
            assert answer is not None  # noqa: S101 - h11 wants a head before the end
            await _end(ours)
        finally:
            await trio.aclose_forcefully(ours)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
        return HTTPAnswer(answer.status_code, headers, body)


async def _event(client: h11.Connection, stream: trio.abc.Stream) -> h11.Event | None:
    """Return the next event; None if the server has closed."""
    while True:
        try:
            event = client.next_event()
        except h11.RemoteProtocolError:
            return None
        if event is h11.NEED_DATA:
            try:
                client.receive_data(bytes(await stream.receive_some(_CHUNK)))
            except trio.BrokenResourceError:
                return None
        else:
            return event if isinstance(event, h11.Event) and not isinstance(event, h11.ConnectionClosed) else None


async def _end(stream: trio.abc.Stream) -> None:
    """Wait until the server has closed, so that nothing of the request goes on after it."""
    try:
        while await stream.receive_some(_CHUNK):
            pass
    except trio.BrokenResourceError:
        pass


def _content(form: Mapping[str, str | Iterable[str]] | None, json: object, body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body, and its content type as a header."""
    if (form is not None) + (json is not _UNSET) + bool(body) > 1:
        raise ValueError("a request has one of form, json and body")
    if form is not None:
        return urlencode(form, doseq=True).encode(), {"content-type": "application/x-www-form-urlencoded"}
    if json is not _UNSET:
        return orjson.dumps(json), {"content-type": "application/json"}
    return body, {}


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
