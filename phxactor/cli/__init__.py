"""The command line. See README.md in this folder."""

from phxactor.cli.app import app, main
from phxactor.cli.target import find_application

__all__ = ["app", "find_application", "main"]
