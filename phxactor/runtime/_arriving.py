"""Delivers what `will_arrive` has promised to processes that monitored or linked what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phxactor.runtime._messages import Down, Monitor
from phxactor.runtime._pid import Pid
from phxactor.runtime._reasons import NOCONNECTION, NOPROC, Reason, is_atom
from phxactor.runtime._remote import RemotePid
from phxactor.runtime._signals import link_signal, monitored, spend

if TYPE_CHECKING:
    from phxactor.runtime._mailbox import Mailbox


def take_in(owner: Mailbox) -> None:
    """Deliver what `will_arrive` has promised, except of monitors and links removed since (M9).

    Of a process of another node it is what `RemotePid.absence` says.
    """
    arriving, owner.arriving = owner.arriving, None
    for one in arriving or ():
        if isinstance(one, RemotePid):
            assert isinstance(owner, Pid)  # noqa: S101 - for mypy
            if owner.links is not None and owner.links.pop(one, None) is not None:
                if one.links is not None:
                    one.links.pop(owner, None)
                link_signal(owner, one, one.absence())
        elif isinstance(one, Monitor) and one.active:
            target: Pid | None = one.target
            reason: Reason = NOPROC
            if isinstance(target, RemotePid):
                reason = target.absence()
                one.late = is_atom(reason, NOCONNECTION)
                if target.watchers is not None:
                    target.watchers.pop(one, None)
            spend(one)
            one.owner.send(Down(one, monitored(one), reason))
