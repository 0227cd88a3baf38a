"""Feature flags and gradual rollouts, read from memory.

    from tidegate import Tidegate

    with Tidegate.http("https://example.com/flags.json", cache_name="checkout") as tide:
        if tide.is_active_for("shop/new_cart", "user-17"):
            ...

``Tidegate.follow`` follows a server, and ``Tidegate.live`` takes live changes:

    tide = Tidegate.live("/var/lib/checkout/flags")
    tide.activate("shop/new_cart", actor="dana", reason="ready")

A program that uses slowroll changes one line: ``from tidegate.slowroll import SlowrollConfig``.
"""

from ._errors import (
    ChangeError,
    CloseTimeout,
    ClusterError,
    ConflictError,
    ConnectError,
    DocumentError,
    InvalidChangeError,
    LockError,
    NotLiveError,
    SourceError,
    TidegateError,
    UnknownFlagError,
)
from ._instance import Changes, Fetched, Subscription, Tidegate, check
from ._live_types import (
    AddressView,
    ClusterProblem,
    ClusterStatus,
    Effect,
    FlagRecord,
    FollowPath,
    FollowStatus,
    HistoryEntry,
    HistoryPage,
    InapplicableChange,
    MemberStatus,
    MissingChange,
    NodeName,
    NodeStatus,
    OutrankedBy,
    PeerView,
    QuarantinedChange,
    Receipt,
    Record,
    RedisReceipt,
    RedisStatus,
    UnreachedPeer,
)
from ._native import Flag, ManualClock, View, __version__
from ._types import (
    CacheStatus,
    ClockOffset,
    Diagnostic,
    Explanation,
    Flips,
    Lock,
    LocksStatus,
    Misreads,
    Passed,
    Poisoned,
    Refusal,
    Shadowed,
    SourceTrouble,
    Status,
)

__all__ = [
    "AddressView",
    "CacheStatus",
    "ChangeError",
    "Changes",
    "ClockOffset",
    "CloseTimeout",
    "ClusterError",
    "ClusterProblem",
    "ClusterStatus",
    "ConflictError",
    "ConnectError",
    "Diagnostic",
    "DocumentError",
    "Effect",
    "Explanation",
    "Fetched",
    "Flag",
    "FlagRecord",
    "Flips",
    "FollowPath",
    "FollowStatus",
    "HistoryEntry",
    "HistoryPage",
    "InapplicableChange",
    "InvalidChangeError",
    "Lock",
    "LockError",
    "LocksStatus",
    "ManualClock",
    "MemberStatus",
    "Misreads",
    "MissingChange",
    "NodeName",
    "NodeStatus",
    "NotLiveError",
    "OutrankedBy",
    "Passed",
    "PeerView",
    "Poisoned",
    "QuarantinedChange",
    "Receipt",
    "Record",
    "RedisReceipt",
    "RedisStatus",
    "Refusal",
    "Shadowed",
    "SourceError",
    "SourceTrouble",
    "Status",
    "Subscription",
    "Tidegate",
    "TidegateError",
    "UnknownFlagError",
    "UnreachedPeer",
    "View",
    "__version__",
    "check",
]
