"""What the store holds of a test's conversation, read past a server that has ended."""

from tests.chaos.server import Server
from tests.history import Row, read_sqlite


def stored(server: Server) -> list[Row]:
    """The entries of the newest conversation, each as it was born, in the order of the ledger."""
    store = read_sqlite(server.database)
    conversation = store.rows[-1].conversation
    return [row for row in store.by_conversation[conversation] if row.seq == row.born]


def said(server: Server, *kinds: str) -> list[str]:
    """The words of these kinds of entries, by default of messages."""
    return [row.text for row in stored(server) if row.kind in (kinds or ("message",))]
