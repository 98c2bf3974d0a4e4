"""`phxactor broadcast`: an event to all clients that have joined a topic, from a shell."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
from cyclopts import Parameter

from phxactor.cli.output import say
from phxactor.cli.secret import find_secret
from phxactor.envelope import DEFAULT_SCOPE, Kind, Message, encode
from phxactor.workers import FolderError, parents, publish

if TYPE_CHECKING:
    from phxactor.emitter import Emitter

STDIN: Final = "-"
"""Stands for standard input."""
MAX_BYTES: Final = 128 * 1024
"""Bytes of a message that a parent hands to a worker at most."""


def broadcast(
    topic: str,
    event: str,
    payload: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    redis: Annotated[str | None, Parameter(env_var="PHXACTOR_REDIS")] = None,
    workers: int | None = None,
    prefix: Annotated[str, Parameter(env_var="PHXACTOR_PREFIX")] = "phxactor",
    scope: str = DEFAULT_SCOPE,
    secret_file: Path | None = None,
    secret_env: str = "SECRET_KEY_BASE",  # noqa: S107 - its name is no secret
    no_secret: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Broadcast an event to all clients of a topic: through the Redis of a cluster, or by the workers of this machine.

    With a Redis, say how many nodes got it, or that they drop it since their secret is another.

    Args:
        topic: the topic, such as room:1.
        event: the event, such as news.
        payload: JSON, such as '{"text": "hello"}'; - reads it from standard input.
        redis: the URL of the Redis server. One with a password stands better in the environment, since `ps` shows
            arguments. Without it, the workers that this user runs on this machine broadcast.
        workers: the process id of the parent of workers, if there are several.
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
    if workers is not None or redis is None:
        say(_by_workers(workers, Message(Kind.BROADCAST, scope, topic, event, _json(value))))
        return
    secret = None if no_secret else _secret(secret_file, secret_env)
    say(_by_redis(_emitter(redis, prefix, scope, secret), topic, event, value))


def _by_workers(parent: int | None, message: Message) -> str:
    try:
        parent = _parent() if parent is None else parent
        if not publish(parent, encode(message, MAX_BYTES)):
            raise SystemExit(f"no worker of process {parent} is ready")
    except FolderError as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        raise SystemExit(f"the process {parent} does not answer as a parent of workers: {error}") from None
    except ValueError as error:
        raise SystemExit(f"it cannot be broadcast: {error}") from None
    return f"a worker of process {parent} broadcasts it"


def _parent() -> int:
    match parents():
        case [parent]:
            return parent
        case []:
            raise SystemExit(
                "no workers of this user run on this machine; name the Redis server of the cluster: "
                "--redis redis://127.0.0.1:6379"
            )
        case several:
            raise SystemExit(
                f"there are several parents of workers; name one by --workers: {', '.join(map(str, several))}"
            )


def _by_redis(emitter: Emitter, topic: str, event: str, value: object) -> str:
    from redis import RedisError  # noqa: PLC0415 - the extra is there, or `_emitter` has said so

    try:
        with emitter:
            nodes = emitter.broadcast(topic, event, value)
            taken = _is_taken(emitter) if nodes else None
    except (ValueError, TypeError) as error:
        raise SystemExit(f"it cannot be broadcast: {error}") from None
    except RedisError as error:
        raise SystemExit(f"Redis: {error}") from None
    return _told(nodes, topic, taken)


def _is_taken(emitter: Emitter) -> bool | None:
    from redis.exceptions import NoPermissionError  # noqa: PLC0415 - as in `_by_redis`

    try:
        return emitter.is_taken()
    except NoPermissionError:  # a user that may only publish
        return None


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise SystemExit(f"it cannot be broadcast: {error}") from None


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


def _told(nodes: int, topic: str, taken: bool | None) -> str:  # noqa: FBT001 - what `is_taken` says
    many = "one node" if nodes == 1 else f"{nodes} nodes"
    if not nodes:
        return f"no node has a subscriber of {topic!r}"
    if taken is None:
        return f"Redis gave it to {many}; whether they took it is unknown: no beat of a node was heard"
    if not taken:
        raise SystemExit(
            f"{many} dropped it: they have another secret, or only one side has one (--no-secret for a cluster without)"
        )
    return f"{many} got it"
