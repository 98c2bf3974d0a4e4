"""Trees of processes to look at."""

from __future__ import annotations

from phxactor import ChildSpec, GenServer, Stop, Supervisor
from phxactor.otp import set_label


class Worker(GenServer):
    """Ends when it is told to, with whatever it is told."""

    async def init(self, label: str | None = None) -> None:
        if label is not None:
            set_label(label)

    async def handle_cast(self, request: object) -> Stop:
        return Stop(request)


def worker(id: object, *, name: str | None = None, label: str | None = None) -> ChildSpec:  # noqa: A002
    return ChildSpec(id=id, start=(Worker.start_link, (label,), {"name": name}))


def supervisor(id: object, *children: ChildSpec, strategy: str = "one_for_one") -> ChildSpec:  # noqa: A002
    start = (Supervisor.start_link, (children,), {"strategy": strategy})
    return ChildSpec(id=id, start=start, type="supervisor")
