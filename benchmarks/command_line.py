"""What the commands of this folder share."""

from __future__ import annotations

import argparse
import sys


def tell(line: str) -> None:
    """Show that it goes on."""
    print(line, file=sys.stderr, flush=True)


def at_least_one(text: str) -> int:
    """Read a number of times."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least once")
    return number
