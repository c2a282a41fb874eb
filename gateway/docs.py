"""Writes what the documents say about the code: `python -m gateway.docs`; with `--check` it only looks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import fields

from chat.access import AGENTS, CONTACT, OURSELVES, PARTICIPANTS, STAFF
from chat.catalog import COMMANDS, SIGNALS, Command, Signalling
from chat.clock import SystemClock
from chat.errors import REFUSALS
from chat.model import TEXT_LIMIT, Ask
from chat.store.migrate import migrate
from chat.store.sqlite import SqliteStore
from gateway import metrics, protocol, settings
from gateway.api.openapi import WHO
from gateway.api.route import Operation, operations
from gateway.app import Shopbell

DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True, slots=True)
class Part:
    """What stands in a document between `<!-- begin NAME -->` and `<!-- end NAME -->`."""

    file: str
    name: str
    write: Callable[[], str]


def settings_table() -> str:
    rows = (
        (
            f"`{line.variable}`" + (f", `{line.platform}`" if line.platform else ""),
            f"`{line.default}`" if line.default else "",
            line.help,
        )
        for line in settings.TABLE
    )
    return table(("Variable", "Default", "What it is"), rows)


def metrics_table() -> str:
    rows = (
        (f"`{line.exposed}`", line.kind.__name__.lower(), ", ".join(line.labels), line.help) for line in metrics.TABLE
    )
    return table(("Name", "Kind", "Labels", "What it says"), rows)


def asks_table() -> str:
    rows = [
        (f"`{kind.name}`", _who(kind), _fields(kind.shape), _first_sentence(kind.shape))
        for kind in (*COMMANDS, *SIGNALS)
    ]
    return table(("Ask", "Who", "Fields", "What it says"), rows)


def _who(kind: Command | Signalling) -> str:
    return _WHO[kind.may - OURSELVES]


_WHO = {
    CONTACT: "contacts",
    PARTICIPANTS: "everyone",
    STAFF: "staff and bots",
    AGENTS: "agents",
    frozenset(): "the service itself",
}


def _fields(shape: type[Ask]) -> str:
    """The fields of an ask but `ref`, those that may be left out with a question mark."""
    named = [(field.name, field.required) for field in fields(shape) if field.name != "ref"]
    return ", ".join(f"`{name}`" if required else f"`{name}`?" for name, required in named)


def _first_sentence(shape: type[Ask]) -> str:
    return (shape.__doc__ or "").split("\n")[0]


def closes_table() -> str:
    rows = ((f"`{code.value}`", code.name.lower(), protocol.CLOSE_MEANINGS[code]) for code in protocol.CloseCode)
    return table(("Code", "Name", "When"), rows)


def api_table() -> str:
    rows = ((f"`{each.method}`", f"`{each.path}`", WHO[each.who], each.summary) for each in _operations())
    return table(("Method", "Path", "For", "What it does"), rows)


@cache
def _operations() -> tuple[Operation, ...]:
    """What a node serves: the routes of one that never runs, on an empty database."""

    async def build(folder: str) -> tuple[Operation, ...]:
        chosen = settings.read({"SHOPBELL_DATA": folder})
        migrate(chosen.store)
        store = SqliteStore.open(chosen.store_path)
        try:
            return tuple(operations(Shopbell(chosen, store, SystemClock()).routes))
        finally:
            await store.close()

    # In a thread, as whoever wants the documents may have a loop of its own.
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(build(folder))).result()


def refusals_table() -> str:
    rows = ((f"`{refusal.code}`", "yes" if refusal.retry else "no", refusal.says) for refusal in REFUSALS)
    return table(("Code", "Retry", "What it says"), rows)


def limits_table() -> str:
    rows = (
        (
            "`frame`",
            f"{protocol.FRAME_LIMIT:,}",
            f"bytes of a client's frame; nested at most {protocol.DEPTH_LIMIT} deep",
        ),
        ("`text`", f"{TEXT_LIMIT:,}", "characters of a message or note; U+0000 is refused everywhere"),
        ("`watch`", str(protocol.WATCH_LIMIT), "conversations named in one `watch`"),
        (
            "`inflight`",
            f"{protocol.INFLIGHT_STAFF} / {protocol.INFLIGHT_CONTACT}",
            "unanswered asks of staff / of a contact",
        ),
    )
    return table(("Name in welcome", "Default", "Of what"), rows)


PARTS = (
    Part("protocol.md", "asks", asks_table),
    Part("protocol.md", "closes", closes_table),
    Part("protocol.md", "refusals", refusals_table),
    Part("protocol.md", "limits", limits_table),
    Part("api.md", "operations", api_table),
    Part("settings.md", "settings", settings_table),
    Part("metrics.md", "metrics", metrics_table),
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def renewed(text: str, part: Part) -> str:
    """The document with this part written anew. ValueError if it has no place for it."""
    begin, end = f"<!-- begin {part.name} -->\n", f"\n<!-- end {part.name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"docs/{part.file} has no place for {part.name!r}: `{begin.strip()}` … `{end.strip()}`")
    return before + begin + part.write() + end + after


def stale(folder: Path = DOCS) -> dict[Path, str]:
    """The documents that don't say what the code says, with what they should be."""
    texts: dict[Path, str] = {}
    for part in PARTS:
        path = folder / part.file
        texts[path] = renewed(texts.get(path) or path.read_text(), part)
    return {path: text for path, text in texts.items() if path.read_text() != text}


def main(arguments: Sequence[str]) -> int:
    found = stale()
    for path, text in found.items():
        sys.stdout.write(f"{path.name}\n")
        if "--check" not in arguments:
            path.write_text(text)
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
