"""Chooses the serializer of a connection: the client's `vsn` against the requirement of each serializer.

Versions and requirements follow Elixir's `Version`, as far as protocol versions need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple, Self, TypeAlias

import attrs

from phxactor.socket._serializer import Serializer
from phxactor.socket._serializer_v1 import V1JSONSerializer
from phxactor.socket._serializer_v2 import V2JSONSerializer

DEFAULT_VSN: Final = "1.0.0"
"""The version of a client that names none (Phoenix 1.8.12)."""
MAX_VSN: Final = 64
"""Characters of a version; a longer one is refused unread."""

_NUMBER = "(?:0|[1-9][0-9]*)"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PRE = f"(?:-(?P<pre>{_IDENTIFIERS}))?"
_VERSION: Final = re.compile(rf"(?P<numbers>{_NUMBER}(?:\.{_NUMBER}){{2}}){_PRE}(?:\+{_IDENTIFIERS})?")
_REQUIREMENT: Final = re.compile("(?P<operator>~>|>=|==) *(?P<version>.*)")


class Version(NamedTuple):
    """A version `x.y.z`, perhaps with a pre-release: `2.0.0-rc.1`. It orders as semver.org, item 11, says."""

    major: int
    minor: int
    patch: int
    released: bool
    """False for a pre-release, which comes before its release."""
    pre: tuple[tuple[bool, int, str], ...]
    """The identifiers of the pre-release, each as (is it a word, its number, its word)."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a version; `None` when it is malformed. What follows a `+` is ignored."""
        match = _VERSION.fullmatch(text) if len(text) <= MAX_VSN else None
        if match is None:
            return None
        major, minor, patch = map(int, match["numbers"].split("."))
        if match["pre"] is None:
            return cls(major, minor, patch, released=True, pre=())
        identifiers = match["pre"].split(".")
        if any(one.isdigit() and one != str(int(one)) for one in identifiers):
            return None  # a number with a leading zero
        pre = tuple((False, int(one), "") if one.isdigit() else (True, 0, one) for one in identifiers)
        return cls(major, minor, patch, released=False, pre=pre)


@attrs.frozen(eq=False)
class Requirement:
    """The versions that a serializer accepts."""

    operator: str
    lowest: Version
    fixed: int
    """How many leading numbers of `lowest` a version must have: all but the last one that was given to `~>`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `~> x.y.z` (this or a later z), `~> x.y` (this or a later y), `>= x.y.z` or `== x.y.z`.

        Raises:
            ValueError: it is none of these.

        """
        if match := _REQUIREMENT.fullmatch(text):
            operator, given = match["operator"], match["version"]
            short = operator == "~>" and given.count(".") == 1
            if lowest := Version.parse(f"{given}.0" if short else given):
                fixed = 0 if operator != "~>" else 1 if short else 2
                return cls(operator, lowest, fixed)
        raise ValueError(f"{text!r} is no version requirement: give '~> x.y.z', '~> x.y', '>= x.y.z' or '== x.y.z'")

    def allows(self, version: Version) -> bool:
        """Say whether a version is accepted; a pre-release is ordered before its release."""
        if self.operator == "==":
            return version == self.lowest
        return version >= self.lowest and version[: self.fixed] == self.lowest[: self.fixed]


Serializers: TypeAlias = tuple[tuple[Serializer, Requirement], ...]
"""The serializers that a socket offers, in the order in which they are tried."""


def versioned(pairs: Iterable[tuple[Serializer, str | Requirement]]) -> Serializers:
    """Check the serializers given to a socket: `[(MySerializer(), "~> 3.0.0"), ...]`.

    Raises:
        TypeError: something is no serializer, or a class where an object is wanted.
        ValueError: a requirement is malformed.

    """
    checked = []
    for serializer, requirement in pairs:
        if isinstance(serializer, type) or not isinstance(serializer, Serializer):
            raise TypeError(f"{serializer!r} is no serializer: give a hashable object with decode, encode and fastlane")
        parsed = requirement if isinstance(requirement, Requirement) else Requirement.parse(requirement)
        checked.append((serializer, parsed))
    return tuple(checked)


PHOENIX: Final = versioned([(V1JSONSerializer(), "~> 1.0.0"), (V2JSONSerializer(), "~> 2.0.0")])
"""The serializers of Phoenix 1.8.12: the default of a socket."""


def select(vsn: object, serializers: Serializers = PHOENIX) -> Serializer | None:
    """Return the first serializer that accepts a client's version.

    Args:
        vsn: the connection's parameter `vsn` as it came, `None` when there was none.
        serializers: what `versioned` returned.

    Returns:
        `None` when the version is malformed or no serializer accepts it: the handshake is then refused with 403.

    """
    if vsn is None:
        vsn = DEFAULT_VSN
    return _select(vsn, serializers) if isinstance(vsn, str) and len(vsn) <= MAX_VSN else None


@lru_cache(64)  # nearly all clients send the same version
def _select(vsn: str, serializers: Serializers) -> Serializer | None:
    version = Version.parse(vsn)
    if version is None:
        return None
    for serializer, requirement in serializers:
        if requirement.allows(version):
            return serializer
    return None
