"""`Tidegate`: the whole library, as a Python person expects it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
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
    Sequence,
    Tuple,
    Type,
    TypedDict,
    Union,
)

from . import _background, _native
from ._live_types import HistoryPage, Receipt
from ._types import Diagnostic

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

Duration = Union[float, timedelta]
"""Seconds, or a ``timedelta``."""

Path = Union[str, "os.PathLike[str]"]

Percentage = Union[float, Decimal, str]
"""From 0 to 100 with at most six decimals."""


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
    default_percentages: Dict[str, Percentage]
    """The percentage of keys, by flag key, for which a flag is on that no document and no live change defines."""


class LiveOptions(Options, total=False):
    """What ``Tidegate.live`` takes. What is not given is the library's default, which the documentation of its ``Live`` has under the
    same names."""

    name: str
    """What people call this node."""
    cluster: str
    """The name of the cluster: all processes that share changes have the same."""
    listen: str
    """Other nodes of the cluster reach this one there, ``address:port``."""
    advertise: str
    """Where this node tells others that it is, ``host:port``."""
    peers: Sequence[str]
    """Where other nodes are, ``host:port``."""
    certificates: Path
    """The folder with ``ca.pem``, ``node.pem`` and ``node.key``, as ``tidegate cluster init`` makes them."""
    insecure: bool
    """``True``: nodes on several hosts do without certificates."""
    max_drift: Duration
    """How far the clocks of nodes may be apart."""
    redis: str
    """The Redis or Valkey through which changes are shared: ``redis://``, ``rediss://`` or ``unix://``."""
    redis_root_certificates: bytes
    """Certificate authorities, in PEM, besides those of the machine, for ``rediss://``."""
    redis_client_certificate: Tuple[bytes, bytes]
    """The certificate that this process shows to Redis, with its chain, and its key, both in PEM."""
    http: str
    """A document beside the live changes, as of ``Tidegate.http``."""
    file: Path
    """The same in a file."""
    text: Union[str, bytes]
    """The same as a text."""
    callback: Callback
    """The same from a function."""


class ChangeOptions(TypedDict, total=False):
    """What every change takes. What is not given is the library's default, which the documentation of its ``Change`` has under the
    same names."""

    actor: str
    """Who makes the change, for the history."""
    reason: str
    """Why it is made, for the history."""
    until: datetime
    """An activation is active until then; after that the flag follows its ramp again."""
    ack: str
    """How many nodes must have the change on their disks: ``local``, ``one``, ``majority`` or ``all``."""
    timeout: Duration
    """How long to wait for that. The change stands all the same, and ``Receipt.reached`` tells."""
    existing: bool
    """``True``: an activation is set only for a flag that this node knows."""
    elsewhere: bool
    """``True``: other nodes know the flag by their documents."""
    if_stamp: Optional[str]
    """The change is made only if this stamp stands there; ``None``: only if nothing was ever there."""


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
    activations: bool
    """The activation of a flag."""
    definitions: bool
    """The definition of a flag apart from any document."""
    flags: Optional[FrozenSet[str]]
    """The keys of the flags; ``None`` where there are too many to list, and any flag may have changed."""

    def __contains__(self, flag_key: object) -> bool:
        return self.flags is None or flag_key in self.flags


_DOCUMENTS = ("http", "file", "text", "callback")
_LIVE = tuple(name for name in LiveOptions.__annotations__ if name not in (*Options.__annotations__, *_DOCUMENTS))

_FORKED = "live changes belong to the parent of this process; reads answer what was active at the fork"

_CLOSE = 5
"""How long the threads of an instance are waited for: longer than a disk takes for what was accepted."""

_FORK_WAIT = 10
"""How long a change in a new child waits for its instance: longer than a start takes."""

_SLICE = 0.2
"""How long a thread waits in the library before it looks for signals."""


