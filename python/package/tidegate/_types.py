"""What the library reports, as dataclasses. Their fields have the names of the JSON that the command line and the server write."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Tuple, Type, TypeVar

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    if moment.tzinfo is None:
        raise ValueError("a datetime without a time zone is no instant; use datetime.now(timezone.utc)")
    return (moment - _EPOCH) // _MICROSECOND


def instant(micros: int) -> datetime:
    """The datetime in UTC of microseconds since 1970; instants that Python has no datetime for are the nearest that it has."""
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return (datetime.max if micros > 0 else datetime.min).replace(tzinfo=timezone.utc)


def _moment(text: Optional[str]) -> Any:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:  # a year that Python has no datetime for
        return (datetime.min if text.startswith("-") else datetime.max).replace(tzinfo=timezone.utc)


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


def _many(kind: Type[T], members: List[Dict[str, Any]]) -> Tuple[T, ...]:
    return tuple(_one(kind, member) for member in members)


def _one(kind: Type[T], members: Dict[str, Any]) -> T:
    """What later versions of the library add is left out; what a dataclass needs has to be there."""
    made: Dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name = field.name.rstrip("_")
        if name in members:
            value = members[name]
            read = _READ.get((kind, name))
            made[field.name] = value if read is None or value is None else read(value)
    return kind(**made)


_READ: Dict[Tuple[type, str], Any] = {
    (kind, name): _moment
    for kind, names in {
        SourceTrouble: ("since", "at"),
        Refusal: ("since",),
        Poisoned: ("since",),
        Lock: ("until",),
        Status: ("health_since", "fetched_at", "fresh_at"),
        Flips: ("on", "off"),
        Explanation: ("flip", "valid_until", "ramp_instant"),
    }.items()
    for name in names
}
_READ.update(
    {
        (Refusal, "diagnostics"): lambda members: _many(Diagnostic, members),
        (Shadowed, "entries"): tuple,
        (LocksStatus, "locks"): lambda members: _many(Lock, members),
        (Misreads, "flags"): tuple,
        (Status, "last_error"): lambda members: _one(SourceTrouble, members),
        (Status, "refused"): lambda members: _one(Refusal, members),
        (Status, "poisoned"): lambda members: _one(Poisoned, members),
        (Status, "shadowed"): lambda members: _one(Shadowed, members),
        (Status, "clock"): lambda members: _one(ClockOffset, members),
        (Status, "cache"): lambda members: _one(CacheStatus, members),
        (Status, "locks"): lambda members: _one(LocksStatus, members),
        (Status, "unknown_flags"): lambda members: _one(Misreads, members),
        (Status, "type_errors"): lambda members: _one(Misreads, members),
        (Status, "swapped_arguments"): lambda members: _one(Misreads, members),
        (Status, "additional_sources"): lambda members: _many(Status, members),
        (Explanation, "flips"): lambda members: _one(Flips, members),
        (Explanation, "passed"): lambda members: _many(Passed, members),
        (Explanation, "lock"): lambda members: _one(Lock, members),
    }
)


# Called by the native part, with JSON.


def diagnostics(text: str) -> Tuple[Diagnostic, ...]:
    return _many(Diagnostic, json.loads(text))


def status(text: str) -> Status:
    return _one(Status, json.loads(text))


def explanation(text: str) -> Explanation:
    return _one(Explanation, json.loads(text))


def flips(text: str) -> Flips:
    return _one(Flips, json.loads(text))


def locks(text: str) -> Tuple[Lock, ...]:
    return _many(Lock, json.loads(text))


def lock(text: str) -> Optional[Lock]:
    members = json.loads(text)
    return None if members is None else _one(Lock, members)
