"""The states that clients get: whom the diffs so far have shown them, as JSON, encoded once for all who ask (PR147)."""

from __future__ import annotations

from typing import Final, final

import orjson

from phxactor.presence._element import Grouped
from phxactor.presence._online import Online
from phxactor.presence._parts import parts_of
from phxactor.presence._publication import Publication
from phxactor.presence._publisher import Publisher


@final
class States:
    """Makes the states of all topics of one Presence.

    A state is what the diffs have told: it is kept until the next one, and what has changed since comes with that. It
    also has those whose leaves are held back, so that they do not flicker for a client that joins again (PR117).
    """

    __slots__ = ("_online", "_publisher")

    def __init__(self, online: Online, publisher: Publisher) -> None:
        """`publisher` is what sends the diffs."""
        self._online: Final = online
        self._publisher: Final = publisher

    def state(self, name: str) -> bytes:
        """Return the state of a topic as JSON."""
        publication = self._publisher.told(name)
        if publication is None:
            return b"{}"
        if publication.encoded is None:
            self._publisher.flush_topic(name, publication)
            publication.pending.read()  # there may be more, while the last diff is on its way
            publication.encoded = self._encode(name, publication)
        return publication.encoded

    def parts(self, name: str, limit: int) -> list[bytes]:
        """Return the same as a state and the diffs that follow it, none larger than `limit` bytes (PR148)."""
        publication = self._publisher.told(name)
        if publication is None:
            return [b"{}"]
        if publication.parts is None:
            self._publisher.flush_topic(name, publication)
            publication.pending.read()
            publication.parts = parts_of(self._shown(name, publication), limit)
        return publication.parts

    def listed(self, name: str) -> Grouped:
        """Return those of a topic whom clients are shown, for `fetch`."""
        publication = self._publisher.told(name)
        if publication is None:
            return {}
        self._publisher.flush_topic(name, publication)
        publication.pending.read()
        return self._shown(name, publication)

    def lists(self, name: str, key: str) -> bool:
        """Say whether clients are shown a key that is present."""
        publication = self._publisher.told(name)
        return publication is None or publication.listed is None or key in publication.listed.keys

    def count(self, name: str) -> int | None:
        """Return how many keys are present, for a client that joins; None if all are listed."""
        publication = self._publisher.told(name)
        if publication is None or publication.listed is None:
            return None
        return publication.listed.count_of(self._online.topics.get(name))

    def _encode(self, name: str, publication: Publication) -> bytes:
        topic = self._online.topics.get(name)
        if topic is not None and publication.listed is None and not publication.held:
            return topic.json()
        # A copy: what orjson returns may take four times its length.
        return bytes(memoryview(orjson.dumps(self._shown(name, publication))))

    def _shown(self, name: str, publication: Publication) -> Grouped:
        topic, listed = self._online.topics.get(name), publication.listed
        if topic is None:
            present: Grouped = {}
        else:
            present = topic.grouped() if listed is None else listed.grouped(topic)
        if not publication.held:
            return present
        held = publication.held.grouped()
        if listed is not None:
            held = {key: entry for key, entry in held.items() if key in listed.keys}
        return held | present
