"""The locks of this host: flags that are pinned here, whatever their document says.

``file`` is the file with the locks; by default that of this host, which ``tidegate lock`` writes, too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Optional, Tuple

from . import _native
from ._instance import Path
from ._types import Lock

__all__ = ["add", "list", "remove"]


def list(*, file: Optional[Path] = None) -> Tuple[Lock, ...]:
    """All locks; also those that are over."""
    return _native.list_locks(file)


def add(
    flag_key: str,
    *,
    variant: Optional[str] = None,
    value: Any = ...,
    actor: str = "",
    reason: str = "",
    until: Optional[datetime] = None,
    file: Optional[Path] = None,
) -> Optional[Lock]:
    """Pins a flag to a variant, ``stable`` or ``new``, or to a value; returns the lock that this one replaces."""
    if (variant is None) == (value is ...):
        raise TypeError("a lock has either a variant or a value")
    pin = value if variant is None else variant
    return _native.add_lock(file, flag_key, pin, variant is not None, actor, reason, until)


def remove(flag_key: str, *, file: Optional[Path] = None) -> Optional[Lock]:
    """Removes the lock of a flag; returns it."""
    return _native.remove_lock(file, flag_key)
