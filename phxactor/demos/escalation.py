"""A supervisor that gives up and escalates: starting again only helps if it helps.

    top (1 restart) ── unit (2 restarts) ── sensor, which always fails

The unit stands two failures of its sensor. At the third it gives up and ends, which is a failure in the eyes of the
top: it starts the whole unit again, with fresh patience. When the second unit gives up too, so does the top.
"""

from __future__ import annotations

from typing import Final

from phxactor import ChildSpec, Exited, GenServer, Supervisor, receive, trap_exit
from phxactor.demos.story import Story, perform
from phxactor.otp import Timeout
from phxactor.runtime import format_reason

LIFETIME: Final = 0.5
"""Seconds until a sensor fails."""


class Sensor(GenServer):
    """Works for a moment."""

    async def init(self) -> Timeout:
        return Timeout(LIFETIME)

    async def handle_info(self, message: object) -> None:
        raise RuntimeError("the cable is loose")


async def main() -> None:
    """Watch the tree come down."""
    trap_exit()
    with Story() as story:
        sensor = ChildSpec(id="sensor", start=(Sensor.start_link, (), {"name": "sensor"}))
        unit = ChildSpec(
            id="unit",
            start=(Supervisor.start_link, ([sensor],), {"max_restarts": 2, "max_seconds": 60, "name": "unit"}),
            type="supervisor",
        )
        top = (await Supervisor.start_link([unit], max_restarts=1, max_seconds=60, name="top")).unwrap()
        end = await receive(lambda message: isinstance(message, Exited) and message.pid is top)
        if isinstance(end, Exited):
            story.tell(f"main hears that the top has ended: {format_reason(end.reason)}; there is nobody above it")


def run() -> None:
    """Run the demo."""
    perform(main)
