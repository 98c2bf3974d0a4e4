"""Who may look: the names that the observer answers to, a function of the program, and a token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Final, TypeAlias, final

import attrs

from phxactor.http import Handler, Hosts, Request, Response
from phxactor.otp import is_async

Authorize: TypeAlias = Callable[[Request], Awaitable[bool]]
"""Says whether a request may see the observer, and use its buttons if they are on."""

_REFUSED: Final = Response.text(
    "the observer does not answer to this Host: allow it, as in observer_routes(hosts=['tree.example.com'])\n",
    status=HTTPStatus.FORBIDDEN,
)
_UNAUTHORIZED: Final = Response.text("the observer refuses this request\n", status=HTTPStatus.FORBIDDEN)
_NO_TOKEN: Final = Response.text(
    "the observer asks for its token, as `Authorization: Bearer TOKEN`\n",
    status=HTTPStatus.UNAUTHORIZED,
    headers=[("www-authenticate", "Bearer")],
)
_OF_PROXIES: Final = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-real-ip")
"""Headers by which proxies say that they forward a request."""
_SHORTEST: Final = 16
"""Fewest characters of a token."""


@final
@attrs.frozen
class Guard:
    """Judges requests. A request needs an allowed host, then the word of `authorize`, then the token; each if given."""

    direct: Hosts
    forwarded: Hosts
    """The hosts of requests that a proxy has forwarded: a client of the proxy may have sent any `Host`."""
    authorize: Authorize | None
    token: str | None = attrs.field(repr=False)

    @staticmethod
    def made(hosts: Iterable[str], authorize: Authorize | None, token: str | None) -> Guard:
        """Make a guard. Raises TypeError or ValueError for wrong options."""
        if authorize is not None and not is_async(authorize):
            raise TypeError(f"authorize must be an async function of a request; got {authorize!r:.200}")
        given: object = token
        if given is not None and (not isinstance(given, str) or len(given) < _SHORTEST):
            raise ValueError(
                f"token must be text of at least {_SHORTEST} characters; secrets.token_urlsafe() makes a good one"
            )
        direct = Hosts(hosts, loopback=True)
        return Guard(direct, Hosts(direct.names), authorize, token)

    async def refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that may not see anything; None for one that may see all but needs a token."""
        allowed = self.forwarded if _is_forwarded(request) else self.direct
        if not allowed.allow(request):
            return _REFUSED
        if self.authorize is not None and await self.authorize(request) is not True:
            return _UNAUTHORIZED
        return None

    def knows(self, token: object) -> bool:
        """Say whether a token is the right one, in constant time; any is right if there is none."""
        if self.token is None:
            return True
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.token.encode())

    def open(self, handler: Handler) -> Handler:
        """Return a handler for the page and its files: they hold no secrets, and browsers send no token for them."""

        async def answer(request: Request) -> Response:
            refused = await self.refusal(request)
            return await handler(request) if refused is None else refused

        return answer

    def closed(self, handler: Handler) -> Handler:
        """Return a handler for what needs the token too, as `Authorization: Bearer`."""

        async def answer(request: Request) -> Response:
            refused = await self.refusal(request)
            if refused is None and not self.knows((request.header("authorization") or "").removeprefix("Bearer ")):
                refused = _NO_TOKEN
            return await handler(request) if refused is None else refused

        return answer


def _is_forwarded(request: Request) -> bool:
    """Say whether a proxy has sent the request, whether the endpoint trusts it or not.

    A request of a trusted address is not, if it names no client: that is a program on the machine of the proxy.
    """
    by_peer = request.proxy is not None and request.proxy != request.peer
    return by_peer or any(request.header(name) is not None for name in _OF_PROXIES)
