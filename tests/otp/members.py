"""A registry for tests, and processes that register themselves in it."""

from __future__ import annotations

from typing import Any

import trio

from phxactor.otp import Registry
from phxactor.runtime import Pid, spawn
from phxactor.testing import settle


async def registry(**options: Any) -> Pid:  # noqa: ANN401 - a registry's options
    """Start a registry named "r", with unique keys unless told otherwise."""
    return (await Registry.start_link(**{"name": "r", "keys": "unique", **options})).unwrap()


async def member(*keys: object, registry: str = "r", value: object = None) -> Pid:
    """Start a process that registers itself under the keys, and waits."""

    async def body() -> None:
        for key in keys:
            Registry.register(registry, key, value)
        await trio.sleep_forever()

    pid = spawn(body)
    await settle()
    return pid
