"""Times, durations and percentages as documents write them. Python's standard library only.

`ValueError` means that the text is refused.
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

LINE = 1 << 32
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
MIN, MAX = -62_135_596_800_000_000, 253_402_300_799_999_999  # years 1 to 9999
UNITS = {"w": 604_800_000_000, "d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000}


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` to the nearest integer, a half to the even one. `denominator` > 0."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


def percent(text: str) -> int:
    """A percentage to places of the line: 0 .. 2^32."""
    if not re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", text):
        raise ValueError(f"`{text}` is no number")
    try:
        millionths = Decimal(text).scaleb(6)
    except ArithmeticError as error:
        raise ValueError(f"`{text}` is no number") from error
    if not 0 <= millionths <= 100_000_000:
        raise ValueError(f"`{text}` is not from 0 to 100")
    if millionths != int(millionths):
        raise ValueError(f"`{text}` has more than six decimals")
    return divide_half_even(int(millionths) * LINE, 100_000_000)


def duration(text: str) -> int:
    """A duration to microseconds. The only place with a double: each number is read as one."""
    part = re.compile(r"([0-9.]+)[ \t\n\r]*(ms|[wdhms])[ \t\n\r]*")
    rest, seen, total = text.strip(" \t\n\r"), set(), Fraction(0)
    if not rest:
        raise ValueError("nothing there")
    while rest:
        match = part.match(rest)
        if not match or match[2] in seen:
            raise ValueError(f"`{rest}` is no duration")
        seen.add(match[2])
        number = float(match[1])
        whole = int(number)
        total += whole * UNITS[match[2]] + Fraction((number - whole) * UNITS[match[2]])
        rest = rest[match.end() :]
    return divide_half_even(total.numerator, total.denominator)


SLOWROLL = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2}| [1-9])[ \t]+([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]{1,6}))?)?[Zz]"
)
RFC_3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})0*)?)?"
    r"([Zz]|[-+][0-9]{2}:[0-9]{2})"
)


def time(text: str) -> int:
    """A time to microseconds since the Unix epoch."""
    match = SLOWROLL.fullmatch(text) or RFC_3339.fullmatch(text)
    if not match:
        raise ValueError(f"`{text}` is no time with a zone")
    year, month, day, hour, minute = (int(match[i]) for i in range(1, 6))
    fraction = int((match[7] or "").ljust(6, "0"))
    instant = (datetime(year, month, day, hour, minute, int(match[6] or 0), fraction) - EPOCH) // MICROSECOND
    zone = match[8] if match.re is RFC_3339 else "Z"
    if zone not in ("Z", "z"):
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            raise ValueError(f"`{zone}` is no offset")
        offset = (hours * 60 + minutes) * 60_000_000
        instant += offset if zone[0] == "-" else -offset
    return instant


def show_time(instant: int) -> str:
    """RFC 3339 in UTC with six digits: how the vectors write instants."""
    moment = EPOCH + timedelta(microseconds=instant)
    return moment.isoformat(timespec="microseconds") + "Z"


def flag_key(text: str) -> tuple[str, str]:
    """A flag key to section and flag: split at the first `/`, the section unescaped; `flags` where there is none."""
    if "/" not in text:
        return "flags", text
    section, flag = text.split("/", 1)
    return section.replace("%2F", "/").replace("%25", "%"), flag


def show_flag_key(section: str, flag: str) -> str:
    """The canonical flag key."""
    return section.replace("%", "%25").replace("/", "%2F") + "/" + flag
