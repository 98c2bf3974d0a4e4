"""Cluster: makes the runtime of this process a node.

cluster (one_for_one)            registered as "cluster"; its process dictionary holds the LocalNode
├─ workers                       the process or supervisor of each carrier
└─ redis

An Application starts it before its children and stops it after them. A carrier that ends is started again; the others
go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable
from secrets import token_bytes
from typing import TYPE_CHECKING

import attrs

from phxactor.cluster._local_node import NAME, LocalNode
from phxactor.cluster._node import GROUP_BYTES, Node, check_node_name, new_node
from phxactor.envelope import MAX_MESSAGE_BYTES
from phxactor.otp import ChildSpec, Error, Ignore, Ok, Supervise, Supervisor
from phxactor.runtime import SHUTDOWN, Pid, Shutdown, current_runtime, format_reason, is_atom, own, self_pid

if TYPE_CHECKING:
    from phxactor.cluster._carrier import Carrier

_CALLED = ("child_spec", "publish", "publish_to_all", "send", "watch", "unwatch", "covers")
_LEAST_BYTES = 1024


def _listed(given: Carrier | Sequence[Carrier]) -> tuple[Carrier, ...]:
    carriers = tuple(given) if isinstance(given, Sequence) else (given,)
    for one in carriers:
        if not isinstance(getattr(one, "name", None), str) or not all(
            callable(getattr(one, it, None)) for it in _CALLED
        ):
            raise TypeError(f"{one!r:.200} is no carrier: give one such as Redis(...), or a list of carriers")
    names = [one.name for one in carriers]
    if len(set(names)) != len(names):
        raise ValueError(f"two carriers have one name: {', '.join(names)}")
    return carriers


@attrs.frozen(eq=False)
class Cluster:
    """The carriers by which this process takes part in a cluster, and how others see it.

    Args:
        carriers: one carrier or a list of them.
        name: the node's name, for people; by default program, host and process id, such as `shop@web1/4711`.
        max_message_bytes: the size of a message at most, in bytes; `broadcast` refuses a larger one.
        group: the first 8 bytes of the node's id, which the workers of one parent have in common.
        secret: what all nodes of the cluster share, for carriers that others can write to; an Application gives the
            `secret_key_base` of its endpoints.
        random: makes the random bytes of the node's id, so many as its argument says; a simulated cluster draws them by
            its seed.

    Raises:
        TypeError: a carrier is none.
        ValueError: two carriers have one name, or another option is not allowed.

    """

    carriers: Sequence[Carrier] = attrs.field(converter=_listed)
    name: str | None = attrs.field(default=None, kw_only=True)
    max_message_bytes: int = attrs.field(default=MAX_MESSAGE_BYTES, kw_only=True)
    group: bytes | None = attrs.field(default=None, kw_only=True, repr=False)
    secret: str | None = attrs.field(default=None, kw_only=True, repr=False)
    random: Callable[[int], bytes] = attrs.field(default=token_bytes, kw_only=True, repr=False)

    def __attrs_post_init__(self) -> None:
        """Raise ValueError for an option that is not allowed."""
        if self.name is not None:
            check_node_name(self.name)
        if type(self.max_message_bytes) is not int or self.max_message_bytes < _LEAST_BYTES:
            raise ValueError(f"max_message_bytes is at least {_LEAST_BYTES}, not {self.max_message_bytes!r:.100}")
        if self.group is not None and len(self.group) != GROUP_BYTES:
            raise ValueError(f"group is {GROUP_BYTES} bytes")

    @classmethod
    def of(cls, given: Cluster | Carrier | Sequence[Carrier]) -> Cluster:
        """Return a cluster as it is, or make one of a carrier or a list of carriers."""
        return given if isinstance(given, Cluster) else cls(given)

    def with_secret(self, secret: str | None) -> Cluster:
        """Return this cluster, or one with this secret if this one has none."""
        return self if self.secret is not None or secret is None else attrs.evolve(self, secret=secret)

    def child_spec(self) -> ChildSpec:
        """Return the child specification: first in the list, as all that uses the cluster comes after it.

        Raises ValueError if a carrier needs a secret and there is none.
        """
        self._check()
        return ChildSpec(id=NAME, start=(self.start_link, (), {}), type="supervisor")

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start the carriers under a supervisor that is linked to the caller; the node has a new id each time.

        Returns `Error(("already_started", pid))` if this runtime takes part in a cluster already. Raises ValueError if
        a carrier needs a secret and there is none.
        """
        self._check()
        return await ClusterSupervisor.start_link(self, name=NAME)

    def _check(self) -> None:
        for one in self.carriers:
            if self.secret is None and getattr(one, "needs_secret", False):
                raise ValueError(
                    f"{one!r:.200} needs a secret that all nodes have: give an endpoint a secret_key_base, or the "
                    "carrier a secret of its own; for development secret=None, with which whoever can write there can "
                    "say anything to all clients"
                )


