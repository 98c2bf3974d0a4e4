from __future__ import annotations

import pytest

from phxactor.envelope import EnvelopeError, channel_of_all, channel_of_lane, channel_of_node, check_prefix, lane_of


def test_the_names_are_as_documented() -> None:
    assert channel_of_all("shop") == b"shop:all"
    assert channel_of_node("shop", bytes(range(16))) == b"shop:n:000102030405060708090a0b0c0d0e0f"
    assert channel_of_lane("shop", lane_of("endpoint.pubsub", "room:é")) == "shop:t:endpoint.pubsub:room:é".encode()


def test_half_of_a_surrogate_pair_is_no_name() -> None:
    with pytest.raises(EnvelopeError, match="UTF-8"):
        channel_of_lane("shop", "\ud800")


@pytest.mark.parametrize("prefix", ["phxactor", "shop-2.test_A", "x" * 64])
def test_a_prefix_may_be(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["", "a:b", "a b", "shop\n", "é", "x" * 65, "*"])
def test_a_prefix_may_not_be(prefix: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 ASCII letters"):
        check_prefix(prefix)


def test_a_prefix_is_text() -> None:
    with pytest.raises(TypeError, match="is text"):
        check_prefix(b"shop")  # type: ignore[arg-type]
