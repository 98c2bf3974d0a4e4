from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.socket import (
    PHOENIX,
    TEXT,
    Broadcast,
    Message,
    Reply,
    Requirement,
    SocketPush,
    V1JSONSerializer,
    V2JSONSerializer,
    select,
    versioned,
)
from phxactor.socket._versions import MAX_VSN, Version

numbers = st.tuples(*[st.integers(0, 4)] * 3)


class Silent:
    """A serializer of somebody else."""

    def decode(self, data: bytes, opcode: int) -> Message:
        return Message(str(opcode), data.decode(), None)

    def encode(self, message: Message | Reply) -> SocketPush:
        return SocketPush(TEXT, message.topic.encode())

    def fastlane(self, broadcast: Broadcast) -> SocketPush:
        return SocketPush(TEXT, broadcast.topic.encode())


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


@pytest.mark.parametrize(
    ("vsn", "chosen"),
    [
        (None, V1JSONSerializer),  # recorded from Phoenix 1.8.12, like the next four
        ("1.0.0", V1JSONSerializer),
        ("2.0.1", V2JSONSerializer),
        ("3.0.0", None),
        ("abc", None),
        ("2.0.0", V2JSONSerializer),
        ("2.0.99", V2JSONSerializer),
        ("2.0.0+build.7", V2JSONSerializer),
        ("2.0.1-rc.1", V2JSONSerializer),
        ("2.0.0-rc.1", None),  # comes before 2.0.0
        ("2.1.0-rc.1", None),  # is of 2.1, not of 2.0
        ("2.1.0", None),
        ("1.1.0", None),
        ("0.9.9", None),
    ],
)
def test_phoenix_serializers_by_version(vsn: str | None, chosen: type | None) -> None:
    serializer = select(vsn)
    assert serializer is None if chosen is None else type(serializer) is chosen


@pytest.mark.parametrize(
    "vsn",
    [
        *("", "2", "2.0", "2.0.0.0", "v2.0.0", " 2.0.0", "2.0.0 ", "2.0.0\n", "2..0", "-2.0.0", "2.0.x"),
        *("02.0.0", "2.00.0", "2.0.00", "2.0.0-", "2.0.0-rc..1", "2.0.0-01", "2.0.0-rc.01", "2.0.0+"),
        *("2.0.0-ü", "\uff12.0.0", "1\uff12.0.0", "2.0.0-²"),
        {"a": "2.0.0"},
        ["2.0.0"],
        b"2.0.0",
    ],
)
def test_a_malformed_version_has_no_serializer(vsn: object) -> None:
    assert select(vsn, versioned([(Silent(), ">= 0.0.0")])) is None


def test_an_absurdly_long_version_has_no_serializer() -> None:
    longest = "2.0.1-".ljust(MAX_VSN, "x")
    assert select(longest) is not None
    assert select(longest + "x") is None
    assert select("1" * 1_000_000) is None


@given(st.text() | st.from_regex(r"[0-9.+a-z-]*"))
def test_any_text_is_a_version_or_none(text: str) -> None:
    version = Version.parse(text)
    if version is not None:
        assert text.startswith(dotted(version[:3]))


def test_versions_order_as_in_the_example_of_semver_org() -> None:
    ordered = [
        *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2"),
        *("1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-0", "2.0.0"),
    ]
    parsed = [Version.parse(text) for text in ordered]
    assert None not in parsed
    assert sorted(filter(None, reversed(parsed))) == parsed


@given(numbers, numbers)
def test_requirements_against_a_naive_model(lowest: tuple[int, ...], version: tuple[int, ...]) -> None:
    x, y, z = lowest
    given_ = Version.parse(dotted(version))
    assert given_ is not None

    def allows(requirement: str) -> bool:
        return Requirement.parse(requirement).allows(given_)

    assert allows(f"~> {x}.{y}.{z}") == (lowest <= version < (x, y + 1, 0))
    assert allows(f"~> {x}.{y}") == ((x, y, 0) <= version < (x + 1, 0, 0))
    assert allows(f">= {x}.{y}.{z}") == (lowest <= version)
    assert allows(f"== {x}.{y}.{z}") == (lowest == version)


def test_a_requirement_may_name_a_pre_release() -> None:
    serializer = Silent()
    chosen = versioned([(serializer, "~> 2.0.0-rc.2")])
    assert select("2.0.0-rc.1", chosen) is None
    assert select("2.0.0-rc.2", chosen) is serializer
    assert select("2.0.0", chosen) is serializer
    assert select("2.1.0-rc.2", chosen) is None


@pytest.mark.parametrize(
    "requirement",
    ["", "2.0.0", "~> 2", ">= 2.0", "== 2.0", "< 2.0.0", "~> 2.0.0 or ~> 3.0.0", "~> 2.0.x", "~> 2.0-rc"],
)
def test_a_malformed_requirement_says_what_is_allowed(requirement: str) -> None:
    with pytest.raises(ValueError, match=r"'~> x\.y\.z', '~> x\.y', '>= x\.y\.z' or '== x\.y\.z'"):
        versioned([(Silent(), requirement)])


def test_custom_serializers_are_tried_in_order() -> None:
    first, second = Silent(), Silent()
    chosen = versioned([(first, ">= 3.0.0"), (second, "~> 3.1"), *_phoenix_again()])
    assert select("3.1.0", chosen) is first
    assert select("2.0.0", chosen) is _phoenix_again()[1][0]


def _phoenix_again() -> list[tuple[V1JSONSerializer | V2JSONSerializer, str]]:
    return [(_V1, "~> 1.0.0"), (_V2, "~> 2.0.0")]


_V1, _V2 = V1JSONSerializer(), V2JSONSerializer()


@pytest.mark.parametrize("wrong", [Silent, object(), "json", None])
def test_what_is_no_serializer_is_refused_when_given(wrong: object) -> None:
    with pytest.raises(TypeError, match="is no serializer: give a hashable object with decode, encode and"):
        versioned([(wrong, "~> 1.0.0")])  # type: ignore[list-item]


def test_all_sockets_share_phoenix_serializers() -> None:
    # So that a broadcast is encoded once.
    assert select("2.0.0") is select("2.0.7") is PHOENIX[1][0]
