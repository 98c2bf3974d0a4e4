"""A running program in the terminal: `phxactor top`. See README.md here."""

from phxactor.terminal._watch import watch

__all__ = ["watch"]
