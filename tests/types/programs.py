"""How a user's program is checked: by mypy, without its strict mode and without our configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Final

USER_OPTIONS: Final = (
    "--check-untyped-defs",
    "--config-file=",
    f"--cache-dir={Path(__file__).parents[2] / '.mypy_cache' / 'users'}",
)
"""All tests use the same options: then mypy reads phxactor itself once."""
