"""Channels by hand on Django Channels: a consumer for each client, groups of a layer for topics; uvicorn.

python -m benchmarks.servers.on_django_channels --port 4200 [--redis redis://127.0.0.1]
"""

from __future__ import annotations

from typing import Final

import orjson
import uvicorn
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import BaseChannelLayer
from django.conf import settings

from benchmarks.command_line import read_address

PORT, REDIS = read_address(__doc__)
IN_MEMORY: Final = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
BY_REDIS: Final = {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS]}}
"""Its layer on Redis's publish and subscribe: the other one, on lists, costs more."""

settings.configure(CHANNEL_LAYERS={"default": IN_MEMORY if REDIS is None else BY_REDIS})


class Consumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # it has no types
    """One client."""

    channel_layer: BaseChannelLayer

    async def connect(self) -> None:
        """Let everybody in."""
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take a message of V2."""
        join_ref, ref, topic, event, payload = orjson.loads(text_data or b"")
        group = topic.replace(":", ".")
        match event:
            case "phx_join":
                await self.channel_layer.group_add(group, self.channel_name)
                self.groups.append(group)  # those that it leaves by itself
            case "shout":
                text = orjson.dumps([None, None, topic, event, payload]).decode()
                await self.channel_layer.group_send(group, {"type": "shout", "text": text})
                return
        reply = [join_ref, ref, topic, "phx_reply", {"status": "ok", "response": payload}]
        await self.send(orjson.dumps(reply).decode())

    async def shout(self, message: dict[str, str]) -> None:
        """Take what was sent to a group."""
        await self.send(message["text"])


def main() -> None:
    """Serve until killed."""
    uvicorn.run(Consumer.as_asgi(), host="127.0.0.1", port=PORT, loop="uvloop", lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()
