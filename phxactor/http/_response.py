"""An HTTP response, made by handlers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import attrs
import orjson

from phxactor.http._local_path import location
from phxactor.http._request import Headers
from phxactor.http._response_headers import HeaderPairs, check_headers, with_type
from phxactor.http._set_cookie import SameSite, SetCookie

_REDIRECTS: Final = (301, 302, 303, 307, 308)


def _check_body(_: object, __: object, body: object) -> None:
    if type(body) is not bytes:
        raise TypeError(f"the body of a response must be bytes, not {type(body).__name__}; Response.text takes text")


def _encode(text: str, made_by: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"Response.{made_by} takes text, not {type(text).__name__}")
    return text.encode()


@attrs.frozen
class Response:
    """An HTTP response with its body; the server adds the date and the length when it sends it.

    Args:
        status: 200 to 599.
        body: the bytes of the body; not sent with a 204 or a 304, nor in the answer to HEAD.
        headers: pairs of name and value, or a mapping.

    Raises:
        ValueError: the status or a header is not valid, or the server itself sets the header.
        TypeError: the status is no number, the body is not `bytes`, or a header is no pair.

    """

    status: int = attrs.field()
    body: bytes = attrs.field(default=b"", repr=False, validator=_check_body)
    headers: Headers = attrs.field(default=(), converter=check_headers, repr=False)  # may hold a session
    set_cookies: tuple[SetCookie, ...] = attrs.field(default=(), kw_only=True)
    """The cookies that the response sets; they become headers when the scheme of the request is known."""

    @status.validator
    def _check_status(self, _: object, status: int) -> None:
        if not isinstance(status, int):
            raise TypeError(f"status must be a number, 200 to 599; got {status!r}")
        if not 200 <= status <= 599:  # noqa: PLR2004 - the classes of RFC 9110 section 15 that end an exchange
            raise ValueError(f"status must be a final one, 200 to 599; got {status!r}")

    @classmethod
    def text(cls, text: str, *, status: int = 200, headers: HeaderPairs = ()) -> Response:
        """Return a response with plain text in UTF-8."""
        return cls(status, _encode(text, "text"), with_type(b"text/plain; charset=utf-8", headers))

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: HeaderPairs = ()) -> Response:
        """Return a response with JSON.

        Raises:
            TypeError: orjson cannot encode `value`.

        """
        return cls(status, orjson.dumps(value), with_type(b"application/json", headers))

    @classmethod
    def html(cls, html: str, *, status: int = 200, headers: HeaderPairs = ()) -> Response:
        """Return a response with a page in UTF-8; put texts of clients into it by `html.escape` only."""
        return cls(status, _encode(html, "html"), with_type(b"text/html; charset=utf-8", headers))

    @classmethod
    def redirect(
        cls, to: str, *, status: int = HTTPStatus.SEE_OTHER, external: bool = False, headers: HeaderPairs = ()
    ) -> Response:
        """Return a redirect to a path of this server, such as `/board`.

        Args:
            to: the path, with a query if there is one. What is not ASCII is percent-encoded.
            status: 303, after which the browser sends GET; or 301, 302, 307, 308.
            external: whether `to` is a URL of `http` or `https` instead, also of another host.
            headers: pairs of name and value, or a mapping.

        Raises:
            ValueError: without `external`, `to` leads to another host or may do so (see `is_local_path`); the status is
                none of a redirect.

        """
        if status not in _REDIRECTS:
            raise ValueError(f"the status of a redirect must be one of {_REDIRECTS}; got {status!r}")
        return cls(status, b"", [("location", location(to, external=external)), *check_headers(headers)])

    def cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool = True,
        same_site: SameSite = "Lax",
    ) -> Response:
        """Return the same response, which also sets a cookie.

        Args:
            name: the name. Names with the prefix `__Host-` are for https only, and no subdomain can set them.
            value: the value, at most 4096 bytes with its name. A client can change it, unless you sign it
                (`phxactor.token.sign`).
            max_age: seconds that the browser keeps the cookie; by default until the browser ends.
            path: the browser sends the cookie only below this path.
            domain: the host whose subdomains get the cookie too; by default this host gets it, and no other.
            secure: whether the browser sends it by https only; by default if the request came by https.
            http_only: whether the page's JavaScript cannot read it.
            same_site: `Lax`: requests from other sites come without the cookie, except for links to this site;
                `Strict`: links too; `None`: all requests come with it, by https only.

        Raises:
            ValueError: a part holds characters that it may not hold, or the parts do not fit together.
            TypeError: a part is of another type.

        """
        made = SetCookie(
            name=name,
            value=value,
            max_age=max_age,
            path=path,
            domain=domain,
            secure=secure,
            http_only=http_only,
            same_site=same_site,
        )
        return attrs.evolve(self, set_cookies=(*self.set_cookies, made))

    def delete_cookie(self, name: str, *, path: str = "/", domain: str | None = None) -> Response:
        """Return the same response, which also deletes a cookie: path and domain must be those of `cookie`."""
        return self.cookie(name, "", max_age=0, path=path, domain=domain)

    def sealed(self, scheme: str) -> Response:
        """Return the response to a request of this scheme: its cookies are headers."""
        if not self.set_cookies:
            return self
        headers = (*self.headers, *(cookie.header(scheme) for cookie in self.set_cookies))
        return attrs.evolve(self, headers=headers, set_cookies=())


def last_answer(status: HTTPStatus) -> bytes:
    """Return the bytes of an empty response that closes the connection."""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    return head.encode()
