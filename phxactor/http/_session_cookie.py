"""The session that a Phoenix application keeps in a cookie: by it `connect` knows who is logged in.

The cookie is Plug.Session.COOKIE's: an external term, signed with a key that is derived from the application's secret.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

import attrs

from phxactor.http._csrf import is_valid
from phxactor.http._params import BadParams
from phxactor.http._request import Request
from phxactor.token import KeyDigest, Secret, decrypt_message, derive_key, verify_message
from phxactor.token.external_term import Term, decode

Session: TypeAlias = dict[Term, Term]
"""What an application has put into a session; its keys are strings, unless it was written otherwise."""

_COOKIE_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ANY_SECRET: Final = bytes(32)


@attrs.frozen(kw_only=True)
class SessionOptions:
    """How an application keeps its sessions: what stands as `@session_options` in its endpoint.

    A session that was encrypted needs the extra `encryption`, and Plug.Crypto 2 on the other side.

    Raises:
        ValueError: an option that cannot be.
        TypeError: one of a wrong type.
        ImportError: an `encryption_salt` was given, and PyNaCl is not installed.

    """

    key: str = attrs.field()
    """The cookie's name."""
    signing_salt: str | bytes
    """Names the key that sessions are signed with."""
    encryption_salt: str | bytes | None = None
    """Names the key that sessions are encrypted with, if they are."""
    check_csrf: bool = attrs.field(default=True, validator=attrs.validators.instance_of(bool))
    """Whether the client must show the session's token as the parameter `_csrf_token`.

    Without, any page of the world can connect in the name of who is looking at it, unless `check_origin` forbids it.
    """
    csrf_token_key: str = "_csrf_token"  # noqa: S105 - where it stands, not what it is
    """Under which name the session keeps its token."""
    key_iterations: int = 1000
    """Rounds of the derivation of keys, as are the next two: change them if the application has."""
    key_length: int = 32
    """Bytes of a key."""
    key_digest: KeyDigest = "sha256"
    """Hash that keys are derived with."""

    @key.validator
    def _check_key(self, _: object, key: object) -> None:
        if not isinstance(key, str):
            raise TypeError(f"key is a cookie's name, not {key!r}")
        if not _COOKIE_NAME.fullmatch(key):
            raise ValueError(f"key is a cookie's name (RFC 6265 section 4.1.1), such as '_my_app_key', not {key!r}")

    def __attrs_post_init__(self) -> None:
        """Try it once: what cannot be is told here."""
        self.read(_ANY_SECRET, "")

    def read(self, secret: Secret, cookie: str) -> Session | None:
        """Return the session that a cookie holds; None if it was not written with this secret and these options."""
        message = self._open(secret, cookie)
        if message is None:
            return None
        try:
            term = decode(message)
        except ValueError:  # its writer had the key, but used another serializer
            return None
        return term if isinstance(term, dict) else None

    def _open(self, secret: Secret, cookie: str) -> bytes | None:
        if self.encryption_salt is None:
            return verify_message(cookie, self._derive(secret, self.signing_salt))
        return decrypt_message(cookie, self._derive(secret, self.encryption_salt))

    def _derive(self, secret: Secret, salt: str | bytes) -> bytes:
        return derive_key(secret, salt, iterations=self.key_iterations, length=self.key_length, digest=self.key_digest)


def session_of(request: Request, options: SessionOptions, secret: Secret) -> Session | None:
    """Return the session of whoever sent a request; None without one, and without the token that it asks for."""
    cookie = cookie_of(request, options.key)
    session = None if cookie is None else options.read(secret, cookie)
    if session is None or not options.check_csrf:
        return session
    try:
        shown = request.params.get("_csrf_token")
    except BadParams:
        return None
    return session if is_valid(session.get(options.csrf_token_key), shown) else None


def cookie_of(request: Request, wanted: str) -> str | None:
    """Return a cookie's value; the last one counts, as in Plug."""
    found = None
    for header, value in request.headers:
        if header == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, equals, text = pair.lstrip(" \t").partition("=")
                if equals and name == wanted:
                    found = text.rstrip(" ")
    return found
