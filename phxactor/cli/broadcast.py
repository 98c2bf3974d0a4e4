"""`phxactor broadcast`: an event to all clients that have joined a topic, from a shell."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from phxactor.cli.secret import find_secret
from phxactor.envelope import DEFAULT_SCOPE

if TYPE_CHECKING:
    from phxactor.emitter import Emitter

STDIN: Final = "-"
"""Stands for standard input."""


def broadcast(
    topic: str,
    event: str,
    payload: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    redis: Annotated[str | None, Parameter(env_var="PHXACTOR_REDIS")] = None,
    prefix: Annotated[str, Parameter(env_var="PHXACTOR_PREFIX")] = "phxactor",
    scope: str = DEFAULT_SCOPE,
    secret_file: Path | None = None,
    secret_env: str = "SECRET_KEY_BASE",  # noqa: S107 - its name is no secret
    no_secret: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Broadcast an event to all clients of a topic, through the Redis of a cluster, and say how many nodes got it.

    Args:
        topic: the topic, such as room:1.
        event: the event, such as news.
        payload: JSON, such as '{"text": "hello"}'; - reads it from standard input.
        redis: the URL of the Redis server. One with a password stands better in the environment, since `ps` shows
            arguments.
        prefix: the prefix of the cluster.
        scope: the name of the PubSub; by default that of an endpoint.
        secret_file: a file with the secret of the cluster.
        secret_env: the environment variable with the secret; without it, you are asked for the secret.
        no_secret: the cluster has no secret.
    """
    given = sys.stdin.read() if payload == STDIN else payload
    try:
        value = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise SystemExit(f'the payload is JSON, such as \'{{"text": "hello"}}\', not {given!r:.100}: {error}') from None
    if redis is None:
        raise SystemExit("name the Redis server of the cluster: --redis redis://127.0.0.1:6379")
    emitter = _emitter(redis, prefix, scope, None if no_secret else _secret(secret_file, secret_env))
    from redis import RedisError  # noqa: PLC0415 - the extra is there, or the line before has said so

    try:
        with emitter:
            nodes = emitter.broadcast(topic, event, value)
    except (ValueError, TypeError) as error:
        raise SystemExit(f"it cannot be broadcast: {error}") from None
    except RedisError as error:
        raise SystemExit(f"Redis: {error}") from None
    print(_told(nodes, topic))


def _emitter(redis: str, prefix: str, scope: str, secret: str | None) -> Emitter:
    try:
        from phxactor.emitter import Emitter  # noqa: PLC0415 - other commands do without redis-py

        return Emitter(redis, prefix=prefix, secret=secret, scope=scope)
    except (ImportError, ValueError) as error:
        raise SystemExit(str(error)) from None


def _secret(file: Path | None, variable: str) -> str:
    if file is None and not os.environ.get(variable) and not sys.stdin.isatty():
        raise SystemExit(f"there is no secret: set {variable}, name a file by --secret-file, or say --no-secret")
    return find_secret(file, variable)


def _told(nodes: int, topic: str) -> str:
    match nodes:
        case 0:
            return f"no node has a subscriber of {topic!r}"
        case 1:
            return "one node got it"
        case _:
            return f"{nodes} nodes got it"
