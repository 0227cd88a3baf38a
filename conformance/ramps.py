"""Ramps: the share as a function of time, and the flips of positions. Exact integers throughout.

Instants and durations are microseconds, shares and positions places of the line (1/2^32).
"""

from dataclasses import dataclass, field

from units import divide_half_even, duration, percent, time


FOREVER = 1 << 70


@dataclass
class Rollback:
    start: int
    duration: int
    to: int

    @property
    def end(self) -> int:
        return self.start + self.duration


@dataclass
class Lease:
    """The ramp's own clock. `fresh`: the instant of the last successful poll; `ramp`: where the ramp stood then."""

    duration: int
    fresh: int
    ramp: int

    def at(self, wall: int) -> int:
        """Where the ramp stands. Before the last successful poll, as a clock that was set back shows it: as far behind."""
        if wall <= self.fresh:
            return self.ramp - (self.fresh - wall)
        reach = min(wall, self.fresh + self.duration)
        return min(reach, self.ramp + 2 * (reach - self.fresh))

    def at_rollback(self, start: int) -> int:
        """Where the ramp stood when a rollback started: no share was higher than at the next poll."""
        return min(start, self.ramp) if start < self.fresh else self.at(start)

    def seen(self, now: int) -> "Lease":
        """The clock from `now` on, if each poll succeeds."""
        expired = now > self.fresh + self.duration
        return Lease(FOREVER, now, self.at(now)) if expired else Lease(FOREVER, self.fresh, self.ramp)

    def when(self, ramp: int, now: int) -> int:
        """The wall's instant at which the ramp stands at `ramp`, seen at `now`."""
        seen = self.seen(now) if ramp > self.at(now) else self
        if ramp <= seen.ramp:
            return ramp
        return max(ramp, seen.fresh + (ramp - seen.ramp + 1) // 2)

    def after_poll(self, now: int) -> "Lease":
        """The clock after a successful poll at `now`."""
        return Lease(self.duration, now, self.at(now))


@dataclass
class Ramp:
    points: list[tuple[int, int]] = field(default_factory=list)
    rollback: Rollback | None = None

    # -- the rising part, by the ramp's own clock

    def stretches(self):
        """Each rise as (t0, s0, t1, s1); the jump to the first point rises from 0."""
        before = (self.points[0][0], 0) if self.points else None
        for point in self.points:
            if point[1] > before[1]:
                yield (*before, *point)
            before = point

    def rise(self, position: int) -> int | None:
        """The instant at which `position` comes to `new` by the ramp alone: with the division."""
        for t0, s0, t1, s1 in self.stretches():
            if s0 <= position < s1:
                return t0 + divide_half_even((t1 - t0) * (position - s0), s1 - s0)
        return None

    def risen(self, ramp: int) -> int:
        """How many positions have come to `new` at `ramp`: counted without the division of `rise`."""
        share = 0
        for t0, s0, t1, s1 in self.stretches():
            elapsed, length, rising = ramp - t0, t1 - t0, s1 - s0
            if elapsed < 0:
                break
            if length == 0:
                share = s1
                continue
            # k positions after s0 have flipped iff 2 D (k - 1) < (2n + 1) R, or equal and n even
            bound = (2 * elapsed + 1) * rising
            count = bound // (2 * length) + 1
            if bound % (2 * length) == 0 and elapsed % 2 == 1:
                count -= 1
            share = s0 + min(count, rising)
        return share

    # -- with the rollback, by the wall

    def rollback_from(self, clock) -> tuple[int, int]:
        """The shares between which the rollback falls."""
        top = self.risen(clock.at_rollback(self.rollback.start))
        return top, min(self.rollback.to, top)

    def share_at(self, wall: int, clock=None) -> int:
        clock = clock or Wall()
        back = self.rollback
        if back is None or wall < back.start:
            return self.risen(clock.at(wall))
        top, bottom = self.rollback_from(clock)
        elapsed, falling = wall - back.start, top - bottom
        if falling == 0 or elapsed >= back.duration:
            return bottom
        # the m-th from the top has left iff 2 D m < (2n + 1) R, or equal and n even
        bound = (2 * elapsed + 1) * falling
        left = bound // (2 * back.duration)
        if bound % (2 * back.duration) == 0 and elapsed % 2 == 1:
            left -= 1
        return top - min(left, falling)

    def moves(self, wall: int, clock=None) -> bool:
        """Whether a rise or a rollback is under way: from its first instant up to, not at, its last."""
        clock = clock or Wall()
        back = self.rollback
        if back is not None and wall >= back.start:
            top, bottom = self.rollback_from(clock)
            return top != bottom and wall < back.end
        return any(t0 <= clock.at(wall) < t1 for t0, _, t1, _ in self.stretches())

    def height(self, wall: int, clock=None) -> int:
        """The share as the line itself has it, to the nearest place, a half to the even one: what numbers between
        are taken at. Exact at every point, where the count of flipped positions is one ahead."""
        clock = clock or Wall()
        back = self.rollback
        if back is not None and wall >= back.start:
            top, bottom = self.rollback_from(clock)
            if wall >= back.end:
                return bottom
            return top - divide_half_even((wall - back.start) * (top - bottom), back.duration)
        ramp, share = clock.at(wall), 0
        for t0, s0, t1, s1 in self.stretches():
            if ramp < t0:
                break
            share = s1 if ramp >= t1 else s0 + divide_half_even((ramp - t0) * (s1 - s0), t1 - t0)
        return share

    def flips(self, position: int, clock=None, now: int = 0) -> tuple[int | None, int | None]:
        """When `position` comes to `new`, and when it leaves.

        `now` matters under a lease only: each poll from then on counts as successful.
        """
        clock = clock or Wall()
        rise = self.rise(position)
        on = None if rise is None else clock.when(rise, now)
        if self.rollback is None:
            return on, None
        top, bottom = self.rollback_from(clock.seen(now) if now < self.rollback.start else clock)
        if position >= top:
            return None, None
        if position < bottom:
            return on, None
        off = self.rollback.start + divide_half_even(self.rollback.duration * (top - position), top - bottom)
        return (None, None) if on == off else (on, off)


class Wall:
    """The clock of a ramp without a lease."""

    def at(self, wall: int) -> int:
        return wall

    def at_rollback(self, start: int) -> int:
        return start

    def seen(self, now: int) -> "Wall":
        return self

    def when(self, ramp: int, now: int) -> int:
        return ramp


# ---- from an entry to a ramp ----------------------------------------------------------------------------------------


def window(entry: dict) -> tuple[int, int] | None:
    """Start and end; two of three give the third."""
    start, end, length = entry.get("start_time"), entry.get("end_time"), entry.get("duration")
    start = None if start is None else time(start)
    end = None if end is None else time(end)
    length = None if length is None else duration(length)
    if [start, end, length].count(None) == 3:
        return None
    if [start, end, length].count(None) == 2:
        raise ValueError("one alone")
    if start is None:
        start = end - length
    if end is None:
        end = start + length
    if end < start or (length is not None and end - start != length):
        raise ValueError("they do not agree")
    return start, end


def exponential(start: int, end: int, low: int, high: int) -> list[tuple[int, int]]:
    if low == high:
        return [(start, low), (end, high)]
    doublings = 0
    while low << doublings < high:
        doublings += 1
    a = low << (doublings - 1)
    b = high - a
    length, whole = end - start, (doublings - 1) * a + b
    points = [(start + divide_half_even(k * length * a, whole), low << k) for k in range(doublings)]
    return [*points, (end, high)]


def stairs(entry: dict) -> list[tuple[int, int]]:
    steps = [
        (percent(str(step["pct"])), duration(step.get("over", "0s")), duration(step.get("hold", "0s")))
        for step in entry["steps"]
    ]
    length = sum(over + hold for _, over, hold in steps)
    start = time(entry["start_time"]) if "start_time" in entry else time(entry["end_time"]) - length
    if "end_time" in entry and start + length != time(entry["end_time"]):
        raise ValueError("they do not agree")
    at, share, points = start, 0, [(start, 0)]
    for high, over, hold in steps:
        if high < share:
            raise ValueError("falls")
        points += [(at + over, high), (at + over + hold, high)]
        at, share = at + over + hold, high
    return points


def ramp_of(entry: dict) -> Ramp:
    """The ramp of a document's entry."""
    if "steps" in entry:
        points = stairs(entry)
    elif (bounds := window(entry)) is None:
        points = []
    else:
        low, high = percent(str(entry.get("start_pct", 0))), percent(str(entry.get("end_pct", 100)))
        if low > high:
            raise ValueError("falls")
        if entry.get("curve", "linear") == "exponential":
            if low == 0:
                raise ValueError("nothing to double")
            points = exponential(*bounds, low, high)
        else:
            points = [(bounds[0], low), (bounds[1], high)]
    rollback = None
    if (back := entry.get("rollback")) is not None:
        rollback = Rollback(
            time(back["start_time"]), duration(back.get("duration", "0s")), percent(str(back.get("to_pct", 0)))
        )
    return Ramp(corners(points), rollback)


def corners(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The fewest points that say the same: share 0 before the first, the last share after the last."""
    kept: list[tuple[int, int]] = []
    for point in points:
        if len(kept) > 1 and (kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]):
            kept.pop()
        if not kept or kept[-1] != point:
            kept.append(point)
    while len(kept) > 1 and kept[-1][1] == kept[-2][1]:
        kept.pop()
    while len(kept) > 1 and kept[0][1] == 0 and (kept[1][1] == 0 or kept[1][0] == kept[0][0]):
        kept.pop(0)
    return [] if len(kept) == 1 and kept[0][1] == 0 else kept
