"""The session cookie of a Phoenix application: it tells `connect` which user is logged in.

The cookie is that of Plug.Session.COOKIE: an external term, signed with a key derived from the application's secret.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from phxactor.http._cookies import COOKIE_NAME
from phxactor.http._csrf import is_valid_csrf_token
from phxactor.http._params import BadParams
from phxactor.http._request import Request
from phxactor.token import KeyDigest, Secret, decrypt_message, derive_key, verify_message
from phxactor.token.external_term import Term, decode

Session: TypeAlias = dict[Term, Term]
"""The values that an application put into a session; the keys are strings, unless the application used others."""

_ANY_SECRET: Final = bytes(32)


@attrs.frozen(kw_only=True)
class SessionOptions:
    """The session options of an application: the values of `@session_options` in its endpoint.

    For encrypted sessions, install the extra `encryption`; the application must use Plug.Crypto 2.

    Raises:
        ValueError: an option is not valid.
        TypeError: an option has a wrong type.
        ImportError: an `encryption_salt` was given, and PyNaCl is not installed.

    """

    key: str = attrs.field()
    """The cookie's name."""
    signing_salt: str | bytes
    """The salt of the key that signs sessions."""
    encryption_salt: str | bytes | None = None
    """The salt of the key that encrypts sessions; None if they are not encrypted."""
    check_csrf: bool = attrs.field(default=True, validator=attrs.validators.instance_of(bool))
    """Whether the client must send the session's CSRF token as the parameter `_csrf_token`.

    Without this check, any web page could connect with its visitor's session, unless `check_origin` forbids it.
    """
    csrf_token_key: str = "_csrf_token"  # noqa: S105 - a key in the session, no secret
    """The session's key for its CSRF token."""
    key_iterations: int = 1000
    """Rounds of key derivation; change this and the next two options only if the application does."""
    key_length: int = 32
    """Length of a derived key in bytes."""
    key_digest: KeyDigest = "sha256"
    """Hash function of the key derivation."""

    @key.validator
    def _check_key(self, _: object, key: object) -> None:
        if not isinstance(key, str):
            raise TypeError(f"key must be a cookie's name as text; got {key!r}")
        if not COOKIE_NAME.fullmatch(key):
            raise ValueError(f"key must be a cookie's name (RFC 6265 section 4.1.1) as '_my_app_key'; got {key!r}")

    def __attrs_post_init__(self) -> None:
        """Read an empty cookie once, so that invalid options raise here."""
        self.read(_ANY_SECRET, "")

    def read(self, secret: Secret, cookie: str) -> Session | None:
        """Return the session in a cookie; None if the cookie was not made with this secret and these options."""
        message = self._open(secret, cookie)
        if message is None:
            return None
        try:
            term = decode(message)
        except ValueError:  # the signature is right, but the application uses another serializer
            return None
        return term if isinstance(term, dict) else None

    def _open(self, secret: Secret, cookie: str) -> bytes | None:
        if self.encryption_salt is None:
            return verify_message(cookie, self._derive(secret, self.signing_salt))
        return decrypt_message(cookie, self._derive(secret, self.encryption_salt))

    def _derive(self, secret: Secret, salt: str | bytes) -> bytes:
        return derive_key(secret, salt, iterations=self.key_iterations, length=self.key_length, digest=self.key_digest)


def session_of(request: Request, options: SessionOptions, secret: Secret) -> Session | None:
    """Return the session of a request; None if it has no valid cookie, or not the CSRF token that the session needs."""
    cookie = cookie_of(request, options.key)
    session = None if cookie is None else options.read(secret, cookie)
    if session is None or not options.check_csrf:
        return session
    try:
        shown = request.params.get("_csrf_token")
    except BadParams:
        return None
    return session if is_valid_csrf_token(session.get(options.csrf_token_key), shown) else None


def cookie_of(request: Request, wanted: str) -> str | None:
    """Return the value of a request's cookie; the last cookie of the name counts, as in Plug. None without one."""
    found = None
    for header, value in request.headers:
        if header == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                name, equals, text = pair.lstrip(" \t").partition("=")
                if equals and name == wanted:
                    found = text.rstrip(" ")
    return found