class Tidegate(_native.Instance):
    """An instance: reads, status, subscriptions. Make one for each program, and share it between threads.

    ``Tidegate.http``, ``Tidegate.file``, ``Tidegate.text`` and ``Tidegate.callback`` make one of a document, ``Tidegate.follow`` one that
    has what a server has, and ``Tidegate.live`` one that takes live changes. They never fail because a source, a server or a cluster is
    unreachable, slow or wrong: then the disk answers, or the defaults of the callers, and ``status`` says what is wrong.

    As a context manager it closes itself. After a fork the child has an instance of its own, with threads of its own; but not of one
    with live changes that only one process can be: see ``Tidegate.live``.
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

        return cls._start("callback", _answers(function), options)

    @classmethod
    def follow(cls, *servers: str, **options: Unpack[Options]) -> Self:
        """All that a server has: its documents, definitions and activations, each change within milliseconds. ``servers`` are URLs of
        ``tidegate serve`` in one cluster; one of them is followed, and another one when that is lost.

        All is kept on the disk under the ``cache_name``, for a start while no server is reachable. Changes are made on the server.
        """
        return cls._start("follow", servers, options)

    @classmethod
    def live(cls, folder: Optional[Path] = None, **options: Unpack[LiveOptions]) -> Self:
        """An instance that takes live changes, and shares them: with a cluster (``listen``, ``peers``, ``certificates``), with all that name
        the same ``redis``, or alone. They are kept in ``folder``, or else in memory.

        A document is beside them as ``http``, ``file``, ``text`` or ``callback``, of which one may be given; changes override it.

        After a fork a child gets an instance of its own where changes are in memory and come from a Redis or from peers. One with a folder, an
        address to listen at or a certificate is the parent's alone, and so is one that shares with no other process: in the child it
        answers what was active at the fork, and changes raise ``NotLiveError``. Make such an instance after the fork.
        """
        given: Dict[str, Any] = dict(options)
        live = {name: given.pop(name) for name in _LIVE if name in given}
        documents: Dict[str, Any] = {name: given.pop(name) for name in _DOCUMENTS if name in given}
        if len(documents) > 1:
            raise TypeError(f"an instance has one document, and not {' and '.join(documents)}")
        kind, origin = documents.popitem() if documents else ("live", None)
        if kind in _READ:
            origin = _READ[kind](origin)
        return cls._start(kind, origin, given, (folder, live))

    _function: Optional[Callable[[_native.Call], None]] = None
    _forking: Optional[threading.Thread] = None
    _held: Tuple[Optional[str], Optional[str]] = (None, None)
    """The folder and the address of a node that only one process can be."""

    @classmethod
    def _start(cls, kind: str, origin: Any, options: Mapping[str, Any], live: Optional[_native._LiveSettings] = None) -> Self:
        self = cls.__new__(cls, kind, origin, dict(options), live)
        if kind == "callback":
            self._function = origin
        _background.start_logging()
        self._serve()
        self._connect()
        if self._is_bound():
            node = self.cluster_status().node
            self._held = (None if node.folder is None else os.path.realpath(node.folder), node.address)
        _background.add(self)
        return self

    def _serve(self) -> None:
        calls = self._calls()
        if calls is not None and self._function is not None:
            _background.serve(calls, self._function)

    def _after_fork(self) -> None:
        if self._is_bound():
            _background.release(*self._held)
        if self._is_closed():
            return
        if self._is_bound():
            _background.LOG.warning("%s", _FORKED)
            return
        self._serve()
        self._forking = threading.Thread(target=self._reconnect, name="tidegate-fork", daemon=True)
        self._forking.start()

    def _end(self) -> None:
        """At the end of the interpreter: the threads are told. They are waited for only where changes may be on their way to the disk."""
        try:
            self._close(_CLOSE if self._is_live() else 0)
        except Exception:
            pass

    def close(self, timeout: Duration = _CLOSE) -> None:
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

    def activate(self, flag_key: str, **options: Unpack[ChangeOptions]) -> Receipt:
        """Turns a flag on for everyone. A flag that has no definition becomes the boolean flag ``false``/``true``."""
        return self._make("activate", flag_key, None, options)

    def deactivate(self, flag_key: str, **options: Unpack[ChangeOptions]) -> Receipt:
        """Turns a flag off for everyone."""
        return self._make("deactivate", flag_key, None, options)

    def activate_percentage(self, flag_key: str, percentage: Percentage, **options: Unpack[ChangeOptions]) -> Receipt:
        """Sets the activation of a flag: this percentage of keys has ``new``, whatever the ramp says."""
        return self._make("activate_percentage", flag_key, percentage, options)

    def clear(self, flag_key: str, **options: Unpack[ChangeOptions]) -> Receipt:
        """Removes the activation; the flag follows its ramp again."""
        return self._make("clear", flag_key, None, options)

    def define(self, flag_key: str, entry: Union[str, Mapping[str, Any]], **options: Unpack[ChangeOptions]) -> Receipt:
        """Defines a flag by its entry, as it would stand in a document: a ``dict``, or its JSON text."""
        return self._make("define", flag_key, entry, options)

    def remove(self, flag_key: str, **options: Unpack[ChangeOptions]) -> Receipt:
        """Removes a definition that was made by ``define``. Its activation stays."""
        return self._make("remove", flag_key, None, options)

    def _make(self, operation: str, flag_key: str, operand: Any, options: Mapping[str, Any]) -> Receipt:
        self._wait_for_fork()
        return self._change(operation, flag_key, operand, dict(options))

    def history(self, flag_key: Optional[str] = None, *, before: Optional[str] = None, limit: Optional[int] = None) -> HistoryPage:
        """What happened to a flag on this node, or to all flags, newest first; with ``before``, a stamp, only older changes. A page has at most
        ``limit`` changes, and never more than 100."""
        self._wait_for_fork()
        return self._history(flag_key, before, limit)

    def wait_for(self, flag_key: str, stamp: str, timeout: Duration) -> bool:
        """Whether a change of this flag with this stamp, or a newer one, has come here within the time: for reading here what was written
        elsewhere."""
        self._wait_for_fork()
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        until = time.monotonic() + seconds
        while True:
            # In slices, so that a signal is noticed.
            left = max(until - time.monotonic(), 0)
            if self._wait_for(flag_key, stamp, min(left, _SLICE)):
                return True
            if left <= _SLICE:
                return False

    def _wait_for_fork(self) -> None:
        """In the child of a fork, a change waits until the instance is connected."""
        if self._forking is not None:
            self._forking.join(_FORK_WAIT)

    def subscribe(self) -> Subscription:
        """Notifications of changes, for ``for`` and ``async for``."""
        return Subscription(self)

    def __repr__(self) -> str:
        status = self.status()
        return f"<Tidegate {status.source}: {status.health}, {status.flags} flags>"


def _answers(function: Callback) -> Callable[[_native.Call], None]:
    """How the calls of a source are answered."""

    def answer(call: _native.Call) -> None:
        try:
            given = function(call.tag)
            if given is None:
                return call.unchanged()
            fetched = given if isinstance(given, Fetched) else Fetched(given)
            call.changed(_bytes(fetched.body), fetched.tag, fetched.signature)
        except BaseException as error:
            call.failed(f"{type(error).__name__}: {error}")

    return answer


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


def _changes(told: _native._Told) -> Optional[Changes]:
    if told is None:
        return None
    if isinstance(told, bool):
        raise StopIteration
    document, locks, health, activations, definitions, flags = told
    return Changes(document, locks, health, activations, definitions, None if flags is None else frozenset(flags))


_READ: Dict[str, Callable[[Any], Any]] = {"callback": _answers, "text": lambda text: _bytes(text)}
"""Where the native part gets something else than what the program gives."""


def check(document: Union[str, bytes]) -> Tuple[Diagnostic, ...]:
    """Everything that is noteworthy in a document: errors, warnings and notes."""
    return _native.check(_bytes(document))


def _bytes(text: Union[str, bytes]) -> bytes:
    return text.encode() if isinstance(text, str) else text


