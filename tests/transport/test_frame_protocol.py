"""What a connection that has ended kept of `websockets` is free at once, with the collector off."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate

from phxactor.transport._frame_protocol import make_protocol, take_apart
from tests.transport.frames import TEXT, frame


@pytest.fixture(autouse=True)
def without_the_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


MOMENTS = {
    "before the first frame": b"",
    "in the head": frame(TEXT, b"x" * 300)[:3],
    "in a frame": frame(TEXT, b"x" * 60000)[:30000],
    "in a fragment": frame(TEXT, b"x" * 60000, fin=False),
    "after a wrong frame": frame(TEXT, b"x", masked=False),
    "after a whole frame": frame(TEXT, b"x" * 60000),
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_is_left_of_a_protocol_that_was_taken_apart(moment: str, compressed: bool) -> None:
    extensions = [PerMessageDeflate(False, False, 15, 15)] if compressed else []
    protocol = make_protocol(extensions, 1 << 20)
    protocol.receive_data(MOMENTS[moment])
    received: Any = protocol.events_received()
    left = weakref.ref(protocol)
    take_apart(protocol)
    del protocol, received
    assert left() is None
