"""`Tidegate`: the whole library, as a Python person expects it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Callable,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    Type,
    TypedDict,
    Union,
)

from . import _background, _native
from ._types import Diagnostic

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

Duration = Union[float, timedelta]
"""Seconds, or a ``timedelta``."""

Path = Union[str, "os.PathLike[str]"]


class Options(TypedDict, total=False):
    """What every way to make an instance takes. What is not given is the library's default, which the documentation of its
    ``Builder`` has under the same names."""

    cache_name: str
    """The name under which the last good document is kept for the next start."""
    cache_dir: Path
    """The folder of the cache."""
    cache: bool
    """``False``: no document is kept on the disk."""
    trusted_keys: List[str]
    """Public keys of minisign: only documents that one of them has signed are taken."""
    environment: str
    """Only documents that name this environment are taken."""
    state_dir: Path
    """The folder that remembers the newest version of signed documents."""
    poll_interval: Duration
    """How often the source is asked."""
    default_lease: Duration
    """The lease of flags that name none."""
    locks_file: Path
    """The file with the locks of this host."""
    locks: bool
    """``False``: no locks of this host are read; for tests."""
    pins: Dict[str, Any]
    """Flags that have a value whatever the document says, by flag key; for tests."""
    pin_variants: Dict[str, str]
    """The same by variant, ``stable`` or ``new``."""
    startup_wait: Duration
    """The longest time that the first answer of the source is waited for."""
    connect_timeout: Duration
    """How long name, connection and handshake may take together."""
    timeout: Duration
    """How long one fetch may take, or one call of a callback."""
    headers: Dict[str, str]
    """Headers of each request."""
    root_certificates: bytes
    """Certificate authorities, in PEM, besides those of the machine."""
    offline: bool
    """The source is not asked; the cache answers."""
    clock: _native.ManualClock
    """The time, in a test."""
    random_seed: int
    """Seeds ``is_active``, in a test."""
    hasher: Callable[[str], int]
    """Positions of keys, from 0 to 2**32 - 1, for flags that name neither ``hash`` nor ``salt``."""


class Fetched(NamedTuple):
    """What a callback gives for a new document."""

    body: Union[bytes, str]
    tag: Optional[str] = None
    signature: Optional[str] = None


Callback = Callable[[Optional[str]], Union[Fetched, bytes, str, None]]
"""Gets the tag of the active document, and gives a document, or ``None`` where that one is still the newest."""


@dataclass(frozen=True)
class Changes:
    """What has changed since a subscriber was last told."""

    document: bool
    """The document, or the entry of a flag."""
    locks: bool
    """The locks of this host."""
    health: bool
    """How the source is doing."""
    flags: Optional[FrozenSet[str]]
    """The keys of the flags; ``None`` where they are so many that any flag may have changed."""

    def __contains__(self, flag_key: object) -> bool:
        return self.flags is None or flag_key in self.flags


class Tidegate(_native.Instance):
    """An instance: reads, status, subscriptions. Make one for each program, and share it between threads.

    ``Tidegate.http``, ``Tidegate.file``, ``Tidegate.text`` and ``Tidegate.callback`` make one. They never fail because a source is
    unreachable, slow or wrong: then the cache answers, or the defaults of the callers, and ``status`` says what is wrong.

    As a context manager it closes itself. After a fork the child has an instance of its own, with threads of its own.
    """

    @classmethod
    def http(cls, url: str, **options: Unpack[Options]) -> Self:
        """A document at a URL, ``http`` or ``https``."""
        return cls._start("http", url, options)

    @classmethod
    def file(cls, path: Path, **options: Unpack[Options]) -> Self:
        """A document in a file, which is watched."""
        return cls._start("file", path, options)

    @classmethod
    def text(cls, document: Union[str, bytes], **options: Unpack[Options]) -> Self:
        """A document that is part of the program."""
        return cls._start("text", _bytes(document), options)

    @classmethod
    def callback(cls, function: Callback, **options: Unpack[Options]) -> Self:
        """A document from a place of the program's own. ``function`` is called on a thread of its own, never twice at a time."""

        def answer(call: _native.Call) -> None:
            try:
                given = function(call.tag)
                if given is None:
                    return call.unchanged()
                fetched = given if isinstance(given, Fetched) else Fetched(given)
                call.changed(_bytes(fetched.body), fetched.tag, fetched.signature)
            except BaseException as error:
                call.failed(f"{type(error).__name__}: {error}")

        return cls._start("callback", answer, options)

    _function: Optional[Callable[[_native.Call], None]] = None

    @classmethod
    def _start(cls, kind: str, origin: Any, options: Mapping[str, Any]) -> Self:
        self = cls.__new__(cls, kind, origin, dict(options))
        if kind == "callback":
            self._function = origin
        _background.start_logging()
        self._serve()
        self._connect()
        _background.add(self)
        return self

    def _serve(self) -> None:
        calls = self._calls()
        if calls is not None and self._function is not None:
            _background.serve(calls, self._function)

    def _after_fork(self) -> None:
        self._serve()
        threading.Thread(target=self._reconnect, name="tidegate-fork", daemon=True).start()

    def _end(self) -> None:
        """At the end of the interpreter: the threads are told, and not waited for."""
        try:
            self._close(0)
        except Exception:
            pass

    def close(self, timeout: Duration = 5) -> None:
        """Ends the threads of the instance. Reads go on with what is active.

        Raises ``CloseTimeout`` if they have not ended in time.
        """
        self._close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def subscribe(self) -> Subscription:
        """Notifications of changes, for ``for`` and ``async for``."""
        return Subscription(self)

    def __repr__(self) -> str:
        status = self.status()
        return f"<Tidegate {status.source}: {status.health}, {status.flags} flags>"


