"""Ids for asks: UUID version 7, so that what is made later sorts later."""

import os
import time

_last = 0


def new_id() -> str:
    """A fresh lower-case UUIDv7 of 36 characters, greater than every one made before in this process."""
    global _last
    # 48 bits of milliseconds and 12 of fraction make one number that only grows, also when the clock steps back.
    now = time.time_ns() * 4096 // 1_000_000
    _last = max(now, _last + 1)
    milliseconds, fraction = _last >> 12, _last & 0xFFF
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
