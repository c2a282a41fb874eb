"""Writes what the documents say about the code: `python -m gateway.docs`; with `--check` it only looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import metrics, settings

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


PARTS = (
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
