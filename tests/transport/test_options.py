from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from phxactor.socket import PHOENIX, V2JSONSerializer
from phxactor.transport import WebSocketOptions
from tests.http.requests import request


def test_the_defaults() -> None:
    options = WebSocketOptions()
    assert options.path == "/websocket"
    assert options.timeout == 60.0
    assert options.max_frame_size == 1_048_576
    assert options.compress is False
    assert options.check_origin.allows(request(origin="http://example.com"))
    assert not options.check_origin.allows(request(origin="http://example.org"))
    assert options.subprotocols == ()
    assert options.auth_token is False
    assert options.connect_info == ()
    assert options.error_handler is None
    assert options.serializers is PHOENIX
    assert options.max_channels == 100
    assert options.join_timeout == 30.0
    assert options.max_output_bytes == 4_194_304
    assert options.max_containers == 65_536
    assert options.slow_consumer == "close"
    assert options.max_messages_per_second is None
    assert options.max_joins_per_second is None
    assert options.transport_log is False
    assert options.fullsweep_after is None
    assert options.session is None


def test_what_is_given_is_taken() -> None:
    options = WebSocketOptions(
        path="/ws/v1",
        timeout=math.inf,
        check_origin=["//example.org"],
        subprotocols=["ref.v1", "ref.v2"],
        connect_info=["uri", "peer_data"],
        serializers=[(V2JSONSerializer(), "~> 2.0")],
        max_channels=3,
    )
    assert options.path == "/ws/v1"
    assert options.timeout == math.inf
    assert options.check_origin.allows(request(origin="http://example.org"))
    assert options.subprotocols == ("ref.v1", "ref.v2")
    assert options.connect_info == ("uri", "peer_data")
    assert [type(serializer) for serializer, _ in options.serializers] == [V2JSONSerializer]
    assert options.max_channels == 3


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("path", "websocket", ValueError, "slash"),
        ("path", "/a?b", ValueError, "query"),
        ("path", None, TypeError, "path must be a str"),
        ("timeout", 0, ValueError, "timeout must be more than 0"),
        ("timeout", -1.0, ValueError, "more than 0"),
        ("timeout", math.nan, ValueError, "more than 0"),
        ("timeout", None, TypeError, "seconds"),
        ("timeout", True, TypeError, "seconds"),
        ("join_timeout", 0, ValueError, "join_timeout"),
        ("max_frame_size", 0, ValueError, "whole number of at least 1"),
        ("max_frame_size", 1.5, TypeError, "whole number"),
        ("max_channels", 0, ValueError, "max_channels"),
        ("max_channels", True, TypeError, "max_channels"),
        ("max_containers", 0, ValueError, "max_containers"),
        ("max_containers", 1.5, TypeError, "max_containers"),
        ("max_output_bytes", -1, ValueError, "max_output_bytes"),
        ("compress", 1, TypeError, "True or False"),
        ("auth_token", "yes", TypeError, "auth_token"),
        ("check_origin", ["example.com"], ValueError, "check_origin"),
        ("subprotocols", "ref.v1", TypeError, "list"),
        ("subprotocols", ["a b"], ValueError, "token"),
        ("subprotocols", [""], ValueError, "token"),
        ("connect_info", "uri", TypeError, "list"),
        ("connect_info", ["session"], ValueError, "peer_data"),
        ("error_handler", 403, TypeError, "function"),
        ("slow_consumer", "wait", ValueError, "one of 'close', 'drop'"),
        ("slow_consumer", None, ValueError, "one of 'close', 'drop'"),
        ("max_messages_per_second", 0, ValueError, "more than 0"),
        ("max_messages_per_second", math.inf, ValueError, "None for no limit"),
        ("max_messages_per_second", math.nan, ValueError, "more than 0"),
        ("max_messages_per_second", "10", TypeError, "None for no limit"),
        ("max_joins_per_second", -1, ValueError, "more than 0"),
        ("max_joins_per_second", True, TypeError, "number"),
        ("transport_log", True, ValueError, "debug"),
        ("transport_log", "notice", ValueError, "debug"),
        ("transport_log", 0, ValueError, "False"),
        ("fullsweep_after", -1, ValueError, "whole number of at least 0"),
        ("fullsweep_after", 1.0, TypeError, "whole number"),
        ("fullsweep_after", False, TypeError, "whole number"),
        ("serializers", [(V2JSONSerializer(), "2")], ValueError, "requirement"),
    ],
)
def test_bad_options_fail_when_given(name: str, value: Any, error: type[Exception], says: str) -> None:  # noqa: ANN401 - or else mypy would refuse it first
    with pytest.raises(error, match=says):
        WebSocketOptions(**{name: value})


def test_options_do_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        WebSocketOptions().timeout = 1.0  # type: ignore[misc]
