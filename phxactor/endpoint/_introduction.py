"""The start of a connection that begins with a PROXY header, in which a trusted proxy names the client."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from phxactor.endpoint import events
from phxactor.endpoint._connection_process import converse, find_place
from phxactor.http import PeerData
from phxactor.net import ProxyHeaderError, read_proxy_header
from phxactor.otp import Ok
from phxactor.runtime import Pid, self_pid

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving


def start_introduced(serving: Serving, accepted: socket.socket, peer: PeerData) -> Ok[Pid]:
    """Do as `start_connection` for a socket that begins with a header of the PROXY protocol."""
    supervisor = self_pid()
    args = serving, accepted, peer
    return Ok(supervisor.runtime.start(supervisor, _introduce, args, True, "Connection"))  # noqa: FBT003


async def _introduce(serving: Serving, accepted: socket.socket, peer: PeerData) -> None:
    """Run the process of such a connection; its proxy has no place, as its client gets one."""
    proxies = serving.endpoint.trusted_proxies
    client = None
    try:
        if proxies is None or not proxies.trusts(peer):
            raise ProxyHeaderError("it is not in trusted_proxies, and this listener takes the PROXY protocol only")  # noqa: TRY301
        client = await serving.while_idle(read_proxy_header(accepted, peer))
    except ProxyHeaderError as error:
        if events.proxy_header_failed.handlers:
            events.proxy_header_failed.emit(peer=str(peer), why=str(error))
    finally:
        if client is None:
            accepted.close()
    if client is not None:
        run = converse if serving.limits is None else find_place
        await run(serving, accepted, client, b"", "http" if serving.tls is None else "https")
