"""The session that another framework keeps by a cookie: Django's, Starlette's, Flask's, or any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, TypeAlias

import attrs

from phxactor import _checks as check
from phxactor.http._cookies import COOKIE_NAME
from phxactor.http._request import Request

SessionMapping: TypeAlias = Mapping[Any, Any]
"""The values of a session."""
ReadSession: TypeAlias = Callable[[str], "SessionMapping | Awaitable[SessionMapping | None] | None"]
"""A function from a cookie's value to the session; None if the cookie is not valid, or if the session has ended."""


@attrs.frozen
class CookieSession:
    """How to read the session of another framework: `CookieSession("sessionid", read)`.

    `read(value)` gets the value of the cookie, and returns the session as a mapping, or None if the cookie is not
    valid. It may be an `async def`; `connect_timeout` bounds it too. If it raises, the session is None, and the log has
    one line, without the text of the exception, which may hold the cookie.

    `read` is not called for a client without the cookie, or with two different cookies of that name: no order of the
    two tells which one the server has set.

    Raises:
        ValueError: `key` is no name of a cookie.
        TypeError: `key` is no text, or `read` is no function.

    """

    key: str = attrs.field()
    """The cookie's name."""
    read: ReadSession = attrs.field(validator=check.validator(check.function))
    """The function that reads the session."""

    @key.validator
    def _check_key(self, _: object, key: object) -> None:
        if not isinstance(key, str):
            raise TypeError(f"key must be a cookie's name as text; got {key!r}")
        if not COOKIE_NAME.fullmatch(key):
            raise ValueError(f"key must be a cookie's name (RFC 6265 section 4.1.1) as 'sessionid'; got {key!r}")

    async def session_of(self, request: Request) -> SessionMapping | None:
        """Return the session of a request, or None. Raises what `read` raises, and TypeError for any other value."""
        value = request.cookies.get(self.key)
        if value is None:
            return None
        session = self.read(value)
        if isawaitable(session):
            session = await session
        if session is None or isinstance(session, Mapping):
            return session
        raise TypeError(f"the function that reads the session must return a mapping or None, not {type(session)}")
