"""`python -m phxactor.cli`: the command line, for when the program `phxactor` is not on PATH."""

from __future__ import annotations

from phxactor.cli.app import main

if __name__ == "__main__":
    main()
