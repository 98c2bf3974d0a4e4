"""What a process may leave open, and the ways in which it ends."""

from __future__ import annotations

from math import inf

import trio

from phxactor.runtime import (
    NORMAL,
    Exit,
    Exited,
    Reason,
    receive,
    spawn_link,
    trap_exit,
)


async def obey(message: object) -> None:
    """Do as told."""
    match message:
        case "return" | Exited():
            raise Exit(NORMAL)
        case "raise":
            raise ValueError("told to")
        case "exit":
            raise Exit("because")
        case "trap":
            trap_exit()
        case "link":
            spawn_link(leave, "a link")
            await receive()


async def leave(why: Reason) -> None:
    raise Exit(why)


def no_deadline_is_left() -> bool:
    """Look for the deadlines of leftovers, all above 5 s; that of a kill's grace is dropped when it comes."""
    seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
    return seconds == inf or seconds <= 5
