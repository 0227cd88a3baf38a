"""Reads dataclasses from the JSON that the library writes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Callable, Dict, Optional, Tuple, Type, TypeVar, Union, cast, get_args, get_origin, get_type_hints

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


def read(kind: Type[T], members: Dict[str, Any]) -> T:
    """An object of a dataclass. What later versions of the library add is left out; what has no default has to be there."""
    made: Dict[str, Any] = {}
    for name, argument, reader in _readers(cast(type, kind)):
        if name in members:
            value = members[name]
            made[argument] = value if reader is None or value is None else reader(value)
    return kind(**made)


@lru_cache(maxsize=None)
def _readers(kind: type) -> Tuple[Tuple[str, str, Optional[Callable[[Any], Any]]], ...]:
    """For each field its name in JSON, its name here (`from` is a keyword of Python), and how its value is read."""
    hints = get_type_hints(kind)
    return tuple((field.name.rstrip("_"), field.name, _reader(hints[field.name])) for field in fields(cast(Any, kind)))


def _reader(hint: Any) -> Optional[Callable[[Any], Any]]:
    """How JSON becomes what the hint says; none where it is that already."""
    if hint is datetime:
        return _moment
    if is_dataclass(hint):
        kind = cast(type, hint)
        return lambda members: read(kind, members)
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        member = _reader(arguments[0])
        return tuple if member is None else lambda members: tuple(map(member, members))
    if get_origin(hint) is Union:
        return next(filter(None, map(_reader, arguments)), None)
    return None


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:  # a year that Python has no datetime for
        return (datetime.min if text.startswith("-") else datetime.max).replace(tzinfo=timezone.utc)
