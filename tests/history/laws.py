"""The laws L1-L8, and whether a history keeps them.

L1  every message that got `ok` is stored exactly once, and stands in every participant's final view
L2  no entry exists twice
L3  per socket, seq never goes back after `synced`, and what arrived is what the store has for that stretch
L4  everybody agrees with the store on id, seq, author and words
L5  a sender's entries are stored in the order in which they were sent
L6  nothing reaches a reader who may not see it, or who is shut out
L7  an ask without an answer is stored once or not at all; a refused one isn't stored
L8  agents are told who is here, in time and without a flap
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.history.log import Event, Log
from tests.history.presence import Bounds, presence
from tests.history.reading import read
from tests.history.stored import Row, Stored

WORDS = ("conversation.start", "message.send", "note.add")  # asks that always write an entry under their own id

Acked = dict[str, list[Event]]


@dataclass(slots=True)
class Verdict:
    """What the checker found: sentences for people, and how much was looked at."""

    violations: list[str]
    counts: Counter[str]
    stories: list[str] = field(default_factory=list)  # of the first readers whose history is unsound

    def __str__(self) -> str:
        counted = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        return "\n".join([*self.stories[:3], *self.violations[:20], f"{len(self.violations)} violations; {counted}"])


def check(history: Sequence[Log], store: Stored, faults: int = 0, *, presence_bounds: Bounds | None = None) -> Verdict:
    """Hold histories against the store.

    Final views are checked of the clients that are synced when their log ends; let things go quiet first. How many
    were not is counted as `asleep`. `faults` is only handed through into the counts. L8 is looked at only when it is
    said how soon it is to hold.
    """
    acked: Acked = defaultdict(list)
    for log in history:
        for event in log.events:
            if event.what == "ok" and event.id:
                acked[event.id].append(event)
    counts = Counter(faults=faults, entries=len(store.rows), conversations=len(store.conversations))
    stories: list[str] = []
    violations = [*_stored_twice(store), *_answers(acked, store)]
    for log in history:
        reading = read(log, store)
        violations += reading.violations
        stories += [log.story(conversation) for conversation in dict.fromkeys(reading.suspects)]
        violations += _sent_in_order(log, store)
        violations += _refused(log, store, acked)
        counts.update(_counted(log))
        counts["asleep"] += not reading.is_live
    if presence_bounds is not None:
        violations += presence(history, presence_bounds)
    return Verdict(violations, counts, stories)


def _stored_twice(store: Stored) -> Iterator[str]:
    for id, rows in store.by_id.items():
        births = [row for row in rows if row.seq == row.born]
        if len(births) != 1:
            yield f"L2 entry {id} was born {len(births)} times in the store"
        if len({row.seq for row in rows}) != len(rows):
            yield f"L2 entry {id} is stored twice with one seq"


def _answers(acked: Acked, store: Stored) -> Iterator[str]:
    for id, oks in acked.items():
        row = store.born(id)
        if row is None:
            if any(ok.detail in WORDS for ok in oks):
                yield f"L1 {id} got ok (seq {oks[0].seq} of {oks[0].conversation}) and the store doesn't have it"
            continue
        for ok in oks:
            if (ok.conversation, ok.seq) != (row.conversation, row.seq):
                yield (
                    f"L4 ok says that {id} is seq {ok.seq} of {ok.conversation}, "
                    f"the store says {row.seq} of {row.conversation}"
                )


def _sent_in_order(log: Log, store: Stored) -> Iterator[str]:
    last: dict[str, Row] = {}
    for id in dict.fromkeys(event.id for event in log.events if event.what == "said" and event.detail in WORDS):
        row = store.born(id)
        if row is None:
            continue
        before = last.get(row.conversation)
        if before is not None and before.born >= row.born:
            yield (
                f"L5 {log.name} sent {before.id} before {row.id}, "
                f"but they stand as {before.born} and {row.born} in {row.conversation}"
            )
        last[row.conversation] = row


def _refused(log: Log, store: Stored, acked: Acked) -> Iterator[str]:
    for event in log.events:
        # With `id_reused` the id belongs to another ask, which is stored rightly.
        if event.what != "refused" or event.flag or not event.id or event.detail == "id_reused":
            continue
        if event.id not in acked and store.born(event.id) is not None:
            yield f"L7 {log.name} was refused {event.id} ({event.detail}), but the store has it"


def _counted(log: Log) -> Counter[str]:
    counts: Counter[str] = Counter()
    said = [event for event in log.events if event.what == "said"]
    sends = [event.id for event in said if event.detail in WORDS]
    counts["sends"] = len(set(sends))
    counts["resends"] = len(sends) - counts["sends"]
    counts["resumes"] = sum(event.flag for event in said if event.detail == "hello")
    for event in log.events:
        if event.what in ("connected", "ok", "reset", "change", "snapshot", "presence"):
            counts[event.what] += 1
        if event.what == "ok" and event.flag:
            counts["again"] += 1
        if event.what == "refused":
            counts["retried" if event.flag else "refused"] += 1
    return counts
