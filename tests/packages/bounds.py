"""The lowest versions that a package may be installed with, from its own metadata."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import Requirement


def lowest(requirements: Iterable[str]) -> list[str]:
    """Return constraints for pip: each dependency at its lower bound. Raises ValueError for one that has none."""
    constraints = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.name == "phxactor":  # an extra that names another
            continue
        bounds = [one.version for one in requirement.specifier if one.operator == ">="]
        if len(bounds) != 1:
            raise ValueError(f"{text!r} has no lower bound: pip would take any version, however old")
        constraints.append(f"{requirement.name}=={bounds[0]}")
    return constraints
