"""What is shown of one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Redact: TypeAlias = Callable[[object], object]
"""Returns what is shown of a value: of a state, or of a message."""
