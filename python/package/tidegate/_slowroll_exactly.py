"""What slowroll 0.0.1 does, for those who want exactly that; see decision 0177. The tests hold it against slowroll itself."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union, cast

if TYPE_CHECKING:
    from .slowroll import SlowrollConfig

_TIMES = ("%Y-%m-%d %H:%MZ", "%Y-%m-%d %H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%fZ")
_PART = re.compile(r"(-?[0-9.]+)\s*(ms|d|h|m|s)\s*")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


def get_value(config: SlowrollConfig, section: str, key: str, hash_key: str, default: Any) -> Any:
    entry = config.get_config().get(section, {}).get(key, {})
    return config.decide(hash_key, entry) if entry else default


def get_config(config: SlowrollConfig) -> Dict[str, Dict[str, Any]]:
    fetch = config.fetch_cb or _fetch
    body, _ = fetch(config.url, None)
    assert body is not None
    return cast(Dict[str, Dict[str, Any]], json.loads(body))


def decide(config: SlowrollConfig, hash_key: str, entry: Dict[str, Any]) -> Any:
    if "new" not in entry:
        return entry["stable"]
    if hash_key in entry.get("early_adopters", ()):
        return entry["new"]
    end = _time(entry["end_time"])
    duration = _duration(entry["duration"])
    start = end - duration
    place = (config.hasher or _position)(hash_key) / 2**32
    start_pct, end_pct = entry.get("start_pct", 0), entry.get("end_pct", 100)
    first = start_pct / 100
    assert end_pct > start_pct
    end_pct / 100  # it has to be a number
    now = config.now_cb() if config.now_cb else datetime.now(timezone.utc)
    assert now.tzinfo == timezone.utc
    return entry["new" if now >= start + duration * (place - first) else "stable"]


def _time(text: str) -> datetime:
    for form in _TIMES:
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except Exception:
            pass
    raise Exception(f"Could not parse {text!r} as any known format")


def _duration(text: str) -> timedelta:
    parts: Dict[str, float] = {}
    for number, unit in _PART.findall(text):
        assert _UNITS[unit] not in parts
        parts[_UNITS[unit]] = float(number)
    assert _PART.sub("", text.strip()) == "", f"String {text!r} was not entirely time deltas"
    return timedelta(**parts)


def _position(hash_key: str) -> int:
    return int.from_bytes(hashlib.sha1(hash_key.encode()).digest()[-4:], "big")


def _fetch(url: str, etag: Optional[str]) -> Union[Tuple[bytes, str], Tuple[None, None]]:
    try:
        response = urllib.request.urlopen(urllib.request.Request(url))
    except urllib.error.HTTPError as error:
        if error.code == 304:
            return None, None
        raise Exception(f"Unknown status {error.code}: {error.read()!r}")
    return response.read(), response.headers["ETag"]
