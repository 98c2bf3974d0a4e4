"""`phxactor token`: makes and reads tokens of a phxactor server or of a Phoenix application."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar

import attrs
from cyclopts import App, Parameter

import phxactor.token
from phxactor.cli.output import say
from phxactor.cli.secret import find_secret
from phxactor.otp import UNSET, Ok
from phxactor.token import DAY, KeyDigest, Verified
from phxactor.token.external_term import Atom, Term

Result = TypeVar("Result", str, Verified)

STDIN: Final = "-"
"""Stands for the first line of standard input."""
WHY: Final = {
    "invalid": "the token is invalid: made with another secret, salt or key option, or changed since",
    "expired": "the token has expired",
}

app = App(name="token", help="Make and read tokens as Phoenix.Token does.")


@Parameter(name="*")
@attrs.frozen
class Key:
    """The options of the key, the same for making and reading a token."""

    secret_file: Annotated[Path | None, Parameter(help="A file with the secret.")] = None
    secret_env: Annotated[
        str, Parameter(help="The environment variable with the secret; without it, you are asked for the secret.")
    ] = "SECRET_KEY_BASE"  # noqa: S105 - its name is no secret
    key_iterations: Annotated[int, Parameter(help="Rounds of the derivation of the key.")] = 1000
    key_length: Annotated[int, Parameter(help="Bytes of the key; must be 32 for encryption.")] = 32
    key_digest: Annotated[KeyDigest, Parameter(help="The hash of the key derivation.")] = "sha256"


PHOENIX: Final = Key()
"""The defaults of Phoenix.Token."""

Salt: TypeAlias = Annotated[str, Parameter(help='The purpose of the token, such as "user socket".')]
Data: TypeAlias = Annotated[
    str, Parameter(help="The data as JSON: 42, '\"a text\"', '{\"id\": 42}'; by default a line of input.")
]
Shown: TypeAlias = Annotated[str, Parameter(help="The token; by default a line of input.")]
Lifetime: TypeAlias = Annotated[float, Parameter(help="Seconds until the token expires; inf for never.")]
Age: TypeAlias = Annotated[
    float | None,
    Parameter(help="Seconds after signing at which the token expires; by default the token's own value."),
]
AsTerm: TypeAlias = Annotated[
    bool, Parameter(name="--term", negative="", help="Show the data as a Python value, with atoms, tuples and bytes.")
]


@app.command
def sign(salt: Salt, data: Data = STDIN, *, max_age: Lifetime = DAY, key: Key = PHOENIX) -> None:
    """Make a signed token. Anybody who has the token can read its data; nobody can change it."""
    _make(phxactor.token.sign, salt, data, max_age, key)


@app.command
def encrypt(salt: Salt, data: Data = STDIN, *, max_age: Lifetime = DAY, key: Key = PHOENIX) -> None:
    """Make an encrypted token. Without the secret, its data can be neither read nor changed. Needs `encryption`."""
    _make(phxactor.token.encrypt, salt, data, max_age, key)


@app.command
def verify(salt: Salt, token: Shown = STDIN, *, max_age: Age = None, term: AsTerm = False, key: Key = PHOENIX) -> None:
    """Show the data of a signed token. If the token is not valid, say why and exit with code 1."""
    _read(phxactor.token.verify, salt, token, max_age, key, term=term)


@app.command
def decrypt(salt: Salt, token: Shown = STDIN, *, max_age: Age = None, term: AsTerm = False, key: Key = PHOENIX) -> None:
    """Show the data of an encrypted token. If the token is not valid, say why and exit with code 1."""
    _read(phxactor.token.decrypt, salt, token, max_age, key, term=term)


def _make(make: Callable[..., str], salt: str, data: str, max_age: float, key: Key) -> None:
    given = _given(data, "data, as JSON")
    try:
        value = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise SystemExit(
            f"the data is JSON, such as 42, '\"a text\"' or '{{\"id\": 42}}', not {given!r:.100}: {error}"
        ) from None
    say(_call(make, key, salt, value, max_age=_seconds(max_age)))


def _read(read: Callable[..., Verified], salt: str, token: str, max_age: float | None, key: Key, *, term: bool) -> None:
    result = _call(read, key, salt, _given(token, "token"), max_age=UNSET if max_age is None else _seconds(max_age))
    if not isinstance(result, Ok):
        raise SystemExit(WHY[str(result.reason)])
    say(repr(result.value) if term else _json(result.value))


def _call(function: Callable[..., Result], key: Key, *arguments: object, max_age: object) -> Result:
    secret = find_secret(key.secret_file, key.secret_env)
    options = {name: value for name, value in attrs.asdict(key).items() if name.startswith("key_")}
    try:
        return function(secret, *arguments, max_age=max_age, **options)
    except (ValueError, ImportError) as error:  # an invalid option or data, or PyNaCl is missing
        raise SystemExit(str(error)) from None


def _given(argument: str, what: str) -> str:
    if argument != STDIN:
        return argument
    if sys.stdin.isatty():
        print(f"{what}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def _seconds(given: float) -> float:
    """Turn a whole number into an int, as Phoenix writes it."""
    return int(given) if float(given).is_integer() else given


def _json(term: Term) -> str:
    """Write a term as JSON as Elixir's libraries do, and tuples as arrays. Raises SystemExit if JSON cannot hold it."""
    try:
        return json.dumps(_plain(term), ensure_ascii=False)
    except TypeError as error:
        raise SystemExit(f"the token is good, but its data is no JSON: {error}; --term shows it") from None


def _plain(term: Term) -> object:
    match term:
        case Atom(name):
            return name
        case list() | tuple():
            return [_plain(item) for item in term]
        case dict():
            return {_name(key): _plain(value) for key, value in term.items()}
        case bytes():
            raise TypeError("a binary in it is not UTF-8")
        case _:
            return term


def _name(key: Term) -> str:
    match key:
        case str():
            return key
        case Atom(name):
            return name
        case None | bool() | int() | float():
            return json.dumps(key)
        case _:
            raise TypeError("a key in it is no text")
