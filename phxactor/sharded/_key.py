"""The address of a key: what stands for its server, wherever that is, and whether it runs or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, final

from phxactor.otp import Call, Cast
from phxactor.runtime import NOPROC, Monitor, NotLocalError, Pid, Reason, RemotePid
from phxactor.sharded._ops import Link, Op

if TYPE_CHECKING:
    from phxactor.cluster import Node
    from phxactor.sharded._region import Region


@final
class KeyPid(RemotePid):
    """The address of one key: for `call`, `cast`, `send`, `monitor` and `link`, as a pid is.

    A message starts the server where it belongs. A monitor or a link starts nothing: without a server it is told
    `NOPROC`. A monitor fires once, with Shutdown("moved") if the key gets another owner; monitor it again then.
    """

    __slots__ = ("_links", "_lost", "key", "region")

    def __init__(self, region: Region, key: str) -> None:
        """Make the record; `Region.address` keeps one for each key that is used."""
        super().__init__(region.runtime, 0, f"{region.name}[{key!r}]", None)
        self.region = region
        self.key = key
        self._lost: tuple[Monitor, Node] | None = None
        self._links: dict[Pid, Link] = {}

    def __repr__(self) -> str:
        """Show the name and the key."""
        return f"<{self.initial_call}>"

    @property
    def node(self) -> Node | None:
        """The node that owns the key in the present view; None if there is no view."""
        return self.region.owner(self.key)

    @property
    def alive(self) -> NoReturn:
        """Raise NotLocalError: whether it runs is known on its node only (ND5)."""
        raise NotLocalError(f"whether the server of {self!r} runs is known on its node only: call it, or monitor it")

    def lost_with(self, watch: Monitor, node: Node) -> None:
        """Note that a monitor fires since a node is gone: a call says which."""
        self._lost = watch, node

    def called(self, watch: Monitor, reason: Reason) -> Reason:
        """Return why a call fails whose monitor has fired."""
        if self._lost is not None and self._lost[0] is watch:
            reason = ("nodedown", self._lost[1])
            self._lost = None
        return reason

    def absence(self) -> Reason:
        """Return what is told of a key without a server."""
        return NOPROC

    # ------------------------------------------------------------------------------------------- hooks

    def sent(self, message: object) -> None:
        """Send a message to the server, and start it if it does not run."""
        if type(message) is Call and isinstance(watch := message.from_, Monitor) and self._awaits(watch):
            self.region.act(self.key, Op("call", message.request, watch))
        elif type(message) is Cast:
            self.region.act(self.key, Op("cast", message.request))
        else:
            self.region.act(self.key, Op("send", message))

    def monitored(self, watch: Monitor) -> None:
        """Let a process here watch the server: at once if it runs here, else soon, or with the request that follows."""
        entry = self.region.entries.get(self.key)
        if entry is not None and entry.is_running:
            entry.watchers[watch] = False
        else:
            self.region.asked.add(watch)

    def _awaits(self, watch: Monitor) -> bool:
        """Say whether a monitor was just made, so that it is that of a call; it is not asked for any more then."""
        entry = self.region.entries.get(self.key)
        return self.region.asked.take(watch) or (entry is not None and watch in entry.watchers)

    def demonitored(self, watch: Monitor) -> bool:
        """Watch it no more."""
        if not self.region.asked.take(watch):
            self.region.unwatch(self.key, watch)
        return True

    def linked(self, owner: Pid) -> None:
        """Link a process here with the server."""
        link = self._links[owner] = Link(owner, self)
        self.region.act(self.key, Op("watch", None, link))

    def unlinked(self, owner: Pid) -> None:
        """Remove that."""
        link = self._links.pop(owner, None)
        if link is not None:
            self.region.unwatch(self.key, link)

    def link_ended(self, owner: Pid, reason: Reason) -> None:
        """Tell the server that a linked process has ended."""
        self.unlinked(owner)
        self.region.act(self.key, Op("link_ended", (owner, reason)))

    def exited(self, source: Pid, reason: Reason) -> None:
        """Send the server an exit signal, if it runs."""
        self.region.act(self.key, Op("exit", (source, reason)))
