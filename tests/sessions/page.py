"""docs/sessions.md: its code, run as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "sessions.md"


def names_of_the_page() -> dict[str, Any]:
    """Run the page's code; return its names."""
    namespace: dict[str, Any] = {"__name__": "sessions"}
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    exec(code, namespace)  # noqa: S102 - it is the page's
    return namespace
