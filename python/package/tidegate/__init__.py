"""Feature flags and gradual rollouts, read from memory.

    from tidegate import Tidegate

    with Tidegate.http("https://example.com/flags.json", cache_name="checkout") as tide:
        if tide.is_active_for("shop/new_cart", "user-17"):
            ...

A program that uses slowroll changes one line: ``from tidegate.slowroll import SlowrollConfig``.
"""

from ._errors import (
    CloseTimeout,
    ConnectError,
    DocumentError,
    LockError,
    SourceError,
    TidegateError,
)
from ._instance import Changes, Fetched, Subscription, Tidegate, check
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
    "CacheStatus",
    "Changes",
    "ClockOffset",
    "CloseTimeout",
    "ConnectError",
    "Diagnostic",
    "DocumentError",
    "Explanation",
    "Fetched",
    "Flag",
    "Flips",
    "Lock",
    "LockError",
    "LocksStatus",
    "ManualClock",
    "Misreads",
    "Passed",
    "Poisoned",
    "Refusal",
    "Shadowed",
    "SourceError",
    "SourceTrouble",
    "Status",
    "Subscription",
    "Tidegate",
    "TidegateError",
    "View",
    "__version__",
    "check",
]
