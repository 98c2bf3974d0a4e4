"""The regions of each runtime, by name; so the address of a key travels as a name and a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from phxactor.distribution import AddressKind, register_address
from phxactor.runtime import NoProcessError, Runtime, current_runtime
from phxactor.sharded._key import KeyPid
from phxactor.sharded._region import Region

if TYPE_CHECKING:
    from phxactor.sharded._options import Options


def found(runtime: Runtime, name: str) -> Region:
    """Return the region of a runtime. Raises NoProcessError if it was never started."""
    region = _regions.get(runtime, {}).get(name)
    if region is None:
        raise NoProcessError(f"{name!r} was not started in this runtime: make it a child of the program")
    return region


def made(runtime: Runtime, options: Options) -> Region:
    """Return the region of a runtime, and make it if there is none."""
    return _regions.setdefault(runtime, {}).setdefault(options.name, Region(runtime, options))


def all_of(runtime: Runtime) -> dict[str, Region]:
    """Return the regions of a runtime, by name."""
    return dict(_regions.get(runtime, {}))


_regions: Final[WeakKeyDictionary[Runtime, dict[str, Region]]] = WeakKeyDictionary()


def _take_apart(address: KeyPid) -> tuple[str, str]:
    return address.region.name, address.key


def _find(name: str, key: str) -> KeyPid:
    return found(current_runtime(), name).address(key)


register_address(KeyPid, AddressKind("key", _take_apart, _find))
