"""Sessions: who gets one, what its token is good for, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import KILL, NORMAL, Channel, Error, Exit, LongPollOptions, Shutdown, Socket, channel, monitor, receive
from phxactor.endpoint._longpoll import SALT, TOKEN_AGE
from phxactor.runtime import Down, Reason
from phxactor.token import sign
from phxactor.transport._longpoll import EXPIRY
from tests.longpoll.polling import GONE, OPENED, TAKEN, UserSocket, body_of, house, reply
from tests.sockets.serving import complaints

WINDOW = LongPollOptions().window


# ------------------------------------------------------------------------------------------------------ opening


async def test_a_poll_without_a_token_opens_a_session(autojump_clock: MockClock) -> None:
    async with house() as it:
        first, second = await it.opened(), await it.opened()
        assert first.token != second.token
        assert len(it.endpoint.serving.sessions) == len(it.sessions()) == 2


async def test_what_connect_says_counts(autojump_clock: MockClock) -> None:
    async with house() as it:
        assert await it.client(reject="yes").poll() == {"status": 403}
        assert it.sessions() == []
        assert len(it.endpoint.serving.sessions) == 0


@pytest.mark.parametrize("vsn", ["3.0.0", "2", "", "two"])
async def test_a_version_that_nobody_speaks_is_refused(vsn: str, autojump_clock: MockClock) -> None:
    async with house() as it:
        assert await it.client(vsn=vsn).poll() == {"status": 403}


class Broken(Socket):
    """Fails to let anybody in."""

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> Error | None:
        if params["how"] == "raise":
            raise RuntimeError("no database")
        raise Exit(params["how"])


@pytest.mark.parametrize("how", ["raise", "normal", "boom", "kill"])
async def test_a_connect_that_fails_is_a_status_that_phoenix_js_retries(
    how: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async with house(handler=Broken) as it:
        assert await it.client(how=how).poll() == {"status": 500}
        assert it.sessions() == []
    assert ("no database" in caplog.text) == (how == "raise")


async def test_clients_of_version_1_have_objects(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened(vsn="1.0.0")
        assert await client.publish({"topic": "room:1", "event": "phx_join", "payload": {}, "ref": 1}) == TAKEN
        response = {"response": {}, "status": "ok"}
        assert await client.messages() == [{"topic": "room:1", "event": "phx_reply", "payload": response, "ref": 1}]


async def test_connect_is_told_of_the_connection_and_of_the_token_in_the_header(autojump_clock: MockClock) -> None:
    told = []

    class Curious(UserSocket):
        async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> None:
            told.append((params, connect_info))

        def identify(self) -> None:
            return None

    options = LongPollOptions(auth_token=True, connect_info=["peer_data", "x_headers"])
    async with house(options, Curious) as it:
        client = it.client(a="1")
        client.headers = {"x-phoenix-authtoken": "s3cret"}
        await client.open()
    address = {"address": "192.0.2.7", "port": 50000}
    headers = [("x-phoenix-authtoken", "s3cret")]
    info = {"auth_token": "s3cret", "peer_data": address, "x_headers": headers}
    assert told == [({"vsn": "2.0.0", "a": "1"}, info)]


async def test_whoever_opened_it_may_be_gone_before_it_has_begun(autojump_clock: MockClock) -> None:
    async with house() as it:
        for passes in range(30):  # it is killed at each of its steps
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(it.client().request, "GET")
                    for _ in range(passes):
                        await trio.lowlevel.checkpoint()
                    asking = [pid for pid in it.runtime.processes.values() if pid.initial_call.endswith("ask")]
                    for pid in asking:
                        pid.exit(KILL)
                    scope.cancel()
        await trio.sleep(WINDOW * EXPIRY * 2)
        assert it.sessions() == []


# ------------------------------------------------------------------------------------------------------- tokens


async def test_a_session_is_known_by_its_token_alone(autojump_clock: MockClock) -> None:
    async with house() as it:
        client, other = await it.opened(), await it.opened()
        await client.join("room:1")
        other.token = client.token
        assert await other.publish(["1", "2", "room:1", "echo", 5]) == TAKEN
        assert await other.messages() == [reply("1", "2", "room:1", 5)]


@pytest.mark.parametrize(
    "forge",
    [
        lambda _token, _secret: "nonsense",
        lambda _token, _secret: "undefined",
        lambda _token, _secret: "",
        lambda _token, _secret: "é",
        lambda token, _secret: token[:-1],
        lambda token, _secret: token + "A",
        lambda token, _secret: token.swapcase(),
        lambda token, _secret: token.replace(".", "..", 1),
        lambda _token, secret: sign(secret, SALT, "an id that nobody has"),
        lambda _token, secret: sign(secret, SALT, 5),
        lambda _token, secret: sign(secret, "another salt", "an id"),
        lambda _token, _secret: sign("another secret, which is long enough", SALT, "an id"),
    ],
)
async def test_a_token_that_is_not_ours_is_worth_nothing(forge: Any, autojump_clock: MockClock) -> None:  # noqa: ANN401
    async with house() as it:
        client = await it.opened()
        client.token = forge(client.token, it.endpoint.secret_key_base)
        assert await client.publish(["1", "1", "room:1", "phx_join", {}]) == GONE
        assert await client.poll() == OPENED  # as for whoever has none
        assert len(it.sessions()) == 2


async def test_a_token_is_good_for_two_weeks(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        (name,) = it.endpoint.serving.sessions._known  # noqa: SLF001 - nobody else tells an id
        secret = it.endpoint.secret_key_base
        client.token = sign(secret, SALT, name, signed_at=time.time() - TOKEN_AGE + 60)
        assert await client.publish(["1", "1", "room:1", "phx_join", {}]) == TAKEN
        client.token = sign(secret, SALT, name, signed_at=time.time() - TOKEN_AGE - 1)
        assert await client.publish(["1", "2", "room:1", "echo", {}]) == GONE


async def test_the_token_of_the_header_goes_before_that_of_the_query(autojump_clock: MockClock) -> None:
    async with house() as it:
        client, other = await it.opened(), await it.opened()
        mine, theirs = {"x-phoenix-longpoll-token": str(client.token)}, str(other.token)
        client.token = theirs
        assert await client.publish(["1", "1", "room:1", "phx_join", {}], "application/json") == TAKEN
        assert await other.messages() == [reply("1", "1", "room:1")]
        body = b'["1","2","room:2","phx_join",{}]'
        assert body_of(await client.request("POST", body, headers=mine)) == TAKEN
        answer = await client.poll(headers=mine)
        assert answer == {"status": 200, "token": "<token>", "messages": [reply("1", "2", "room:2")]}
        assert {"x-phoenix-longpoll-token": client.token} == mine  # the answer tells the one that counted
        assert body_of(await client.request("POST", body, headers={"x-phoenix-longpoll-token": "no"})) == GONE


@pytest.mark.parametrize(
    "query", ["token=%ff", "vsn=%ff", "a" + "[b]" * 40 + "=1", "&".join("a=1" for _ in range(1001))]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_query_that_cannot_be_read(
    query: str, method: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async with house() as it:
        assert body_of(await it.client().request(method, query=query)) == {"status": 400}
        assert it.sessions() == []
    assert complaints(caplog) == []


@pytest.mark.parametrize("query", ["token[]=a", "token[a]=b", "token"])
async def test_a_token_that_is_no_text_is_none(query: str, autojump_clock: MockClock) -> None:
    async with house() as it:
        assert body_of(await it.client().request("POST", query=query)) == GONE


# ----------------------------------------------------------------------------------------------------- the end


class Told(Channel):
    """Tells a topic why it ends."""

    async def terminate(self, reason: Reason) -> None:
        self.socket.endpoint.broadcast("audit", "ended", reason)


class ToldSocket(UserSocket):
    channels = (channel("room:*", Told),)


async def test_a_session_that_is_not_polled_ends_after_one_and_a_half_windows(autojump_clock: MockClock) -> None:
    async with house(handler=ToldSocket) as it:
        client = await it.opened()
        await client.join("room:1")
        it.endpoint.subscribe("audit")
        (session,) = it.sessions()
        ref = monitor(session)
        since = trio.current_time()
        await trio.sleep(WINDOW)
        assert await client.publish([None, "1", "phoenix", "heartbeat", {}]) == TAKEN  # which is no poll
        down = await receive(lambda message: getattr(message, "ref", None) is ref)
        assert isinstance(down, Down)
        assert down.reason == Shutdown("closed")
        assert trio.current_time() - since == WINDOW * EXPIRY
        ended = await receive(lambda message: getattr(message, "event", None) == "ended", timeout=1)
        assert getattr(ended, "payload", None) == Shutdown("closed")
        assert await client.publish([None, "2", "phoenix", "heartbeat", {}]) == GONE
        assert await client.poll() == OPENED
        assert it.channels() == []


async def test_polls_keep_a_session(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        for _ in range(10):
            await trio.sleep(WINDOW * (EXPIRY - 0.01))
            assert (await client.poll())["status"] == 204
        (session,) = it.sessions()
        await trio.sleep(WINDOW * (EXPIRY - 0.01))
        assert session.alive
        await trio.sleep(WINDOW * 0.02)
        assert not session.alive


async def test_a_disconnect_ends_the_session_at_once(autojump_clock: MockClock) -> None:
    async with house() as it:
        client, other = await it.opened(user="7"), await it.opened(user="8")
        await client.join("room:1")
        answers: list[object] = []

        async def poll() -> None:
            answers.append(await client.poll())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            await trio.sleep(1)
            it.endpoint.broadcast("user:7", "disconnect", {})
            await trio.sleep(0.001)
            assert answers == [GONE]
        assert await client.publish(["1", "2", "room:1", "echo", {}]) == GONE
        await trio.sleep(0.001)
        assert it.channels() == []
        await other.join("room:1")


@pytest.mark.parametrize("reason", [KILL, "boom", NORMAL])
async def test_a_session_that_is_ended_takes_its_channels_along(reason: Reason, autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        (session,) = it.sessions()
        session.exit(reason)
        await trio.sleep(0.001)
        if reason == NORMAL:  # a signal that is ignored
            assert await client.publish(["1", "2", "room:1", "echo", 5]) == TAKEN
        else:
            assert await client.publish(["1", "2", "room:1", "echo", 5]) == GONE
            assert it.channels() == []


async def test_a_channel_that_crashes_is_heard_of(autojump_clock: MockClock) -> None:
    async with house() as it:
        client = await it.opened()
        await client.join("room:1")
        assert await client.publish(["1", "2", "room:1", "crash", {}]) == TAKEN
        assert await client.messages() == [["1", "1", "room:1", "phx_error", {"reason": "channel_crash"}]]
        await client.join("room:1", "3")


async def test_who_comes_and_goes_is_told(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    class Logged(UserSocket, log="info"):
        pass

    caplog.set_level("INFO", "phxactor.socket")
    async with house(handler=Logged) as it:
        await it.opened()
        await it.client(reject="yes").poll()
        await trio.sleep(WINDOW * 2)
    lines = [record.getMessage() for record in caplog.records if record.name == "phxactor.socket"]
    assert lines == [
        "CONNECTED 192.0.2.7:50000 to Logged by longpoll",
        "DISCONNECTED 192.0.2.7:50000 from Logged: {:shutdown, :closed}",
    ]
