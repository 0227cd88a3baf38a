"""In the place of slowroll: ``from tidegate.slowroll import SlowrollConfig``, and nothing else changes.

The constructor, ``get_value`` and ``decide`` take what slowroll 0.0.1 takes. The decisions are Tidegate's, and equal to
slowroll's to the microsecond where both are right. The document is read in the background and kept for the next start, so a
``get_value`` looks into memory.

``SlowrollConfig(..., exactly_slowroll=True)`` behaves exactly as slowroll does: it fetches the document at every ``get_value``,
caches nothing, and applies ``start_pct`` and ``end_pct`` as slowroll applies them.
"""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Optional, Tuple, Union, cast

from . import _native, _slowroll_exactly
from ._errors import DocumentError, SourceError
from ._instance import Fetched, Tidegate

__all__ = ["SlowrollConfig"]

FetchCallback = Callable[[str, Optional[str]], Union[Tuple[Union[str, bytes], Optional[str]], Tuple[None, None]]]


class SlowrollConfig:
    """Values of a document that change over time; the arguments and methods of slowroll's class of this name."""

    def __init__(
        self,
        url: str,
        local_cache_name: str,
        fetch_cb: Optional[FetchCallback] = None,
        now_cb: Optional[Callable[[], datetime]] = None,
        hasher: Optional[Callable[[str], int]] = None,
        *,
        exactly_slowroll: bool = False,
    ) -> None:
        """``fetch_cb`` gets the URL and the tag of the active document (slowroll: always ``None``) and returns the document and its
        tag, or ``(None, None)`` where it has not changed. ``now_cb`` gives the time, an aware ``datetime`` in UTC. ``hasher`` gives
        the position of a key, from 0 to 2**32 - 1. ``local_cache_name`` names the file on the disk that keeps the last good document.

        Nothing is fetched before the first ``get_value``.
        """
        self.url = url
        self.local_cache_name = local_cache_name
        self.fetch_cb = fetch_cb
        self.now_cb = now_cb
        self.hasher = hasher
        self.exactly_slowroll = exactly_slowroll
        self._lock = threading.Lock()
        self._instance: Optional[Tidegate] = None
        self._answering: Optional[Tidegate] = None  # the same, once it has a document
        self._raised: Optional[BaseException] = None

    def get_value(self, section: str, key: str, hash_key: str, default: Any = None) -> Any:
        """The value of ``key`` in ``section`` that ``hash_key`` has now; ``default`` where the document does not have it.

        Raises where there is no document at all, not even in the cache: what ``fetch_cb`` raised, ``SourceError``, or
        ``DocumentError`` with the diagnostics. Once there has been one, the last good document stays active, and the log and
        ``tidegate.status()`` say what is wrong.
        """
        if self.exactly_slowroll:
            return _slowroll_exactly.get_value(self, section, key, hash_key, default)
        instance = self._answering or self._ready()
        if self.now_cb is None:
            return instance.get(section, key, hash_key, default)
        return instance._get_at(section, key, hash_key, default, self.now_cb())

    def decide(self, hash_key: str, config: Dict[str, Any]) -> Any:
        """The value that one entry gives to a key now. Raises ``DocumentError`` where the entry is refused."""
        if self.exactly_slowroll:
            return _slowroll_exactly.decide(self, hash_key, config)
        now = datetime.now(timezone.utc) if self.now_cb is None else self.now_cb()
        return _native.decide_entry(json.dumps(config), hash_key, now, self.hasher)

    def get_config(self) -> Dict[str, Dict[str, Any]]:
        """The document, fetched now."""
        if self.exactly_slowroll:
            return _slowroll_exactly.get_config(self)
        if self.fetch_cb is None:
            body: Union[str, bytes, None] = self.tidegate._fetch()
        else:
            body, _ = self.fetch_cb(self.url, None)
        if body is None:
            raise SourceError("the document was not sent, though no tag was")
        return cast(Dict[str, Dict[str, Any]], json.loads(body))

    @property
    def tidegate(self) -> Tidegate:
        """The instance behind it: for ``status``, ``explain``, ``when`` and ``subscribe``."""
        with self._lock:
            if self._instance is None:
                self._instance = self._connect()
            return self._instance

    def _connect(self) -> Tidegate:
        options: Dict[str, Any] = {"cache_name": self.local_cache_name}
        if self.hasher is not None:
            options["hasher"] = self.hasher
        if self.fetch_cb is None:
            return Tidegate.http(self.url, **options)
        return Tidegate.callback(self._fetch, **options)

    def _fetch(self, tag: Optional[str]) -> Optional[Fetched]:
        assert self.fetch_cb is not None
        try:
            body, etag = self.fetch_cb(self.url, tag)
        except BaseException as error:
            self._raised = error
            raise
        # slowroll takes any tag. The library sends back only one that is a text.
        return None if body is None else Fetched(body, str(etag) if etag else None)

    def _ready(self) -> Tidegate:
        instance = self.tidegate
        if instance.is_ready():
            self._answering = instance
            return instance
        status = instance.status()
        if status.refused is not None:
            raise DocumentError(status.refused.message, status.refused.diagnostics)
        if self._raised is not None:
            raise self._raised
        trouble = status.last_error
        raise SourceError(trouble.message if trouble is not None else f"no document yet from {status.source}")
