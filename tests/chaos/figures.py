"""Figures of a load: their spread, for people; and room for its sockets."""

from __future__ import annotations

import resource
from collections.abc import Sequence


def part(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies; 0.5: the median, 1: the greatest."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def spread(values: Sequence[float]) -> str:
    """Of seconds."""
    if not values:
        return "-"
    return " / ".join(f"{1000 * part(values, share):.0f}" for share in (0.5, 0.99, 1)) + " ms (p50 / p99 / max)"


def allow_files(wanted: int) -> None:
    """So many open files, here and in the nodes that are started from here, as far as the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted, hard)
        )
