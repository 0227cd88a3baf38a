"""What the library reports, as dataclasses. Their fields have the names of the JSON that the command line and the server write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Optional, Tuple

from . import _live_types
from ._read import instant, micros, read

__all__ = ["instant", "make", "micros"]  # what the native part calls


@dataclass(frozen=True)
class Diagnostic:
    """An error, a warning or a note about a document."""

    code: str
    severity: str
    path: str
    line: Optional[int]
    column: Optional[int]
    message: str
    help: str


@dataclass(frozen=True)
class SourceTrouble:
    """What is wrong with a source."""

    message: str
    since: datetime
    at: datetime
    count: int


@dataclass(frozen=True)
class Refusal:
    """A document that was refused."""

    since: datetime
    count: int
    body: str
    message: str
    diagnostics: Tuple[Diagnostic, ...]


@dataclass(frozen=True)
class Poisoned:
    """A document that is skipped, because processes died while they loaded it."""

    body: str
    since: datetime
    from_: str


@dataclass(frozen=True)
class Shadowed:
    """Entries without effect, because an earlier document defines their flags."""

    count: int
    entries: Tuple[Dict[str, str], ...]


@dataclass(frozen=True)
class ClockOffset:
    """This host's clock against the source's."""

    ahead_seconds: float
    uncertainty_seconds: float
    is_suspicious: bool


@dataclass(frozen=True)
class CacheStatus:
    """The cache."""

    file: Optional[str]
    error: Optional[str]


@dataclass(frozen=True)
class Lock:
    """A flag that is pinned on this host: to a variant, or to a value."""

    flag: str
    actor: str
    reason: str
    variant: Optional[str] = None
    value: Any = None
    until: Optional[datetime] = None
    is_expired: bool = False


@dataclass(frozen=True)
class LocksStatus:
    """The locks of this host."""

    file: Optional[str]
    error: Optional[Dict[str, str]]
    locks: Tuple[Lock, ...]


@dataclass(frozen=True)
class Misreads:
    """Reads that cannot mean what their author meant, and the first of the flags."""

    count: int
    flags: Tuple[str, ...]


@dataclass(frozen=True)
class Status:
    """What an instance serves, where it comes from, how old it is, and what is wrong."""

    source: str
    health: str
    health_since: datetime
    served_from: str
    tag: Optional[str]
    fetched_at: Optional[datetime]
    fresh_at: Optional[datetime]
    age_seconds: Optional[float]
    last_error: Optional[SourceTrouble]
    refused: Optional[Refusal]
    signature: Optional[Dict[str, Any]]
    poisoned: Optional[Poisoned]
    shadowed: Shadowed
    digest: str
    flags: int
    warnings: int
    polls: int
    flip_flops: int
    clock: Optional[ClockOffset]
    cache: Optional[CacheStatus]
    locks: LocksStatus
    unknown_flags: Misreads
    type_errors: Misreads
    swapped_arguments: Misreads
    snapshots_held: int
    additional_sources: Tuple[Status, ...]


@dataclass(frozen=True)
class Flips:
    """When a key gets its new value, and when a rollback takes it away; none where that is never."""

    on: Optional[datetime]
    off: Optional[datetime]


@dataclass(frozen=True)
class Passed:
    """A step that did not decide, and why."""

    step: str
    why: str
    targeting: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class Explanation:
    """The decision about a flag with everything that led to it."""

    flag: str
    variant: Optional[str]
    reason: str
    rule: str
    position: Optional[int]
    share: Optional[float]
    flip: Optional[datetime]
    flips: Flips
    valid_until: Optional[datetime]
    passed: Tuple[Passed, ...]
    value: Any = None
    error_code: Optional[str] = None
    hash: Optional[str] = None
    ramp_instant: Optional[datetime] = None
    adopter: Any = None
    lock: Optional[Lock] = None
    targeting: Optional[Dict[str, Any]] = None
    side: Optional[str] = None
    split: Optional[Dict[str, float]] = None


def make(kind: str, text: str) -> Any:
    """Objects of the dataclass of this name, from JSON: one, none, or a tuple of them."""
    found = globals().get(kind) or getattr(_live_types, kind)
    members = json.loads(text)
    if isinstance(members, list):
        return tuple(read(found, member) for member in members)
    return None if members is None else read(found, members)
