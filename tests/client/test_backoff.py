from __future__ import annotations

from phxactor.client import reconnect_after, rejoin_after


def test_connections_are_tried_again_as_by_phoenix_js() -> None:
    seconds = [reconnect_after(tries) for tries in range(1, 13)]
    assert seconds == [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2, 5, 5, 5]


def test_joins_are_tried_again_as_by_phoenix_js() -> None:
    assert [rejoin_after(tries) for tries in range(1, 7)] == [1, 2, 5, 10, 10, 10]
