"""The hub of a running observer: what its viewers, its history and its collector share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from phxactor.observer._history import History
from phxactor.observer._log_groups import LogGroups
from phxactor.observer._stories import Stories
from phxactor.otp import DynamicSupervisor, Ok
from phxactor.runtime import Pid, Runtime, own

if TYPE_CHECKING:
    from phxactor.observer._settings import Settings

VIEWERS: Final = 32
"""Maximum of connections that look at once."""


@final
class Hub:
    """The state of one observer while its supervisor runs, in the supervisor's process dictionary."""

    def __init__(self, endpoint: str, settings: Settings, runtime: Runtime) -> None:
        """Make the hub of the endpoint with this name."""
        self.endpoint = endpoint
        self.settings = settings
        self.viewers: set[Pid] = set()
        """The connections that look."""
        self.history = History()
        """What the history's process keeps; it stays when that process is started again."""
        self.stories = Stories(runtime)
        """The last crashes, as they spread."""
        self.log = LogGroups(runtime, settings.redact)
        """What went wrong, grouped."""
        self.live: dict[str, float | None] = {}
        """What is only known while somebody looks; empty while nobody does."""

    @staticmethod
    def name_of(endpoint: str) -> str:
        """Return the registered name of the observer's supervisor."""
        return f"{endpoint}.observer"

    @staticmethod
    def found(endpoint: str, runtime: Runtime) -> Hub | None:
        """Return the hub of an endpoint's observer; None if it does not run."""
        supervisor = runtime.names.whereis(Hub.name_of(endpoint))
        hub = None if supervisor is None or supervisor.dictionary is None else supervisor.dictionary.get(Hub)
        return hub if isinstance(hub, Hub) else None

    def let_in(self, transport: Pid) -> bool:
        """Count a connection until it ends; False if there are too many already."""
        if len(self.viewers) >= VIEWERS:
            return False
        self.viewers.add(transport)
        own(transport, self.viewers.discard)
        return True

    async def collector(self) -> Pid | None:
        """Return the collector, started if it does not run; None if it cannot start."""
        from phxactor.observer._collector import Collector  # noqa: PLC0415 - it imports the panels, which import this

        name = f"{self.endpoint}.observer.collector"
        started = await DynamicSupervisor.start_child(
            f"{self.endpoint}.observer.collectors", Collector.spec(name, self)
        )
        if isinstance(started, Ok):
            return started.value
        match started.reason:  # type: ignore[union-attr]
            case ("already_started", Pid() as pid):
                return pid
        return None
