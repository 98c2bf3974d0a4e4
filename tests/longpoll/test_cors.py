"""Pages of other origins: the pre-flight, the check, and methods that are none."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor import LongPollOptions
from tests.longpoll.polling import OPENED, body_of, house

STRICT = LongPollOptions(check_origin=["//example.com"])
FORBIDDEN = {"status": 403}


@pytest.mark.parametrize("wanted", ["content-type, x-a", ""])
async def test_a_preflight_allows_the_headers_that_are_asked_for(wanted: str, autojump_clock: MockClock) -> None:
    async with house() as it:
        asked = {"origin": "http://example.org"} | ({"access-control-request-headers": wanted} if wanted else {})
        answer = await it.client().request("OPTIONS", headers=asked)
        assert (answer.status, answer.body) == (200, b"")
        assert dict(answer.headers) == {
            b"access-control-allow-origin": b"*",
            b"access-control-allow-headers": wanted.encode(),
            b"access-control-allow-methods": b"get, post, options",
            b"access-control-max-age": b"3600",
        }
        assert it.sessions() == []


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ("a,\tb", "a, b"),
        ("a\tb, c", "c"),
        ("\ta\t", "a"),
        ("a,,b, ", "a, b"),
        (",", ""),
        ("a b, c\x01, \xe9, d(e), f", "f"),
        ("*, x-a", "*, x-a"),
    ],
)
async def test_a_preflight_allows_names_only(wanted: str, allowed: str, autojump_clock: MockClock) -> None:
    async with house() as it:
        headers = {"origin": "http://example.org", "access-control-request-headers": wanted}
        answer = await it.client().request("OPTIONS", headers=headers)
        assert answer.status == 200
        assert dict(answer.headers)[b"access-control-allow-headers"] == allowed.encode()


@pytest.mark.parametrize("origin", ["https://example.com/", "https://EXAMPLE.com:443/app"])
async def test_an_origin_is_read_as_a_url(origin: str, autojump_clock: MockClock) -> None:
    async with house(STRICT) as it:
        client = it.client()
        client.headers = {"origin": origin}
        assert await client.poll() == OPENED


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("origin", ["http://evil.com", "null", "http://example.com.evil.com", "nonsense"])
async def test_a_page_of_another_origin_is_refused(method: str, origin: str, autojump_clock: MockClock) -> None:
    async with house(STRICT) as it:
        client = it.client()
        assert body_of(await client.request(method, headers={"origin": origin})) == FORBIDDEN
        client.headers = {"origin": "https://example.com"}
        assert await client.poll() == OPENED
        assert body_of(await client.request(method, headers={"origin": origin})) == FORBIDDEN


async def test_who_sends_no_origin_is_no_page(autojump_clock: MockClock) -> None:
    async with house(STRICT) as it:
        await it.opened()


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_no_good(method: str, autojump_clock: MockClock) -> None:
    async with house() as it:
        answer = await it.client().request(method)
        assert (answer.status, answer.body) == (400, b"")
        assert it.sessions() == []
