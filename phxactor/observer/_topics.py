"""The topics of an endpoint's PubSub as rows: members, and messages in a second while somebody looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from heapq import nlargest
from typing import Any, Final, final

from phxactor.endpoint import Serving
from phxactor.observer._forest import Forest
from phxactor.observer._texts import text
from phxactor.observer._viewer import Viewer
from phxactor.presence import present
from phxactor.pubsub import PubSub
from phxactor.pubsub.events import broadcast_stopped
from phxactor.runtime import Runtime
from phxactor.telemetry import Event

SORTS: Final = frozenset({"members", "rate", "name"})
MEMBERS: Final = 200
"""Maximum of members that are shown of a topic."""
NAME: Final = 200
"""Maximum characters of a topic that are shown."""


@final
class Topics:
    """The topics."""

    def __init__(self, forest: Forest, endpoint: str) -> None:
        """Show the topics of the endpoint with this name; count nothing yet."""
        self.forest = forest
        self.runtime: Runtime = forest.runtime
        self.endpoint = endpoint
        self.counts: Counter[str] = Counter()
        self.rates: dict[str, float] = {}
        self.at = self.runtime.now()

    def start(self) -> None:
        """Count broadcasts from now on."""
        self.at = self.runtime.now()
        broadcast_stopped.attach(self.count)

    def stop(self) -> None:
        """Count no more."""
        broadcast_stopped.detach(self.count)
        self.counts.clear()

    def count(self, _: Event, fields: Mapping[str, Any]) -> None:
        """Count a broadcast."""
        self.counts[fields["topic"]] += 1

    def second(self) -> None:
        """Make rates of what was counted since the last time."""
        now = self.runtime.now()
        seconds, self.at = max(now - self.at, 0.001), now
        counts, self.counts = self.counts, Counter()
        self.rates = {topic: count / seconds for topic, count in counts.items()}

    def frame(self, viewer: Viewer) -> dict[str, object]:
        """Return the payload of `rows`."""
        view, pubsub = viewer.view, self.pubsub()
        sizes = dict(pubsub.sizes()) if pubsub is not None else {}
        topics = [topic for topic in sizes if view.search in topic.lower()] if view.search else [*sizes]
        held = 0
        if view.frozen:
            names = viewer.kept(topics)
            held = len({*topics}.difference(names))
        elif view.sort == "name":
            names = sorted(topics)
        else:
            rates = self.rates
            best = (lambda topic: rates.get(topic, 0.0)) if view.sort == "rate" else (lambda topic: float(sizes[topic]))
            names = nlargest(view.first + view.count, topics, key=best)
        seen = names[view.first : view.first + view.count]
        return {
            "total": len(names) if view.frozen else len(topics),
            "from": view.first,
            "view": view.number,
            "held": held,
            "rows": [(text(one, NAME), sizes.get(one, 0), round(self.rates.get(one, 0.0), 1)) for one in seen],
        }

    def members(self, shown: str) -> dict[str, object]:
        """Return who is in a topic: the channels, and who is present."""
        pubsub = self.pubsub()
        topic = (
            next((one for one, _ in pubsub.sizes() if text(one, NAME) == shown), None) if pubsub is not None else None
        )
        if pubsub is None or topic is None:
            return {"members": [], "presence": []}
        members = [
            (one.pid.number, None if one.pid.label is None else text(one.pid.label), one.through.number)
            for one in pubsub.subscribers(topic)[:MEMBERS]
        ]
        keys: list[tuple[str, str, int]] = []
        for node in self.forest.nodes.values():
            if node.supervising is not None and node.pid is not None:
                online = present(node.pid, topic, MEMBERS - len(keys)) or []
                keys += [(text(node.name), text(key), metas) for key, metas in online]
        return {"members": members, "presence": keys}

    def pubsub(self) -> PubSub | None:
        """Return the PubSub of the endpoint; None if it does not run."""
        serving = Serving.found(self.endpoint, self.runtime)
        pubsub = None if serving is None else serving.endpoint.pubsub
        return pubsub if pubsub is not None and pubsub.runs() else None