class Subscription:
    """Notifications of changes; made by ``Tidegate.subscribe``.

    It tells what has changed since it was last asked; intermediate states are coalesced for slow readers. The loop ends when the
    instance is closed.
    """

    def __init__(self, instance: Tidegate) -> None:
        self._native = instance._subscribe()

    def wait(self, timeout: Optional[Duration] = None) -> Optional[Changes]:
        """Waits for the next change; ``None`` when nothing has changed in that time.

        Raises ``StopIteration`` when nothing will change any more.
        """
        if timeout is not None:
            return _changes(self._native._wait(timeout))
        while True:
            # In slices, so that a signal is noticed.
            changes = _changes(self._native._wait(_SLICE))
            if changes is not None:
                return changes

    def __iter__(self) -> Iterator[Changes]:
        return self

    def __next__(self) -> Changes:
        changes = self.wait()
        assert changes is not None
        return changes

    def __aiter__(self) -> AsyncIterator[Changes]:
        return self

    async def __anext__(self) -> Changes:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            told = await asyncio.shield(self._ask(loop))
            self._asked = None
            if told is False:
                raise StopAsyncIteration
            changes = _changes(told)
            if changes is not None:
                return changes

    _asked: Any = None

    def _ask(self, loop: Any) -> Any:
        """The question that runs on a thread; one that was left behind by a cancelled task is asked no second time, so that its
        answer is not lost."""
        if self._asked is None or self._asked.get_loop() is not loop:
            self._asked = loop.run_in_executor(None, self._native._wait, _SLICE)
        return self._asked


_SLICE = 0.2


def _changes(told: Union[Tuple[bool, bool, bool, Optional[List[str]]], None, bool]) -> Optional[Changes]:
    if told is None:
        return None
    if isinstance(told, bool):
        raise StopIteration
    document, locks, health, flags = told
    return Changes(document, locks, health, None if flags is None else frozenset(flags))


def check(document: Union[str, bytes]) -> Tuple[Diagnostic, ...]:
    """Everything that is noteworthy in a document: errors, warnings and notes."""
    return _native.check(_bytes(document))


def _bytes(text: Union[str, bytes]) -> bytes:
    return text.encode() if isinstance(text, str) else text


