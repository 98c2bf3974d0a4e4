"""Crash scripts: which node of a supervision tree ends, how, and at which message; played on processes and a model.

    await play(tree, [Crash(("root", "a"), "raises", after=2), Wait(1.5), Crash(("root", "b"), "killed")])

After each step, the script waits until nothing more happens. Then the processes must be as the model says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import attrs
import trio

from phxactor.otp import cast
from phxactor.runtime import KILL, KILLED, NORMAL, Pid, Reason
from phxactor.testing._settle import settle
from phxactor.testing._trees_model import TreeModel
from phxactor.testing.trees import Branch, End, Grown, Leaf, Path, grow, paths

Way: TypeAlias = Literal["exits", "stops", "raises", "killed", "signalled"]
"""`exits`, `stops`, `raises`: by its own callback. `killed`: by a kill from outside. `signalled`: by an exit signal."""


@attrs.frozen
class Crash:
    """One node ends in this way; a supervisor always by a kill. A node that is down is left alone."""

    path: Path
    way: Way = "raises"
    reason: Reason = "boom"
    """The reason with which the node exits, stops or is told to exit."""
    after: int = 0
    """The number of other messages that the node gets before; all are sent at once."""


@attrs.frozen
class Wait:
    """Time passes."""

    seconds: float


@attrs.frozen
class Together:
    """Several different nodes end at once: no process runs in between."""

    crashes: tuple[Crash, ...]


Step: TypeAlias = Crash | Wait | Together
WORK: Final = "work"
"""The content of the other messages (`Crash.after`)."""


def outcome(crash: Crash, node: Leaf | Branch) -> tuple[bool, Reason]:
    """Return whether a node ends by a crash, and with which reason."""
    if isinstance(node, Branch) or crash.way == "killed" or (crash.way == "signalled" and crash.reason == KILL):
        return True, KILLED
    if crash.way == "signalled":
        return not (node.traps or crash.reason == NORMAL), crash.reason
    return True, ("raised", crash.reason) if crash.way == "raises" else crash.reason


def carry_out(crash: Crash, pid: Pid, node: Leaf | Branch) -> None:
    """Send a process the messages or the signal of a crash."""
    for _ in range(crash.after if isinstance(node, Leaf) else 0):
        cast(pid, WORK)
    if isinstance(node, Branch) or crash.way == "killed":
        pid.exit(KILL)
    elif crash.way == "signalled":
        pid.exit(crash.reason)
    else:
        cast(pid, End(crash.way, crash.reason))


async def play(tree: Branch, script: Sequence[Step]) -> Grown:
    """Start a tree and play a script on it, in virtual time. The current process must trap exits.

    Raises AssertionError, with the step, when the processes are not as the model says.
    """
    grown, model, nodes = await grow(tree), TreeModel(tree), dict(paths(tree))
    await agree(grown, [model], "after the start")
    for step in script:
        if isinstance(step, Wait):
            await trio.sleep(step.seconds)
            continue
        crashes = step.crashes if isinstance(step, Together) else (step,)
        ends = []
        for crash, pid in [(crash, grown.pid(crash.path)) for crash in crashes]:
            if pid is not None:
                does, reason = outcome(crash, nodes[crash.path])
                if does:
                    ends.append((crash.path, reason))
                carry_out(crash, pid, nodes[crash.path])
        model.now = trio.current_time()
        model = await agree(grown, list(model.end_at_once(ends)), f"after {step}")
    return grown


async def agree(grown: Grown, models: Sequence[TreeModel], when: str) -> TreeModel:
    """Wait until nothing more happens, and return the model that the processes agree with.

    Raises AssertionError if they agree with none, with the differences from the first.
    """
    await settle()
    log = grown.take_log()
    differences = []
    for model in models:
        seen, said = log, model.take_log()
        if not model.in_order:
            seen, said = sorted(seen, key=str), sorted(said, key=str)
        model.in_order = True
        found = {
            "starts and ends": (seen, said),
            "processes that run": (grown.up(), model.up()),
            "restarts that count": (grown.restarts(), model.restarts()),
        }
        different = [f"{what} are\n    {a}\nand should be\n    {b}" for what, (a, b) in found.items() if a != b]
        if not different:
            return model
        differences += different
    other = " or in another order" if len(models) > 1 else ""
    raise AssertionError(f"{when}, the {differences[0]}{other}")
