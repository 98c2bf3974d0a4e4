"""A pipeline under rest_for_one: each child depends on those before it in the list, and is restarted with them.

writer <── parser <── reader

The parser fails at a line that is not a number. The supervisor restarts it and the reader, which comes after it. The
writer is not restarted, and keeps its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from phxactor import ChildSpec, GenServer, NoReply, Pid, Supervisor, cast, receive, self_pid
from phxactor.demos.story import Page, Story, perform
from phxactor.otp import Timeout

LINES: Final = ("2", "3", "five", "7", "11")
PACE: Final = 0.5
"""Seconds between two lines."""


class Writer(GenServer):
    """The end of the pipeline: keeps the numbers."""

    async def init(self, story: Story) -> None:
        self.story = story
        self.numbers: list[int] = []

    async def handle_cast(self, request: object) -> None:
        match request:
            case ("write", int(number)):
                self.numbers.append(number)
                self.story.tell(f"  writer has {self.numbers}")


class Parser(GenServer):
    """Turns lines into numbers."""

    async def init(self, story: Story) -> None:
        self.story = story

    async def handle_cast(self, request: object) -> None:
        match request:
            case ("parse", str(line)):
                cast("writer", ("write", int(line)))


class Reader(GenServer):
    """Reads the lines, each only once, also after a restart: like lines from a network."""

    async def init(self, story: Story, lines: Iterator[str], owner: Pid) -> Timeout:
        self.story, self.lines, self.owner = story, lines, owner
        return Timeout(PACE)

    async def handle_info(self, message: object) -> NoReply:
        line = next(self.lines, None)
        if line is None:
            self.owner.send("all read")
            return NoReply()
        self.story.tell(f"  reader reads {line!r}")
        cast("parser", ("parse", line))
        return NoReply(Timeout(PACE))


async def main() -> None:
    """Run the pipeline until all lines are read."""
    with Story() as story:
        lines = iter(LINES)
        stages = [
            ChildSpec(id="writer", start=(Writer.start_link, (story,), {"name": "writer"})),
            ChildSpec(id="parser", start=(Parser.start_link, (story,), {"name": "parser"})),
            ChildSpec(id="reader", start=(Reader.start_link, (story, lines, self_pid()), {"name": "reader"})),
        ]
        pipeline = (await Supervisor.start_link(stages, strategy="rest_for_one", name="pipeline")).unwrap()
        await receive(lambda message: message == "all read")
        story.tell("all is read: the supervisor stops its children, the last one first")
        await Supervisor.stop(pipeline)


def run(page: Page | None = None) -> None:
    """Run the demo."""
    perform(main, page)
