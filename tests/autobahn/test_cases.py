"""Autobahn's cases by their ids, played by our own client on a raw socket: everywhere, and in seconds."""

from __future__ import annotations

import pytest

from phxactor import Endpoint, mount
from tests.autobahn.cases import CASES, Case
from tests.conformance.client import Closed
from tests.conformance.zoo import ECHO, EchoSocket
from tests.sockets.serving import serving

pytestmark = pytest.mark.socket


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_case(case: Case) -> None:
    endpoint = Endpoint(sockets=[mount("/echo", EchoSocket, websocket=ECHO)])
    async with serving(endpoint) as server, await server.connect("/echo/websocket") as client:
        for piece in case.pieces:
            await client.send_bare(piece)
        events, end = await client.until_closed()
        assert events == [*case.echoes]
        assert end == Closed(case.code, end.reason)
