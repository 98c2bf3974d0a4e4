"""A chat in the browser, which shows the tree of its processes beside it."""

from phxactor.demos.chat.app import run

__all__ = ["run"]
