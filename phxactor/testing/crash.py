"""Crash scripts: who in a supervision tree dies, how, and at which message; played on processes and on the model.

    await play(tree, [Crash(("root", "a"), "raises", after=2), Wait(1.5), Crash(("root", "b"), "killed")])

After each step everybody is given the time to do what follows from it; then the processes must be what the model says
they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs
import trio

from phxactor.otp import cast
from phxactor.runtime import KILL, KILLED, NORMAL, Pid, Reason
from phxactor.testing.settling import settle
from phxactor.testing.trees import Branch, End, Grown, Leaf, Path, grow, paths
from phxactor.testing.trees_model import TreeModel

Way: TypeAlias = Literal["exits", "stops", "raises", "killed", "told"]
"""`exits`, `stops`, `raises`: by its own callback. `killed`: from outside; `told`: by an exit signal from there."""


@attrs.frozen
class Crash:
    """One node ends; of a supervisor, whatever the way, by a kill. One that is down is left alone."""

    path: Path
    way: Way = "raises"
    reason: Reason = "boom"
    """With which it exits, stops or is told to exit."""
    after: int = 0
    """How many other messages it has to take before; they are sent at once."""


@attrs.frozen
class Wait:
    """Time passes."""

    seconds: float


Step: TypeAlias = Crash | Wait
WORK: Final = "work"
"""What the other messages are."""


def outcome(crash: Crash, node: Leaf | Branch) -> tuple[bool, Reason]:
    """Tell whether a node ends by that, and with which reason."""
    if isinstance(node, Branch) or crash.way == "killed" or (crash.way == "told" and crash.reason == KILL):
        return True, KILLED
    if crash.way == "told":
        return not (node.traps or crash.reason == NORMAL), crash.reason
    return True, ("raised", crash.reason) if crash.way == "raises" else crash.reason


def carry_out(crash: Crash, pid: Pid, node: Leaf | Branch) -> None:
    """Send a process what it ends by."""
    for _ in range(crash.after if isinstance(node, Leaf) else 0):
        cast(pid, WORK)
    if isinstance(node, Branch) or crash.way == "killed":
        pid.exit(KILL)
    elif crash.way == "told":
        pid.exit(crash.reason)
    else:
        cast(pid, End(crash.way, crash.reason))


async def play(tree: Branch, script: Sequence[Step]) -> Grown:
    """Grow a tree and play a script on it, in the current process, which has to trap exits; in virtual time.

    Raises AssertionError when the processes are not what the model says, and says after which step.
    """
    grown, model, nodes = await grow(tree), TreeModel(tree), dict(paths(tree))
    await agree(grown, model, "after the start")
    for step in script:
        if isinstance(step, Wait):
            await trio.sleep(step.seconds)
            continue
        pid = grown.pid(step.path)
        if pid is None:
            continue
        ends, reason = outcome(step, nodes[step.path])
        carry_out(step, pid, nodes[step.path])
        model.now = trio.current_time()
        if ends:
            model.end(step.path, reason)
        await agree(grown, model, f"after {step}")
    return grown


async def agree(grown: Grown, model: TreeModel, when: str) -> None:
    """Wait until all is quiet; raise AssertionError if the processes are not what the model says, or came otherwise."""
    await settle()
    model.now = trio.current_time()
    seen, said = grown.take_log(), model.take_log()
    if not model.in_order:
        seen, said = sorted(seen, key=str), sorted(said, key=str)
    model.in_order = True
    for what, real, right in (
        ("starts and ends", seen, said),
        ("processes that run", grown.up(), model.up()),
        ("restarts that count", grown.restarts(), model.restarts()),
    ):
        if real != right:
            raise AssertionError(f"{when}, the {what} are\n    {real}\nand should be\n    {right}")
