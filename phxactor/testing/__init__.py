"""The test kit: channels without ports, virtual time, and what a test leaves behind. Needs pytest and trio."""

from phxactor.testing.settling import settle

__all__ = ["settle"]
