"""Singleton: one server in the whole cluster, which runs always: a ticker, a poller.

class Ticker(GenServer):
    async def init(self, key, token): ...

ticker = Singleton("ticker", Ticker, on_split="majority")     a child of the program's tree, on every node

await call(ticker.address, "how many")
"""

from __future__ import annotations

from typing import final

from phxactor.otp import ChildSpec, Error, GenServer, Ignore, Ok
from phxactor.runtime import Pid, current_runtime
from phxactor.sharded._key import KeyPid
from phxactor.sharded._options import OnSplit, Options
from phxactor.sharded._process import LEAVING, RegionServer
from phxactor.sharded._regions import found


@final
class Singleton:
    """One server, on one node of the cluster; another node starts it when that one leaves or is lost.

    It is a key of its own among sharded servers, so all of `Sharded` holds: its `init` gets the name as the key and a
    token, and it may have `hand_over` and `take_over`. It starts with the first view, and a second after each end.
    """

    def __init__(
        self,
        name: str,
        server: type[GenServer],
        *,
        on_split: OnSplit = "both",
        settle: float = 1.0,
        hand_over: float = 5.0,
    ) -> None:
        """Describe the server; the options are those of `Sharded`, which raises the same."""
        self._options = Options(name, server, on_split=on_split, settle=settle, hand_over=hand_over, always=(name,))

    @property
    def name(self) -> str:
        """The name."""
        return self._options.name

    def __repr__(self) -> str:
        """Show the name."""
        return f"<Singleton {self.name}>"

    def child_spec(self) -> ChildSpec:
        """Return the child specification for a supervisor. Children that use the server come after it in the list."""
        return ChildSpec(id=self.name, start=(self.start_link, (), {}), shutdown=LEAVING + 5, type="supervisor")

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start this node's part, linked to the caller."""
        return await RegionServer.start_link(self._options, name=self.name)

    @property
    def address(self) -> KeyPid:
        """The address of the server, for `call`, `cast`, `send`, `monitor` and `link`; raises as `Sharded` does."""
        return found(current_runtime(), self.name).address(self.name)
