"""An epoch names a history: it is kept while nothing is lost, and who was told of another begins anew."""

from __future__ import annotations

import pytest

from chat.store.epochs import KEPT, Epochs, Seen, first, is_lost, read, written

E3 = Epochs("e3", ("e1", "e2"))


@pytest.mark.parametrize(
    ("heads", "seen", "answer"),
    [
        (10, None, False),  # a new node
        (10, Seen(10, "e3"), False),
        (11, Seen(10, "e3"), False),
        (9, Seen(10, "e3"), True),
        (9, Seen(10), True),  # noted by an older version
        (10, Seen(10), False),
        (9, Seen(10, "e2"), False),  # another node has noticed, and begun the third
        (10, Seen(9, "e4"), True),  # a copy from before the fourth
    ],
)
def test_history_is_lost_where_less_is_there_than_was_seen(heads: int, seen: Seen | None, answer: bool) -> None:
    assert is_lost(E3, heads, seen) == answer


def test_a_new_epoch_knows_those_before_it() -> None:
    epochs = E3.renewed()

    assert not E3.know(epochs.current)
    assert [epochs.know(epoch) for epoch in ("e1", "e2", "e3", epochs.current, "e4")] == [True] * 4 + [False]


def test_the_oldest_are_forgotten() -> None:
    epochs = first()
    for _ in range(KEPT + 5):
        epochs = epochs.renewed()

    assert len(epochs.older) == KEPT


def test_it_is_read_as_it_was_written() -> None:
    assert read(written(E3)) == E3
    assert read({"epoch": "e1"}) == Epochs("e1")  # as older versions wrote it
    assert read({}) is None
