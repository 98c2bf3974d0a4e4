"""The command line. See README.md in this folder."""

from phxactor.cli.app import app, main

__all__ = ["app", "main"]
