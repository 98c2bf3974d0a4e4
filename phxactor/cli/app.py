"""The command line. A command's module is imported when it is called, so that a worker starts soon."""

from __future__ import annotations

import sys

from cyclopts import App

import phxactor
from phxactor.cli import env_file
from phxactor.cli.output import end_output, nobody_reads

app = App(
    name="phxactor",
    version=phxactor.__version__,
    help="Phoenix Sockets and Channels for Python, on supervised trio processes.",
)
for _name in ("broadcast", "demo", "new", "observe", "serve", "top", "workers"):
    app.command(f"phxactor.cli.{_name}:{_name}", name=_name)
app.command("phxactor.cli.tokens:app", name="token")


def main() -> None:
    """Run the command line."""
    env_file.load_named(sys.argv[1:])
    try:
        app(sys.argv[1:])
    except BrokenPipeError as error:
        if not nobody_reads():
            raise
        end_output(error)
    except SystemExit:
        raise  # before the next line, which loads the runtime: most commands end without it
    except phxactor.Exit as end:  # the supervision tree has ended; its reports are in the log
        raise SystemExit(f"the program ended: {end}") from None
