"""What a load has PostgreSQL do: transactions, statements and bytes of the log, by message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.engines import Postgres

LIBRARY = "pg_stat_statements"
LINES = 25
WIDTH = 110
SETTLE = "SELECT pg_stat_force_next_flush()"

_TOTALS = """
    SELECT d.commits, w.wal_records, w.wal_fpi, w.wal_bytes, w.wal_write, w.wal_sync
    FROM pg_stat_wal w, (SELECT sum(xact_commit) AS commits FROM pg_stat_database) d"""
_NAMES = ("transactions", "log records", "whole pages in the log", "log bytes", "log writes", "log syncs")
_STATEMENTS = f"""
    SELECT queryid, calls, plans, total_exec_time, total_plan_time, rows, wal_bytes,
    regexp_replace(query, '\\s+', ' ', 'g') FROM {LIBRARY}"""


@dataclass(frozen=True)
class Spent:
    """Counted so far; of statements calls, plans, ms carried out, ms planned, rows, bytes of the log."""

    totals: dict[str, float]
    statements: dict[str, tuple[str, tuple[float, ...]]]


def prepare(postgres: Postgres) -> None:
    """Once, on a server with the library loaded."""
    postgres.rows(f"CREATE EXTENSION {LIBRARY}")


def spent(postgres: Postgres) -> Spent:
    (totals,) = postgres.rows(_TOTALS)
    statements: dict[str, tuple[str, tuple[float, ...]]] = {}
    for query, *numbers, text in postgres.rows(_STATEMENTS):
        before = statements.get(query, ("", (0.0,) * len(numbers)))[1]
        statements[query] = (text, tuple(was + float(more) for was, more in zip(before, numbers, strict=True)))
    return Spent(dict(zip(_NAMES, map(float, totals), strict=True)), statements)


def print_spending(before: Spent, after: Spent, messages: int) -> None:
    """By message and by statement, the dearest first."""
    print("\nPostgreSQL, per 1,000 messages")
    for name, value in after.totals.items():
        print(f"{(value - before.totals[name]) * 1000 / messages:12,.1f}  {name}")
    print("   calls    plans      rows   exec ms   plan ms  log bytes  per 1,000 messages")
    for text, numbers in sorted(_grown(before, after), key=lambda each: -each[1][2] - each[1][3])[:LINES]:
        calls, plans, executing, planning, rows, log = (number * 1000 / messages for number in numbers)
        row = f"{calls:8.1f} {plans:8.1f} {rows:9.1f} {executing:9.2f} {planning:9.2f} {log:10,.0f}"
        print(f"{row}  {re.sub(r'  +', ' ', text)[:WIDTH]}")


def _grown(before: Spent, after: Spent) -> list[tuple[str, list[float]]]:
    return [
        (text, [now - was for now, was in zip(numbers, _numbers(before.statements, query, len(numbers)), strict=True)])
        for query, (text, numbers) in after.statements.items()
    ]


def _numbers(statements: Mapping[str, tuple[str, tuple[float, ...]]], query: str, count: int) -> tuple[float, ...]:
    return statements[query][1] if query in statements else (0.0,) * count
