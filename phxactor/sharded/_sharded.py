"""Sharded servers: one server for each key, on one node of the cluster, started by its first message.

class Room(GenServer):
    async def init(self, key, token): ...
    async def hand_over(self): ...                       the state, when the key moves to another node
    async def take_over(self, state): ...                the state, on the node to which it has moved

rooms = Sharded("rooms", Room)                           a child of the program's tree, on every node

await call(rooms["room:42"], ("add", item))              started where it belongs, by the first message
"""

from __future__ import annotations

from typing import Final, final

from phxactor.cluster import Node
from phxactor.otp import ChildSpec, Error, GenServer, Ignore, Ok
from phxactor.runtime import Pid, current_runtime
from phxactor.sharded._key import KeyPid
from phxactor.sharded._options import MAX_WAITING, OnSplit, Options
from phxactor.sharded._process import LEAVING, RegionServer
from phxactor.sharded._regions import found

MAX_KEY: Final = 1000
"""Characters of a key at most."""


@final
class Sharded:
    """Servers of one class, one for each key. The object holds nothing; each runtime has its own part.

    A server is a GenServer whose `init` gets the key and a `Token`. It may have more callbacks:

    - `async def hand_over(self)` returns its state, as data, when another node owns the key from now on. Messages that
      came before are handled before it; those that come after wait, and follow the state.
    - `async def take_over(self, state)` gets that state: after `init` on the other node and before the first message,
      or in the middle of its life, when a split has healed and two instances become one.
    - `def is_busy(self)` says whether it must not end though nothing has come for the idle time.

    A key belongs to one node at a time (docs/sharded.md). The messages of one process arrive in order, also while a key
    moves.
    """

    def __init__(
        self,
        name: str,
        server: type[GenServer],
        *,
        on_split: OnSplit = "both",
        idle: float | None = None,
        eager: bool = False,
        settle: float = 1.0,
        hand_over: float = 5.0,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """Describe the servers.

        Args:
            name: the registered name of its process on each node.
            server: the class of the servers.
            on_split: "both": each side of a split runs the keys, and the states are merged when it heals. "majority":
                the small side stops its servers, whose state is lost, and answers `NOPROC`.
            idle: seconds without a message after which a server ends; None for never.
            eager: whether keys of a node that is lost start elsewhere at once, without their state, and not with the
                next message. Each node then knows which keys the others run.
            settle: seconds that a node which has just started waits for others; and that the large side of a split
                waits for the small one to stop.
            hand_over: seconds that a server may take to give its state away; then it is killed, and the state lost.
            max_waiting: how much may wait on a node while keys move or no node owns them; more is refused.

        Raises:
            TypeError, ValueError: an option is wrong.

        """
        self._options = Options(
            name,
            server,
            on_split=on_split,
            idle=idle,
            eager=eager,
            settle=settle,
            hand_over=hand_over,
            max_waiting=max_waiting,
        )

    @property
    def name(self) -> str:
        """The name."""
        return self._options.name

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Sharded {self.name}>"

    def child_spec(self) -> ChildSpec:
        """Return the child specification for a supervisor. Children that use the servers come after it in the list."""
        return ChildSpec(id=self.name, start=(self.start_link, (), {}), shutdown=LEAVING + 5, type="supervisor")

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start this node's part, linked to the caller. When it is told to end, it hands its keys over first."""
        return await RegionServer.start_link(self._options, name=self.name)

    def __getitem__(self, key: str) -> KeyPid:
        """Return the address of a key, for `call`, `cast`, `send`, `monitor` and `link`.

        Raises TypeError for a key that is no text of 1 to 1,000 characters, NoProcessError if this was not started in
        this runtime, NotAProcessError as `whereis` does.
        """
        if type(key) is not str or not 0 < len(key) <= MAX_KEY or not key.isprintable():
            raise TypeError(f"a key is a text of 1 to {MAX_KEY} printable characters, not {key!r:.100}")
        return found(current_runtime(), self.name).address(key)

    def local_keys(self) -> list[str]:
        """List the keys whose servers run on this node."""
        return list(found(current_runtime(), self.name).entries)

    def nodes(self) -> list[Node]:
        """List the nodes that own keys in the present view; none if there is no view yet."""
        view = found(current_runtime(), self.name).view
        return [] if view is None else view.owners
