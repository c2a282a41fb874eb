"""What comes out: figures with their bars, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured value: the median of its rounds. `bar` is the most it may be."""

    scenario: str
    name: str
    unit: str
    rounds: list[float] = field(default_factory=list)
    bar: float | None = None

    @property
    def value(self) -> float:
        return median(self.rounds)

    @property
    def holds(self) -> bool:
        return self.bar is None or self.value <= self.bar

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "value": self.value, "holds": self.holds}


def figure(scenario: str, name: str, unit: str, rounds: Sequence[float], bar: float | None = None) -> Figure:
    return Figure(scenario, name, unit, list(rounds), bar)


def table(figures: Sequence[Figure]) -> str:
    """One line each: what, how much, which bar, and how far the rounds lie apart."""
    rows = [("", "figure", "value", "unit", "at most", "rounds")]
    for each in figures:
        verdict = "" if each.bar is None else "ok" if each.holds else "MISSED"
        bar = "" if each.bar is None else shown(each.bar)
        spread = " ".join(map(shown, each.rounds)) if len(each.rounds) > 1 else ""
        rows.append((verdict, f"{each.scenario}: {each.name}", shown(each.value), each.unit, bar, spread))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:>{widths[2]}} {row[3]:<{widths[3]}}"
        f"  {row[4]:>{widths[4]}}  {row[5]}".rstrip()
        for row in rows
    )


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
