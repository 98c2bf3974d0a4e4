"""The picture over HTTP, without a socket."""

from __future__ import annotations

import orjson
import pytest
import trio

from phxactor import Endpoint, Request, Response, open_runtime, spawn
from phxactor.observer import observer_routes, snapshot, tree
from phxactor.observer.routes import read
from phxactor.transport.request import PeerData


async def answer(path: str) -> Response:
    endpoint = Endpoint(routes=observer_routes())
    return await endpoint.answer(Request("GET", path, peer=PeerData("127.0.0.1", 1)))


async def test_text_for_people() -> None:
    async with open_runtime():
        spawn(trio.sleep_forever)
        response = await answer("/observer")
        assert response.body.decode() == tree(snapshot()) + "\n"


async def test_json_for_programs() -> None:
    async with open_runtime():
        spawn(trio.sleep_forever)
        response = await answer("/observer.json")
        assert read(response.body) == snapshot()
        assert orjson.loads(response.body)["processes"] == 2


async def test_the_path_can_be_another() -> None:
    assert [route.path for route in observer_routes("/admin/tree")] == ["/admin/tree", "/admin/tree.json"]


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"rows": [{}]}', b"\xff"])
def test_something_else_is_no_picture(data: bytes) -> None:
    with pytest.raises(ValueError, match="no picture"):
        read(data)
