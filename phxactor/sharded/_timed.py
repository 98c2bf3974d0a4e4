"""What the process of a region sends to itself, for later."""

from __future__ import annotations

from typing import final

import attrs

from phxactor.runtime import Pid


@attrs.frozen
class Late:
    """Time is up for a server to give its state away."""

    key: str
    pid: Pid


@final
class Review:
    """It is time to decide again."""


@final
class Ask:
    """It is time to ask nodes that have not been heard."""


@final
class Again:
    """It is time to start again what runs always."""


@final
class Tell:
    """Keys have started or ended: other nodes are to hear of that."""
