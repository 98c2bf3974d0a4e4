"""A ring of five processes, each linked to the next: shows what the end of one process does to the others.

a ── b ── c
└─ e ── d ┘
"""

from __future__ import annotations

from typing import Final

from phxactor import Down, Exited, Pid, link, monitor, receive, self_pid, spawn, trap_exit
from phxactor.demos.story import Page, Story, perform
from phxactor.otp import set_label
from phxactor.runtime import format_reason

NAMES: Final = "abcde"
PAUSE: Final = 1.0
"""Seconds without an event after which a round is over."""


async def member(owner: Pid, name: str, trapping: str) -> None:
    """Run one of the five processes. If it traps exits, it reports the exit signals that it gets to its owner."""
    set_label(name)
    trap_exit(name in trapping)
    while True:
        match await receive():
            case ("link", Pid() as other):
                link(other)
                owner.send("linked")
            case "finish" | Exited(reason="shutdown"):
                return
            case Exited(pid, reason):
                owner.send(("heard", self_pid(), pid, reason))


async def ring(trapping: str = "") -> dict[str, Pid]:
    """Spawn a ring, and return its processes by name. Those named in `trapping` trap exits."""
    circuit = {name: spawn(member, self_pid(), name, trapping) for name in NAMES}
    for name, before in zip(NAMES, NAMES[-1] + NAMES, strict=False):
        circuit[name].send(("link", circuit[before]))
        await receive(lambda message: message == "linked")
        monitor(circuit[name])
    return circuit


async def aftermath(story: Story, circuit: dict[str, Pid]) -> None:
    """Wait until nothing more happens, and print what happened, sorted: events of one instant have no fixed order."""
    names = {pid: name for name, pid in circuit.items()}
    lines = []
    while True:
        try:
            message = await receive(timeout=PAUSE)
        except TimeoutError:
            break
        match message:
            case Down(object=Pid() as pid, reason=reason):
                lines.append(f"  {names[pid]} has ended: {format_reason(reason)}")
            case ("heard", Pid() as pid, Pid() as other, reason):
                lines.append(f"  {names[pid]} lives, and hears that {names[other]} has ended: {format_reason(reason)}")
    for line in sorted(lines):
        story.tell(line)


async def main() -> None:
    """Play three rounds."""
    story = Story()

    story.tell("five processes in a ring of links; c burns out")
    circuit = await ring()
    circuit["c"].exit("burnt_out")
    await aftermath(story, circuit)

    story.tell("another ring, in which a traps exits; c burns out")
    circuit = await ring(trapping="a")
    circuit["c"].exit("burnt_out")
    await aftermath(story, circuit)

    story.tell("a third ring, in which nobody traps exits; c has done its work, and returns")
    circuit = await ring()
    circuit["c"].send("finish")
    await aftermath(story, circuit)
    left = ", ".join(name for name, pid in circuit.items() if pid.alive)
    story.tell(f"a normal end takes nobody down: {left} go on")


def run(page: Page | None = None) -> None:
    """Run the demo."""
    perform(main, page)
