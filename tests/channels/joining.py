"""A socket for a channel class, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from phxactor import Socket, channel
from phxactor.socket import Route
from phxactor.testing import Client, ClientChannel, connect


async def client_of(*routes: Route) -> Client:
    """Connect to a socket with these routes and no other ideas."""
    return await connect(cast("type[Socket]", type("UserSocket", (Socket,), {"channels": routes})))


async def joined(
    handler: object, payload: object = None, *, assigns: Mapping[str, object] | None = None
) -> ClientChannel:
    """Join the topic `t` of a socket that routes it to a handler."""
    return await (await client_of(channel("t", handler, assigns=assigns))).join("t", payload)
