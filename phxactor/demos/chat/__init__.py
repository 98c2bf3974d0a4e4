"""A chat in the browser, and beside it the processes that it runs on."""

from phxactor.demos.chat.app import run

__all__ = ["run"]
