"""Presence: who is here. See README.md in this folder."""

from phxactor.presence._element import Entry, Grouped, Meta
from phxactor.presence._presence import Presence
from phxactor.presence._statistics import PresenceStatistics, TrackedProcess, look, present
from phxactor.presence._tracker import Tracker
from phxactor.presence._tracking import Given

__all__ = [
    "Entry",
    "Given",
    "Grouped",
    "Meta",
    "Presence",
    "PresenceStatistics",
    "TrackedProcess",
    "Tracker",
    "look",
    "present",
]
