"""The command line. See README.md in this folder."""

from phxactor.cli.app import app, find_endpoint, main

__all__ = ["app", "find_endpoint", "main"]
