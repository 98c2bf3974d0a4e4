"""The picture over HTTP, without a socket."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import pytest
import trio

from phxactor import Endpoint, Request, Response, open_runtime, spawn
from phxactor.http import PeerData
from phxactor.observer import observer_routes, snapshot, tree
from phxactor.observer._routes import read


async def answer(
    target: str,
    host: str | None = "127.0.0.1:4000",
    hosts: Iterable[str] = (),
    *,
    proxy: PeerData | None = None,
    header: tuple[bytes, bytes] | None = None,
) -> Response:
    endpoint = Endpoint(routes=observer_routes(hosts=hosts))
    headers = () if host is None else ((b"host", host.encode()),)
    headers = headers if header is None else (*headers, header)
    return await endpoint.answer(Request("GET", target, headers, peer=PeerData("127.0.0.1", 1), proxy=proxy))


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
    assert [one.path for one in observer_routes("/admin/tree")] == [
        "/admin/tree",
        "/admin/tree.txt",
        "/admin/tree.json",
        "/admin/tree/assets/{version}/{name}",
        "/admin/tree/socket",
    ]


TOLD = ["Tree.example.com", "192.0.2.7", "2001:db8::1"]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:4000",
        "127.0.0.1",
        "127.255.1.2:80",
        "[::1]",
        "[::1]:4000",
        "[0:0:0:0:0:0:0:1]",
        "tree.example.com",
        "TREE.example.com:4000",
        "192.0.2.7:1",
        "[2001:db8::1]:4000",
    ],
)
async def test_it_answers_to_loopback_names_and_to_those_it_is_told(host: str) -> None:
    loopback = host[:3] in ("loc", "LOC", "127", "[::", "[0:")
    async with open_runtime():
        for path in ("/observer", "/observer.json"):
            assert (await answer(path, host, TOLD)).status == 200
            assert (await answer(f"http://{host}{path}", host, TOLD)).status == 200
            assert (await answer(path, host)).status == (200 if loopback else 403)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:4000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "sub.localhost",
        "128.0.0.1",
        "0.0.0.1",
        "127.1",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "2130706433",
        "www.tree.example.com",
    ],
)
async def test_any_other_host_is_refused_with_what_to_do(host: str | None) -> None:
    async with open_runtime():
        for path in ("/observer", "/observer.json"):
            refused = await answer(path, host, TOLD)
            assert refused.status == 403
            assert b"observer_routes(hosts=" in refused.body
            assert b"Supervisor" not in refused.body
            # Neither the URL nor the header makes up for the other.
            assert (await answer(f"http://localhost{path}", host, TOLD)).status == 403
            if host:
                assert (await answer(f"http://{host}{path}", "localhost", TOLD)).status == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:4000", "[::1]"])
async def test_a_loopback_name_that_a_proxy_forwards_may_be_anybodys(host: str) -> None:
    """A client of the proxy chooses its `Host`, or the proxy puts its own address there."""
    async with open_runtime():
        for path in ("/observer", "/observer.json"):
            for header in (
                (b"x-forwarded-for", b"192.0.2.7"),
                (b"forwarded", b"for=192.0.2.7"),
                (b"via", b"1.1 front"),
            ):
                assert (await answer(path, host, TOLD, header=header)).status == 403
                assert (await answer(path, "tree.example.com", TOLD, header=header)).status == 200
            assert (await answer(path, host, TOLD, proxy=PeerData("10.0.0.1", 2))).status == 403
            assert (await answer(path, "[2001:db8::1]", TOLD, proxy=PeerData("10.0.0.1", 2))).status == 200


async def test_a_program_on_the_machine_of_the_proxy_is_answered() -> None:
    """As `phxactor top` on a server with nginx: its address is trusted, and it names no client."""
    async with open_runtime():
        assert (await answer("/observer", "127.0.0.1:4000", proxy=PeerData("127.0.0.1", 1))).status == 200


@pytest.mark.parametrize("hosts", ["localhost", [1], 5, [None]])
def test_hosts_that_are_no_texts(hosts: object) -> None:
    with pytest.raises(TypeError, match="host"):
        observer_routes(hosts=hosts)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["", "a:80", "[::1]:80", "http://a", "*.a", "a b", "a/b"])
def test_hosts_that_are_none(host: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        observer_routes(hosts=[host])


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"rows": [{}]}', b"\xff"])
def test_something_else_is_no_picture(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a snapshot"):
        read(data)


async def test_a_token_is_asked_for_except_for_the_page() -> None:
    token = "a token of some length"
    endpoint = Endpoint(routes=observer_routes(token=token))

    async def asked(target: str, given: str | None, accept: str = "*/*") -> int:
        headers = [(b"host", b"localhost"), (b"accept", accept.encode())]
        headers += [] if given is None else [(b"authorization", f"Bearer {given}".encode())]
        request = Request("GET", target, tuple(headers), peer=PeerData("127.0.0.1", 1))
        return (await endpoint.answer(request)).status

    async with open_runtime():
        for target in ("/observer", "/observer.txt", "/observer.json"):
            assert [await asked(target, given) for given in (None, "", "wrong", token)] == [401, 401, 401, 200]
        assert await asked("/observer", None, "text/html") == 200
        assert await asked("/observer/assets/x/none.js", None) == 404


async def test_the_page_allows_no_script_but_its_own() -> None:
    endpoint = Endpoint(routes=observer_routes())
    headers = ((b"host", b"localhost"), (b"accept", b"text/html"))
    async with open_runtime():
        answer = await endpoint.answer(Request("GET", "/observer", headers, peer=PeerData("127.0.0.1", 1)))
    policy = dict(answer.headers)[b"content-security-policy"]
    assert b"default-src 'none'; script-src 'self'" in policy
    assert b"unsafe" not in policy


@pytest.mark.parametrize("options", [{"token": "short"}, {"token": 5}])
def test_a_token_is_long(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="at least 16 characters"):
        observer_routes(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"authorize": lambda _: True}, {"actions": 1}, {"redact": "x"}])
def test_options_of_a_wrong_type(options: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        observer_routes(**options)  # type: ignore[arg-type]
