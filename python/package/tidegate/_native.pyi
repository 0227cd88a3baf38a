"""The native part: what the package extends."""

from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, TypeVar, Union, final

from typing_extensions import Self, disjoint_base

from ._instance import Path
from ._live_types import ClusterStatus, FlagRecord, FollowStatus, HistoryPage, Receipt
from ._types import Diagnostic, Explanation, Flips, Lock, Status

__version__: str
__all__ = [
    "Call",
    "Calls",
    "Empty",
    "Flag",
    "Instance",
    "ManualClock",
    "Subscription",
    "View",
    "add_lock",
    "after_fork_in_child",
    "after_fork_in_parent",
    "before_fork",
    "check",
    "decide_entry",
    "list_locks",
    "next_logs",
    "remove_lock",
    "stop_logs",
    "waiting",
    "__version__",
]

_LiveSettings = Tuple[Optional[Path], Dict[str, Any]]
_Told = Union[Tuple[bool, bool, bool, bool, bool, Optional[List[str]]], None, bool]

@disjoint_base
class Instance:
    def __new__(cls, kind: Any, origin: Any, options: Dict[str, Any], live: Optional[_LiveSettings] = None) -> Self: ...
    def get(
        self, section: str, flag: str, key: Optional[str], default: Any = None, *, attributes: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """The value of a flag for a key; ``default`` for an unknown flag, and while there is no document."""
    def is_active_for(self, flag_key: str, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None) -> bool:
        """Whether a boolean flag is on for a key: the same key, the same answer."""
    def is_active(self, flag_key: str) -> bool:
        """Draws at random whether a boolean flag is on for this call."""
    def is_ready(self) -> bool:
        """Whether the source has given a document, now or before."""
    def flag(self, section: str, flag: str) -> Flag:
        """A flag that is looked up once, for code that reads it very often."""
    def view(self) -> View:
        """Several reads at one version and one instant."""
    def explain(
        self, section: str, flag: str, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None
    ) -> Explanation:
        """The decision with everything that led to it."""
    def when(
        self, section: str, flag: str, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None
    ) -> Flips:
        """When a key changes its variant."""
    def status(self) -> Status:
        """What is served, from where, how old it is, and what is wrong."""
    def record(self, flag_key: str) -> FlagRecord:
        """What live changes say of a flag here: its activation and its definition, with who wrote them and why."""
    def cluster_status(self) -> ClusterStatus:
        """The cluster as this node sees it."""
    def follow_status(self) -> Optional[FollowStatus]:
        """The server that this instance follows, and how they agree; none where it follows none."""
    def is_synced(self) -> bool:
        """Whether this process has all live changes that the others had when it was last compared with them: with one member, with its
        Redis, or with the server that it follows."""
    def _before_fork(self) -> None: ...
    def _calls(self) -> Optional[Calls]: ...
    def _change(self, operation: str, flag_key: str, operand: Any, options: Dict[str, Any]) -> Receipt: ...
    def _decide(
        self, flag_key: str, key: Optional[str], attributes: Optional[Mapping[str, Any]]
    ) -> Tuple[Optional[Tuple[Any]], Optional[str], str, Optional[str]]: ...
    def _connect(self) -> None: ...
    def _reconnect(self) -> None: ...
    def _close(self, timeout: Union[float, timedelta]) -> None: ...
    def _fetch(self) -> bytes: ...
    def _history(self, flag_key: Optional[str], before: Optional[str], limit: Optional[int]) -> HistoryPage: ...
    def _is_bound(self) -> bool: ...
    def _is_closed(self) -> bool: ...
    def _is_live(self) -> bool: ...
    def _is_own(self) -> bool: ...
    def _wait_for(self, flag_key: str, stamp: str, timeout: Union[float, timedelta]) -> bool: ...
    def _get_at(self, section: str, flag: str, key: str, default: Any, now: datetime) -> Any: ...
    def _subscribe(self) -> Subscription: ...

@final
class Flag:
    """A flag that is looked up once; made by ``Tidegate.flag``."""

    @property
    def flag_key(self) -> str: ...
    def get(self, key: Optional[str], default: Any = None, *, attributes: Optional[Mapping[str, Any]] = None) -> Any:
        """The value for a key; ``default`` while the flag is unknown."""
    def is_active_for(self, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None) -> bool:
        """Whether the flag, a boolean one, is on for a key."""
    def variant_for(self, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None) -> Optional[str]:
        """The name of the variant that a key has: ``stable``, ``new``, ``interpolated``, or one of the flag's own; none for the default."""
    def explain(self, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None) -> Explanation:
        """The decision with everything that led to it."""
    def when(self, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None) -> Flips:
        """When a key changes its variant."""

@final
class View:
    """Several reads at one version and one instant; made by ``Tidegate.view``."""

    @property
    def version(self) -> int:
        """The number of the version that is read: greater ones are later."""
    def get(
        self, section: str, flag: str, key: Optional[str], default: Any = None, *, attributes: Optional[Mapping[str, Any]] = None
    ) -> Any:
        """The value of a flag for a key; ``default`` for an unknown flag."""
    def is_active_for(self, flag_key: str, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None) -> bool:
        """Whether a boolean flag is on for a key."""
    def explain(
        self, section: str, flag: str, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None
    ) -> Explanation:
        """The decision with everything that led to it."""
    def when(
        self, section: str, flag: str, key: Optional[str], *, attributes: Optional[Mapping[str, Any]] = None
    ) -> Flips:
        """When a key changes its variant."""
    def now(self) -> datetime:
        """The instant of its reads."""
    def at(self, now: datetime) -> View:
        """The same version at another instant, an aware ``datetime``."""

@final
class ManualClock:
    """A clock that stands still until it is moved."""

    def __new__(cls, now: datetime) -> Self: ...
    def set(self, now: datetime) -> None:
        """Moves it to an aware ``datetime``."""
    def advance(self, by: Union[float, timedelta]) -> None:
        """Moves it ahead, by seconds or by a ``timedelta``."""
    def now(self) -> datetime:
        """Where it stands, in UTC."""

@final
class Calls:
    def next(self) -> Optional[Call]: ...

@final
class Call:
    @property
    def tag(self) -> Optional[str]: ...
    def changed(self, body: bytes, tag: Optional[str] = None, signature: Optional[str] = None) -> None: ...
    def unchanged(self) -> None: ...
    def failed(self, message: str) -> None: ...

@final
class Subscription:
    def _wait(self, timeout: Union[float, timedelta]) -> _Told: ...

@final
class Empty:
    def __new__(cls) -> Self: ...
    def method(self, _argument: Any) -> None: ...

def check(text: bytes) -> Tuple[Diagnostic, ...]: ...
def decide_entry(entry: str, key: str, now: datetime, hash: Optional[Callable[[str], int]]) -> Any: ...
def list_locks(path: Optional[Path]) -> Tuple[Lock, ...]: ...
def add_lock(
    path: Optional[Path],
    flag_key: str,
    pin: Any,
    is_variant: bool,
    actor: str,
    reason: str,
    until: Optional[datetime],
) -> Optional[Lock]: ...
def remove_lock(path: Optional[Path], flag_key: str) -> Optional[Lock]: ...
def next_logs() -> Optional[Tuple[List[Tuple[int, str]], int]]: ...
def stop_logs() -> None: ...
def waiting() -> int: ...
def before_fork() -> None: ...
def after_fork_in_parent() -> None: ...
def after_fork_in_child() -> None: ...
