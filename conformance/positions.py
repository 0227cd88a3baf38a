"""Positions: where a key falls on the line of 2^32 places. Python's standard library only."""

import hashlib
import struct

M32 = 0xFFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF


def position(algorithm: str, salt: str, key: str) -> int:
    """The place of `key` by `algorithm` (`sha1`, `xxh3`, `murmur3`) and `salt`, 0 .. 2^32 - 1."""
    salt_bytes, key_bytes = salt.encode(), key.encode()
    if algorithm == "sha1":
        return int.from_bytes(hashlib.sha1(salt_bytes + key_bytes).digest()[-4:], "big")
    if algorithm == "xxh3":
        return xxh3_64(key_bytes, xxh3_64(salt_bytes, 0)) >> 32
    if algorithm == "murmur3":
        return murmur3_x86_32(salt_bytes + key_bytes, 0)
    raise ValueError(f"no algorithm `{algorithm}`")


# ---- murmur3_x86_32 -------------------------------------------------------------------------------------------------


def murmur3_x86_32(data: bytes, seed: int) -> int:
    def scramble(k: int) -> int:
        k = k * 0xCC9E2D51 & M32
        k = (k << 15 | k >> 17) & M32
        return k * 0x1B873593 & M32

    h = seed
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[at : at + 4], "little"))
        h = (h << 13 | h >> 19) & M32
        h = (h * 5 + 0xE6546B64) & M32
    if whole < len(data):
        h ^= scramble(int.from_bytes(data[whole:], "little"))
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & M32
    h = (h ^ h >> 13) * 0xC2B2AE35 & M32
    return h ^ h >> 16


# ---- XXH3-64 --------------------------------------------------------------------------------------------------------

P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
PMX_1, PMX_2 = 0x165667919E3779F9, 0x9FB21C651E98DF25

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)


def u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def fold(a: int, b: int) -> int:
    product = a * b
    return (product & M64) ^ product >> 64


def avalanche(h: int) -> int:
    h = (h ^ h >> 37) * PMX_1 & M64
    return h ^ h >> 32


def avalanche_64(h: int) -> int:
    h = (h ^ h >> 33) * P64_2 & M64
    h = (h ^ h >> 29) * P64_3 & M64
    return h ^ h >> 32


def mix_16(data: bytes, at: int, secret: bytes, from_: int, seed: int) -> int:
    return fold(
        u64(data, at) ^ (u64(secret, from_) + seed & M64),
        u64(data, at + 8) ^ (u64(secret, from_ + 8) - seed & M64),
    )


def xxh3_64(data: bytes, seed: int) -> int:
    n = len(data)
    if n == 0:
        return avalanche_64(seed ^ u64(SECRET, 56) ^ u64(SECRET, 64))
    if n <= 3:
        joined = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        return avalanche_64(joined ^ ((u32(SECRET, 0) ^ u32(SECRET, 4)) + seed & M64))
    if n <= 8:
        seed ^= int.from_bytes((seed & M32).to_bytes(4, "little"), "big") << 32
        joined = u32(data, n - 4) + (u32(data, 0) << 32)
        h = joined ^ ((u64(SECRET, 8) ^ u64(SECRET, 16)) - seed & M64)
        h ^= rotate(h, 49) ^ rotate(h, 24)
        h = h * PMX_2 & M64
        h ^= (h >> 35) + n
        h = h * PMX_2 & M64
        return h ^ h >> 28
    if n <= 16:
        low = u64(data, 0) ^ ((u64(SECRET, 24) ^ u64(SECRET, 32)) + seed & M64)
        high = u64(data, n - 8) ^ ((u64(SECRET, 40) ^ u64(SECRET, 48)) - seed & M64)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return avalanche(n + swapped + high + fold(low, high) & M64)
    if n <= 128:
        total = n * P64_1 & M64
        for pair in range((n - 1) // 32, -1, -1):
            total += mix_16(data, 16 * pair, SECRET, 32 * pair, seed)
            total += mix_16(data, n - 16 * (pair + 1), SECRET, 32 * pair + 16, seed)
        return avalanche(total & M64)
    if n <= 240:
        total = n * P64_1 & M64
        for lane in range(8):
            total += mix_16(data, 16 * lane, SECRET, 16 * lane, seed)
        total = avalanche(total & M64)
        for lane in range(8, n // 16):
            total += mix_16(data, 16 * lane, SECRET, 16 * (lane - 8) + 3, seed)
        total += mix_16(data, n - 16, SECRET, 136 - 17, seed)
        return avalanche(total & M64)
    return xxh3_64_long(data, seed)


def rotate(h: int, by: int) -> int:
    return (h << by | h >> 64 - by) & M64


def xxh3_64_long(data: bytes, seed: int) -> int:
    secret = b"".join(
        struct.pack("<QQ", u64(SECRET, at) + seed & M64, u64(SECRET, at + 8) - seed & M64)
        for at in range(0, len(SECRET), 16)
    )
    lanes = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    stripes_per_block = (len(secret) - 64) // 8
    block_bytes = 64 * stripes_per_block

    def accumulate(at: int, from_: int) -> None:
        for lane in range(8):
            value = u64(data, at + 8 * lane)
            keyed = value ^ u64(secret, from_ + 8 * lane)
            lanes[lane ^ 1] = lanes[lane ^ 1] + value & M64
            lanes[lane] = lanes[lane] + (keyed & M32) * (keyed >> 32) & M64

    blocks = (len(data) - 1) // block_bytes
    for block in range(blocks):
        for stripe in range(stripes_per_block):
            accumulate(block * block_bytes + 64 * stripe, 8 * stripe)
        for lane in range(8):
            h = lanes[lane]
            h ^= h >> 47
            h ^= u64(secret, len(secret) - 64 + 8 * lane)
            lanes[lane] = h * P32_1 & M64
    for stripe in range((len(data) - 1 - block_bytes * blocks) // 64):
        accumulate(block_bytes * blocks + 64 * stripe, 8 * stripe)
    accumulate(len(data) - 64, len(secret) - 64 - 7)

    total = len(data) * P64_1 & M64
    for pair in range(4):
        at = 11 + 16 * pair
        total += fold(lanes[2 * pair] ^ u64(secret, at), lanes[2 * pair + 1] ^ u64(secret, at + 8))
    return avalanche(total & M64)
