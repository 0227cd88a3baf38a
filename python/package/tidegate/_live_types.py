"""What the library reports of live changes, as dataclasses. Their fields have the names of the JSON that the command line and the
server write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Optional, Tuple


@dataclass(frozen=True)
class NodeName:
    """A node, and what people call it; no name where that is unknown."""

    id: str
    name: Optional[str]


@dataclass(frozen=True)
class OutrankedBy:
    """A node on which another change of the flag counts for more than the one that was made."""

    on: NodeName
    stamp: str
    by: NodeName
    quarantined: bool


@dataclass(frozen=True)
class UnreachedPeer:
    """A configured address at which no node is connected, and why."""

    address: str
    problem: str


@dataclass(frozen=True)
class RedisReceipt:
    """What Redis has said of a change."""

    acknowledged: bool
    appendfsync: Optional[str]
    replicas: int
    problem: Optional[str]


@dataclass(frozen=True)
class Effect:
    """What a change did here: the percentage of keys with ``new`` before and after; none where callers have their own defaults."""

    from_: Optional[float]
    to: Optional[float]


@dataclass(frozen=True)
class Receipt:
    """A change that stands: from now on it is part of what all agree on.

    ``reached`` says whether the level ``ack`` was reached in time. If not, the change stands all the same, on the members in
    ``durable_on`` at least, and comes to the others when they can be reached.
    """

    flag: str
    stamp: str
    at: datetime
    ack: str
    outranked: Tuple[OutrankedBy, ...]
    reached: bool
    durable_on: Tuple[NodeName, ...]
    pending: Tuple[NodeName, ...]
    unreached: Tuple[UnreachedPeer, ...]
    redis: Optional[RedisReceipt]
    effect: Effect
    created: bool


@dataclass(frozen=True)
class HistoryEntry:
    """One change of a flag. Its value is the activation or the entry; none where it was cleared or removed."""

    flag: str
    stamp: str
    at: datetime
    kind: str
    value: Any
    actor: str
    reason: str
    node: NodeName
    replaced: Optional[str]
    lost_to: Optional[str]


@dataclass(frozen=True)
class MissingChange:
    """A change of which this node knows that it was made, and no more."""

    flag: str
    stamp: str
    at: datetime
    known_to: Tuple[NodeName, ...]


@dataclass(frozen=True)
class HistoryPage:
    """What happened on this node, newest first. ``next`` is what to pass as ``before`` for the next page."""

    node: NodeName
    others: Tuple[NodeName, ...]
    missing: Tuple[MissingChange, ...]
    changes: Tuple[HistoryEntry, ...]
    next: Optional[str]


@dataclass(frozen=True)
class Record:
    """An activation or a definition, and who wrote it. Its value is none where it was cleared or removed."""

    stamp: str
    at: datetime
    value: Any
    actor: str
    reason: str
    node: NodeName


@dataclass(frozen=True)
class FlagRecord:
    """What live changes say of a flag. ``document`` is where the document comes from that defines it."""

    flag: str
    activation: Optional[Record]
    definition: Optional[Record]
    document: Optional[str]


@dataclass(frozen=True)
class ClusterProblem:
    """Something that is wrong: a word for programs, a text for people, and whether a person has to act."""

    code: str
    message: str
    needs_action: bool


@dataclass(frozen=True)
class NodeStatus:
    """This node."""

    id: str
    name: str
    cluster: str
    instance: str
    uptime_ms: int
    durable: bool
    folder: Optional[str]
    address: Optional[str]
    advertised: Optional[str]
    certificate_expires: Optional[datetime]
    epoch: int
    digest: str
    registers: int
    tombstones: int


@dataclass(frozen=True)
class PeerView:
    """Another node, as this one sees it."""

    id: str
    name: Optional[str]
    reachable: bool
    responsive: bool
    equal: Optional[bool]
    digest: Optional[str]
    clock_offset_ms: Optional[int]
    clock_off: bool
    heard_ms_ago: Optional[int]


@dataclass(frozen=True)
class MemberStatus:
    """A member of the cluster: a node with a data folder, of which majorities are counted."""

    id: str
    name: Optional[str]
    address: Optional[str]
    since: Optional[datetime]
    forgotten: bool
    silent: bool


@dataclass(frozen=True)
class AddressView:
    """An address at which this node looks for others."""

    address: str
    configured: bool
    node: Optional[NodeName]
    connected: bool
    cause: Optional[str]
    problem: Optional[str]
    failing_ms: Optional[int]


@dataclass(frozen=True)
class QuarantinedChange:
    """A change whose stamp lies too far in the future."""

    flag: Optional[str]
    kind: Optional[str]
    stamp: str
    at: Optional[datetime]
    node: NodeName
    from_: Optional[NodeName]


@dataclass(frozen=True)
class InapplicableChange:
    """A change that this version cannot make active."""

    flag: str
    kind: str
    problem: str


@dataclass(frozen=True)
class RedisStatus:
    """The Redis through which changes are shared."""

    url: str
    connected: bool
    unreachable_since: Optional[datetime]
    problem: Optional[str]
    appendfsync: Optional[str]
    replicas: int
    eviction: Optional[str]
    clock_offset_ms: Optional[int]
    registers: int
    waiting: int
    comparisons: int
    refilled: int
    received: int
    unreadable: int
    problems: Tuple[ClusterProblem, ...]


@dataclass(frozen=True)
class ClusterStatus:
    """The cluster as this node sees it. ``problems`` has all that is wrong, each once."""

    node: NodeStatus
    problems: Tuple[ClusterProblem, ...]
    writes_refused: Optional[str]
    isolated_since: Optional[datetime]
    peers: Tuple[PeerView, ...]
    members: Tuple[MemberStatus, ...]
    addresses: Tuple[AddressView, ...]
    quarantined: Tuple[QuarantinedChange, ...]
    quarantined_count: int
    inapplicable: Tuple[InapplicableChange, ...]
    shadowed: Tuple[str, ...]
    disk: Optional[str]
    redis: Optional[RedisStatus]
    damage: Tuple[str, ...]
    messages_dropped: int
    messages_refused: Dict[str, int]
    connections_refused: Dict[str, int]
    connections_pending: int
    link_problems: Tuple[str, ...]
    published: int


@dataclass(frozen=True)
class FollowPath:
    """A process on the way from the members to a follower."""

    id: str
    name: str


@dataclass(frozen=True)
class FollowStatus:
    """Whom a process follows, how old what it has is, and whether it agrees with its server."""

    server: str
    servers: Tuple[str, ...]
    is_connected: bool
    since: datetime
    age_seconds: Optional[float]
    path: Tuple[FollowPath, ...]
    position: Optional[str]
    digest: str
    is_equal: Optional[bool]
    registers: int
    newer: int
    changes: int
    snapshots: int
    differences: int
    lost_positions: int
    last_error: Optional[str]
    disk_error: Optional[str]
