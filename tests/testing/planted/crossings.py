"""Bugs of two things that cross: a signal and a mailbox, a task and its owner, a change and an await."""

from __future__ import annotations

from functools import partial
from typing import Any

from trio.lowlevel import checkpoint

from phxactor import Channel, Ok, Socket, channel, on
from phxactor.otp import ChildSpec, GenServer, NoReply, Reply, Supervisor, call, cast
from phxactor.runtime import (
    Down,
    Exit,
    Exited,
    From,
    Pid,
    cancel_timer,
    monitor,
    receive,
    register,
    self_pid,
    send,
    send_after,
    spawn,
    spawn_link,
    trap_exit,
    unlink,
    whereis,
)
from phxactor.testing import connect
from tests.testing.planted.bug import Bug, account, ended, send_to, steps


async def a_wakeup_behind_a_time_out() -> None:
    """The queue gives an item to one that has given up, and then nobody has it."""

    async def queue() -> None:
        asker = await receive(lambda message: isinstance(message, Pid))
        item = await receive(lambda message: message == "item")
        asker.send(item)
        next_asker = await receive(lambda message: isinstance(message, Pid), timeout=60)
        next_asker.send("empty")

    pid = spawn(queue)
    spawn(partial(send_to, pid, "item"))

    async def taker() -> object:
        pid.send(self_pid())
        try:
            return await receive(timeout=1)
        except TimeoutError:
            return None

    async def first() -> None:
        main.send(("first", await taker()))

    main = self_pid()
    spawn(first)
    _, item = await receive()
    if item is None:
        assert await taker() == "item"


async def the_down_of_the_one_before() -> None:
    """Monitors a process and its successor, and takes the first `Down` for that of the first."""

    async def works(rounds: int) -> None:
        await steps(rounds)

    first = monitor(spawn(works, 0))
    monitor(spawn(works, 6))
    down = await receive(lambda message: isinstance(message, Down))
    assert down.ref == first


class Hasty(GenServer):
    """Replies from a task when it is done, or says that it is busy: both, sometimes."""

    async def init(self) -> None:
        self.asking: From | None = None
        self.replies = 0

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply:
        if request == "replies":
            return Reply(self.replies)
        self.asking = from_
        spawn(partial(send_to, self_pid(), "done"))
        send_after(self_pid(), "busy", 1.0)
        return NoReply()

    async def handle_info(self, message: object) -> None:
        if self.asking is None:
            return
        self.replies += 1
        self.asking.reply(message)
        if message == "done":
            self.asking = None


async def a_server_that_replies_twice() -> None:
    server = (await Hasty.start_link()).unwrap()
    await call(server, "work", timeout=None)
    await steps(6)
    assert await call(server, "replies") == 1


async def a_child_that_takes_its_name_late() -> None:
    """The second child looks for the first, which was started and has its name only some steps later."""
    main = self_pid()

    async def names_itself() -> None:
        await checkpoint()
        register("late")
        await receive()

    async def looks() -> None:
        await steps(4)
        main.send(whereis("late"))
        await receive()

    async def start(body: Any) -> Any:  # noqa: ANN401
        return Ok(spawn_link(body))

    children = [ChildSpec(id=body.__name__, start=(start, (body,), {})) for body in (names_itself, looks)]
    (await Supervisor.start_link(children)).unwrap()
    assert await receive() is not None


async def an_exit_that_came_before_the_unlink() -> None:
    trap_exit(True)

    async def helper() -> None:
        await receive()

    pid = spawn_link(helper)
    spawn(partial(send_to, pid, "go on"))
    await checkpoint()
    unlink(pid)
    spawn(partial(send_to, self_pid(), "work"))
    assert not isinstance(await receive(), Exited)


async def a_cast_overtaken_by_the_call_of_another() -> None:
    """Tells a reader to read, and writes first by a process of its own."""
    server = await account()

    async def writer() -> None:
        await call(server, 5)

    async def reader() -> None:
        await steps(12)
        assert await call(server, "read") == 5

    main = self_pid()
    spawn(writer)

    async def tells() -> None:
        try:
            await reader()
        except AssertionError:
            main.send("too early")
        else:
            main.send("read")

    spawn(tells)
    assert await receive() == "read"


class Uploading(Channel):
    """Starts a task that counts for it; the task lives on when the channel has left."""

    async def join(self, topic: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        _open.append(topic)
        return Ok({})

    @on("upload")
    async def upload(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        async def body() -> None:
            await steps(3)
            _written.append(bool(_open))

        spawn(body)
        return Ok({})

    async def terminate(self, reason: object) -> None:
        _open.clear()


_open: list[str] = []
_written: list[bool] = []


class UploadingSocket(Socket):
    """Lets everybody in."""

    channels = (channel("upload:*", Uploading),)


class Counting(GenServer):
    """Counts; its sum is lost when it restarts."""

    async def init(self) -> None:
        self.sum = 0

    async def handle_call(self, request: int, from_: From) -> Reply:
        self.sum += request
        return Reply(self.sum)

    async def handle_cast(self, request: object) -> None:
        raise Exit(request)


async def a_sum_that_starts_again() -> None:
    """Takes a sum for one that only grows; it is another one after a restart."""
    (await Supervisor.start_link([Counting.child_spec(name="counting")])).unwrap()

    async def breaks() -> None:
        await steps(8)
        cast("counting", "broken")

    spawn(breaks)
    await steps(2)
    try:
        first = await call("counting", 1)
        second = await call("counting", 1)
    except Exit:
        return
    assert second > first


async def a_task_outlives_its_channel() -> None:
    _open.clear()
    _written.clear()
    room = await (await connect(UploadingSocket)).join("upload:a")
    room.push("upload", {})
    await steps(20)
    room.leave()
    await steps(40)
    assert all(_written)


async def an_answer_and_its_timer_both_come() -> None:
    main = self_pid()
    timer = send_after(main, "too late", 1.0)
    spawn(partial(send_to, main, "answer"))
    await receive()
    cancel_timer(timer)
    send(main, "next")
    assert await receive() == "next"


async def a_shared_dict_changed_across_an_await() -> None:
    stock = {"tea": 1}

    async def buys(after: int) -> None:
        await steps(after)
        if stock["tea"] > 0:
            await checkpoint()
            stock["tea"] -= 1

    await ended(partial(buys, 0), partial(buys, 4))
    assert stock["tea"] >= 0


BUGS = [
    Bug(program)
    for program in (
        a_wakeup_behind_a_time_out,
        the_down_of_the_one_before,
        a_server_that_replies_twice,
        a_child_that_takes_its_name_late,
        an_exit_that_came_before_the_unlink,
        a_cast_overtaken_by_the_call_of_another,
        a_sum_that_starts_again,
        a_task_outlives_its_channel,
        an_answer_and_its_timer_both_come,
        a_shared_dict_changed_across_an_await,
    )
]
