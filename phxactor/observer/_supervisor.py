"""The processes of an observer.

observer         Supervisor, the last child of the endpoint; its process dictionary holds the Hub
├─ history       keeps totals, crashes and the log, always
└─ collectors    DynamicSupervisor
   └─ collector  reads what is looked at, for all viewers; only while somebody looks
"""

from __future__ import annotations

from phxactor.observer._hub import Hub
from phxactor.observer._keeper import HistoryKeeper
from phxactor.observer._settings import Settings
from phxactor.otp import ChildSpec, DynamicSupervisor, Supervise, Supervisor
from phxactor.runtime import self_pid


class ObserverSupervisor(Supervisor):
    """The supervisor of an observer's processes."""

    async def init(self, settings: Settings, endpoint: str) -> Supervise:
        """Put the hub into the process dictionary, and return the children."""
        pid = self_pid()
        hub = Hub(endpoint, settings, pid.runtime)
        pid.dictionary = {**(pid.dictionary or {}), Hub: hub}
        collectors = ChildSpec(
            id="collectors",
            start=(DynamicSupervisor.start_link, (), {"name": f"{endpoint}.observer.collectors"}),
            type="supervisor",
        )
        history = ChildSpec(id="history", start=(HistoryKeeper.start_link, (hub,), {}))
        return Supervise([history, collectors])

    @staticmethod
    def spec_of(settings: Settings, endpoint: str) -> ChildSpec:
        """Return the specification of the observer of an endpoint."""
        start = (ObserverSupervisor.start_link, (settings, endpoint), {"name": Hub.name_of(endpoint)})
        return ChildSpec(id="observer", start=start, type="supervisor")
