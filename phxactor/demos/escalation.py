"""A supervisor that gives up, and so escalates the failure to the supervisor above it.

    top (1 restart) ── unit (2 restarts) ── sensor, which always fails

The unit restarts its sensor twice. At the third failure it gives up and ends. The top then restarts the whole unit,
which counts its restarts from zero. When the unit gives up again, the top gives up too.
"""

from __future__ import annotations

from typing import Final

from phxactor import ChildSpec, Exited, GenServer, Supervisor, receive, trap_exit
from phxactor.demos.story import Page, Story, perform
from phxactor.otp import Timeout
from phxactor.runtime import format_reason

LIFETIME: Final = 0.5
"""Seconds until a sensor fails."""


class Sensor(GenServer):
    """Fails after `LIFETIME` seconds."""

    async def init(self) -> Timeout:
        return Timeout(LIFETIME)

    async def handle_info(self, message: object) -> None:
        raise RuntimeError("the cable is loose")


async def main() -> None:
    """Start the tree and wait for its end."""
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


def run(page: Page | None = None) -> None:
    """Run the demo."""
    perform(main, page)