class ClusterSupervisor(Supervisor):
    """The supervisor of the carriers."""

    async def init(self, cluster: Cluster) -> Supervise:
        """Make the node, put it into the process dictionary for `LocalNode.found`, and return the carriers."""
        pid = self_pid()
        identity = new_node(cluster.name, cluster.group, cluster.random)
        node = LocalNode(pid.runtime, identity, cluster.carriers, cluster.max_message_bytes, cluster.secret)
        pid.dictionary = {**(pid.dictionary or {}), LocalNode: node}
        own(pid, partial(_end, node))
        node.start()
        return Supervise([_watched(one, node) for one in cluster.carriers], strategy="one_for_one")


def _end(node: LocalNode, _: Pid) -> None:
    node.end()


def _watched(carrier: Carrier, node: LocalNode) -> ChildSpec:
    """Return the child specification of a carrier; the node learns of its end before any other process does."""
    spec = carrier.child_spec(node)
    return attrs.evolve(
        spec, id=carrier.name, start=(_start, (carrier, node, spec), {}), modules=spec.callback_modules()
    )


async def _start(carrier: Carrier, node: LocalNode, spec: ChildSpec) -> Ok[Pid] | Error | Ignore:
    function, args, kwargs = spec.start
    answer = function(*args, **kwargs)
    started: Ok[Pid] | Error | Ignore = await answer if isawaitable(answer) else answer
    if isinstance(started, Ok):
        own(started.value, partial(_carrier_ended, carrier, node))
    return started


def _carrier_ended(carrier: Carrier, node: LocalNode, pid: Pid) -> None:
    told = type(pid.exit_reason) is Shutdown or is_atom(pid.exit_reason, SHUTDOWN)
    node.ended(carrier, None if told else f"its process ended: {format_reason(pid.exit_reason)}")


def monitor_nodes(*, gaps: bool = True) -> None:
    """Tell the current process of other nodes from now on: NodeUp, NodeDown and, with `gaps`, Gap in its mailbox.

    A channel gets them in `handle_info`. Nodes that are up already are not told: `nodes` lists them. Without a
    cluster nothing comes, so code need not know whether there is one.
    """
    pid = self_pid()
    node = LocalNode.found(pid.runtime)
    if node is not None:
        node.monitor(pid, gaps=gaps)


def demonitor_nodes() -> None:
    """Tell the current process of no other nodes any more."""
    pid = self_pid()
    node = LocalNode.found(pid.runtime)
    if node is not None:
        node.demonitor(pid)


def nodes() -> list[Node]:
    """List the other nodes that are up, the longest known first; none if this runtime takes part in no cluster."""
    node = this_node()
    return [] if node is None else node.nodes()


def this_node() -> LocalNode | None:
    """Return the node that the runtime of the caller is; None if it takes part in no cluster."""
    return LocalNode.found(current_runtime())
