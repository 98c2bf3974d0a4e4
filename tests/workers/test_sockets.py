"""The listening sockets of a parent: one for each place, however many workers want it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import attrs
import pytest

from phxactor.cluster.carriers.workers import Wanted
from phxactor.workers._sockets import AddressError, Sockets

pytestmark = pytest.mark.socket

ANY_PORT = Wanted(endpoint="a", number=0, host="127.0.0.1")


def name_of(descriptor: int) -> tuple[str, int]:
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        host, port = sock.getsockname()
    return host, port


def test_equal_wishes_get_the_same_socket_and_others_another() -> None:
    sockets = Sockets()
    other = attrs.evolve(ANY_PORT, endpoint="b")
    first, second = sockets.open([ANY_PORT, other], [])
    assert first != second
    assert sockets.open([attrs.evolve(ANY_PORT, secure=True)], []) == [first]
    host, port = name_of(first)
    assert sockets.addresses([ANY_PORT]) == [f"http://{host}:{port}"]
    sockets.keep([other])
    assert sockets.open([other], []) == [second]
    with socket.create_server(("127.0.0.1", port)):  # the first one is closed
        pass
    sockets.keep([])


def test_an_endpoint_with_another_name_keeps_the_port() -> None:
    sockets = Sockets()
    (free,) = sockets.open([ANY_PORT], [])
    named = attrs.evolve(ANY_PORT, port=name_of(free)[1])
    sockets.keep([])
    (first,) = sockets.open([named], [])
    assert sockets.open([attrs.evolve(named, endpoint="renamed", number=3)], []) == [first]
    with pytest.raises(AddressError, match="by another endpoint of this program"):
        sockets.open([named, attrs.evolve(named, endpoint="b")], [])
    sockets.keep([])


def test_an_address_in_use_is_told() -> None:
    sockets = Sockets()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=f"the address http://127.0.0.1:{port} is in use"):
            sockets.open([attrs.evolve(ANY_PORT, port=port)], [])
        with pytest.raises(AddressError, match="is not available"):
            sockets.open([attrs.evolve(ANY_PORT, host="203.0.113.1", port=port)], [])
    sockets.keep([])


def test_the_first_offer_is_everybodys() -> None:
    sockets = Sockets()
    offered = Wanted(endpoint="a", number=0, offered=True)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        first = sockets.open([offered], [one.fileno()])
        assert sockets.open([offered], [two.fileno()]) == first
        assert name_of(first[0]) == one.getsockname()
        with pytest.raises(AddressError, match="has not sent the socket"):
            sockets.open([attrs.evolve(offered, number=1)], [])
    sockets.keep([])


def test_the_file_of_a_unix_socket_goes_with_it(tmp_path: Path) -> None:
    sockets = Sockets()
    path = tmp_path / "a.sock"
    wanted = Wanted(endpoint="a", number=0, path=str(path), mode=0o660)
    sockets.open([wanted], [])
    assert path.stat().st_mode & 0o777 == 0o660
    sockets.keep([])
    assert not path.exists()
