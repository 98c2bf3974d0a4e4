"""How the tests are spread over processes (`make unit`): file by file, those that take long first.

The tests of a file stay together, so what they share is made once: a server, a browser, a project. Some files share
something costly with others, and make one group. What comes last is short, so all processes end at about the same time.
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

FIRST: Final = (
    "tests/workers/test_programs.py",
    "tests/soak/test_soak.py",
    "tests/libraries/test_contract.py",
    "mypy",
    "browser",
    "tests/workers/test_faults.py",
    "tests/browser/test_observer_panels.py",
    "tests/browser/test_observer.py",
    "tests/guest/test_guest.py",
    "tests/presence/test_restart.py",
    "tests/longpoll/test_deliveries.py",
    "tests/browser/test_observer_returns.py",
    "tests/attacks/test_work.py",
    "tests/browser/test_presence.py",
    "tests/workers/test_places.py",
    "tests/cluster/redis/test_real.py",
    "tests/attacks/test_memory.py",
    "tests/attacks/test_http_memory.py",
    "tests/uvicorn/test_site.py",
    "tests/runtime/test_program_end.py",
    "tests/benchmarks/test_servers.py",
    "tests/endpoint/test_cycles.py",
    "tests/autobahn/test_suite.py",
    "phoenix.js",
    "tests/attacks/test_churn.py",
    "tests/attacks/test_input_memory.py",
    "tests/telemetry/test_log_programs.py",
    "tests/transport/test_websocket_limits.py",
    "tests/otp/test_cycles.py",
    "tests/runtime/test_garbage.py",
    "tests/test_cli.py",
    "tests/protocol/test_protocol.py",
)
"""What takes more than ten seconds, the longest first; a name that is not a file is a group."""
TOGETHER: Final = {
    "tests/browser/test_chat.py": "browser",
    "tests/browser/test_cluster.py": "browser",
    "tests/browser/test_new_project.py": "browser",
    "tests/browser/test_phoenix_versions.py": "browser",
    "tests/longpoll/test_browser.py": "browser",
    "tests/longpoll/test_phoenix_js.py": "phoenix.js",
    "tests/test_phoenix_js.py": "phoenix.js",
    "tests/test_cli_new.py": "mypy",
    "tests/test_tutorial.py": "mypy",
    "tests/types/test_pages.py": "mypy",
}
"""Files, and the names of their groups."""


def group_of(test: str) -> str:
    """Return the group of a test: its file, if that is in no other."""
    file = test.partition("::")[0]
    return TOGETHER.get(file, file)


def in_order(tests: list[str]) -> dict[str, list[str]]:
    """Return groups of tests in the order in which they are handed out."""
    groups: dict[str, list[str]] = {}
    for test in tests:
        groups.setdefault(group_of(test), []).append(test)
    place = {group: number for number, group in enumerate(FIRST)}
    return dict(sorted(groups.items(), key=lambda item: place.get(item[0], len(FIRST))))


class Spreading(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
    """Hands a group to a process that has nearly done its last one."""

    collection: list[str] | None

    def schedule(self) -> None:
        """Hand out the first groups, when all processes have collected the same tests."""
        if self.collection is not None or not self._check_nodes_have_same_collection():
            super().schedule()
            return
        collection: list[str] = next(iter(self.registered_collections.values()))
        self.collection = list(collection)
        for group, tests in in_order(collection).items():
            self.workqueue[group] = dict.fromkeys(tests, False)
        for node in [*self.nodes, *self.nodes]:  # a process runs a test when it knows the next one
            self._reschedule(node)  # it ends a process for which nothing is left

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Note that a test is over; forget a group that is, as each note looks at all that are left."""
        super().mark_test_complete(node, item_index, duration)
        group = group_of(self.registered_collections[node][item_index])
        if all(self.assigned_work[node][group].values()):
            del self.assigned_work[node][group]

    def _split_scope(self, nodeid: str) -> str:
        """Name the group of a test; the way in that pytest-xdist documents."""
        return group_of(nodeid)
