"""The handlers of events that count: what happens often, or is worth an alert, by labels of which there are few.

A label is never a topic, a process, a user, an address or the text of an exception. Of events that clients send, only
those count by name that a class declares; the others are `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from phxactor.metrics._tables import LONG, OTHER, Counts, Durations
from phxactor.runtime import KILL, KILLED, NORMAL, SHUTDOWN, Crash, Shutdown, is_atom
from phxactor.telemetry import EVENTS, Event

Fields: TypeAlias = Mapping[str, Any]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
"""Other methods that clients send count as `other`."""


def kind_of(reason: object) -> str:
    """Return the kind of an exit reason: normal, shutdown, killed, crash or other."""
    if type(reason) is Crash:
        return "crash"
    if type(reason) is Shutdown or is_atom(reason, SHUTDOWN):
        return "shutdown"
    if is_atom(reason, NORMAL):
        return "normal"
    return "killed" if is_atom(reason, KILLED) or is_atom(reason, KILL) else OTHER


class Counting:
    """All that is counted; `attach` begins, `detach` ends."""

    def __init__(self) -> None:
        self.messages = Durations(
            "phxactor_channel_message_duration_seconds",
            "How long channels handled messages: in (of clients), out (intercepted broadcasts), call, cast or info",
            ("channel", "route", "kind", "event", "outcome"),
        )
        self.joins = Durations(
            "phxactor_channel_join_duration_seconds",
            "How long the join of channels took",
            ("channel", "route", "outcome"),
            LONG,
        )
        self.handled = Durations(
            "phxactor_server_message_duration_seconds",
            "How long servers handled messages",
            ("server", "kind", "outcome"),
        )
        self.calls = Durations(
            "phxactor_server_call_duration_seconds", "How long callers waited for servers", ("server", "outcome")
        )
        self.requests = Durations(
            "phxactor_http_request_duration_seconds",
            "How long requests took, from their head to the end of their answer",
            ("method", "route", "status"),
            LONG,
        )
        self.restarting = Durations(
            "phxactor_restart_duration_seconds", "How long restarts took", ("supervisor", "outcome"), LONG
        )
        self.lag = Counts("phxactor_stuck", "How often a process let nothing else run for too long")
        self.connected = Counts("phxactor_connects", "Clients that have connected", ("socket", "transport"))
        self.disconnected = Counts(
            "phxactor_disconnects",
            "Connections that have ended, by the kind of reason",
            ("socket", "transport", "reason"),
        )
        self.refused = Counts("phxactor_refused_sockets", "Clients that a socket has refused", ("socket", "transport"))
        self.over = Counts("phxactor_refused_connections", "Connections that were over a limit", ("status",))
        self.answered = Counts("phxactor_joins", "Joins that were answered", ("socket", "transport", "status"))
        self.broadcasts = Counts(
            "phxactor_broadcasts", "Broadcasts handed out, of here or of another node", ("pubsub", "origin")
        )
        self.deliveries = Counts(
            "phxactor_deliveries", "Subscriptions that a broadcast was handed to", ("pubsub", "origin")
        )
        self.restarts = Counts("phxactor_restarts", "Restarts by supervisors", ("supervisor", "outcome"))
        self.gave_up = Counts("phxactor_supervisors_gave_up", "Supervisors that had too many restarts", ("supervisor",))
        self.crashes = Counts("phxactor_crashes", "Processes that have crashed", ("kind", "class"))
        self.slow = Counts("phxactor_slow_consumers", "Clients that read too slowly", ("policy",))
        self.limited = Counts("phxactor_rate_limited", "Clients that began to exceed a rate limit", ("socket", "what"))
        self.bad_input = Counts("phxactor_bad_input", "Clients disconnected for invalid input", ("code",))
        self.gaps = Counts("phxactor_pubsub_gaps", "Losses of messages of other nodes", ("carrier",))
        self.sent = Counts("phxactor_node_messages_sent", "Messages handed to carriers", ("carrier",))
        self.received = Counts("phxactor_node_messages_received", "Messages of other nodes", ("carrier",))
        self.dropped = Counts(
            "phxactor_node_messages_dropped", "Messages to other nodes that could not go", ("carrier",)
        )
        self.gauges: dict[object, Fields] = {}
        """The last gauges of each runtime."""
        self._handlers = self._make_handlers()

    def tables(self) -> list[Counts | Durations]:
        """List all tables."""
        return [table for table in vars(self).values() if isinstance(table, Counts | Durations)]

    def attach(self) -> None:
        """Count from now on."""
        for event, handler in self._handlers:
            event.attach(handler)

    def detach(self) -> None:
        """Count no more."""
        for event, handler in self._handlers:
            event.detach(handler)
        self.gauges.clear()

    def _make_handlers(self) -> list[tuple[Event, Callable[[Event, Fields], object]]]:
        handlers: dict[str, Callable[[Event, Fields], object]] = {
            "channel.message.stop": self._message,
            "channel.join.stop": lambda _, f: self.joins.add((f["channel"], f["route"], f["outcome"]), f["seconds"]),
            "channel.joined": lambda _, f: self.answered.add((f["socket"], f["transport"], f["status"])),
            "server.message.stop": lambda _, f: self.handled.add((f["server"], f["kind"], f["outcome"]), f["seconds"]),
            "server.call.stop": lambda _, f: self.calls.add((f["server"], f["outcome"]), f["seconds"]),
            "http.request": self._request,
            "pubsub.broadcast.stop": self._broadcast,
            "supervisor.restart.stop": self._restart,
            "supervisor.gave_up": lambda _, f: self.gave_up.add((_supervisor(f["supervisor"]),)),
            "socket.connected": lambda _, f: self.connected.add((f["socket"], f["transport"])),
            "socket.disconnected": lambda _, f: self.disconnected.add(
                (f["socket"], f["transport"], kind_of(f["reason"]))
            ),
            "socket.refused": lambda _, f: self.refused.add((f["socket"], f["transport"])),
            "endpoint.connection_refused": lambda _, f: self.over.add((str(f["status"]),)),
            "channel.crashed": lambda _, f: self.crashes.add(("channel", f["channel"])),
            "server.terminated": lambda _, f: self.crashes.add(("server", f["server"])),
            "task.terminated": lambda _, f: self.crashes.add(("task", f["function"])),
            "process.crashed": lambda _, f: self.crashes.add(("process", f["pid"].initial_call)),
            "process.stuck": lambda *_: self.lag.add(()),
            "transport.slow_consumer": lambda _, f: self.slow.add((f["policy"],)),
            "transport.bad_input": lambda _, f: self.bad_input.add((str(int(f["code"])),)),
            "socket.rate_limited": lambda _, f: self.limited.add((str(f["socket"]), f["what"])),
            "cluster.gap": lambda _, f: self.gaps.add((f["carrier"],)),
            "cluster.traffic": self._traffic,
            "runtime.measured": self._gauges,
        }
        return [(EVENTS[f"phxactor.{name}"], handler) for name, handler in handlers.items()]

    def _message(self, _: Event, fields: Fields) -> None:
        event = fields["event"]
        if not fields["declared"]:
            event = "" if event is None else OTHER
        key = fields["channel"], fields["route"], fields["kind"], event, fields["outcome"]
        self.messages.add(key, fields["seconds"])

    def _request(self, _: Event, fields: Fields) -> None:
        method = fields["method"] if fields["method"] in METHODS else OTHER
        self.requests.add((method, fields["route"], str(int(fields["status"]))), fields["seconds"])

    def _broadcast(self, _: Event, fields: Fields) -> None:
        key = fields["pubsub"], fields["origin"]
        self.broadcasts.add(key)
        self.deliveries.add(key, fields["receivers"])

    def _restart(self, _: Event, fields: Fields) -> None:
        key = _supervisor(fields["supervisor"]), fields["outcome"]
        self.restarts.add(key)
        self.restarting.add(key, fields["seconds"])

    def _traffic(self, _: Event, fields: Fields) -> None:
        for table, name in ((self.sent, "sent"), (self.received, "received"), (self.dropped, "dropped")):
            table.add((fields["carrier"],), fields[name])

    def _gauges(self, _: Event, fields: Fields) -> None:
        self.gauges[fields["runtime"]] = fields


def _supervisor(pid: Any) -> str:  # noqa: ANN401 - a Pid
    return str(pid.name or pid.initial_call)
