"""A chat in the browser, which shows the tree of its processes beside it."""

from phxactor.demos.chat.app import PHOENIX, STATIC, run

__all__ = ["PHOENIX", "STATIC", "run"]
