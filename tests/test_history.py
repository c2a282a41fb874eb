"""The history checker finds what it is for: every law fires on a history that breaks it, and not on a sound one."""

from dataclasses import replace
from typing import Any, cast

import pytest

from bots.frames import Entry, Frame
from tests.history import Bounds, Event, Kept, Line, Log, Row, Stored, check, crossings, stored

CONVERSATION = "cnv_1"
KEPT = Kept(CONVERSATION, contact="con_1", assignee="agt_1", seq=4)
ROWS = [
    Row(CONVERSATION, "m1", 1, 1, "con_1", text="Hello"),
    Row(CONVERSATION, "c1", 2, 2, "agt_1", kind="activity"),
    Row(CONVERSATION, "n1", 3, 3, "agt_1", kind="note", audience="staff", text="VIP"),
    Row(CONVERSATION, "m2", 4, 4, "agt_1", text="Hi"),
]
STATE = {"id": CONVERSATION, "status": "open", "seq": 0}


def entry(row: Row, **changed: Any) -> Entry:
    kind = {"con": "contact", "agt": "agent"}[row.author[:3]]
    sent = {"id": row.id, "seq": row.seq, "born": row.born, "kind": row.kind, "at": 0, "text": row.text}
    sent |= {"author": {"kind": kind, "id": row.author}}
    sent |= {"audience": row.audience} if row.audience != "everyone" else {}
    return cast("Entry", sent | changed)


def hears(log: Log, **frame: Any) -> None:
    log.heard(cast("Frame", frame))


def hears_change(log: Log, *rows: Row, **changed: Any) -> None:
    frame = {"conversation": CONVERSATION, "seq": rows[-1].seq, "entries": [entry(row) for row in rows]} | changed
    hears(log, type="change", **frame)


def hears_snapshot(log: Log, *rows: Row, more: bool = False) -> None:
    state = STATE | {"seq": rows[-1].seq if rows else 0}
    entries = [entry(row) for row in rows]
    hears(log, type="snapshot", conversation=CONVERSATION, state=state, entries=entries, more=more)


def asks(log: Log, ref: int, id: str, type: str = "message.send") -> None:
    log.said({"type": type, "ref": ref, "id": id, "conversation": CONVERSATION})


def gets_ok(log: Log, ref: int, seq: int, **more: Any) -> None:
    hears(log, type="ok", ref=ref, conversation=CONVERSATION, seq=seq, **more)


def connects(log: Log, *held: str) -> None:
    log.connected()
    log.said({"type": "hello"} | ({"resume": {"watch": held}} if held else {}))


def a_shopper() -> Log:
    """It started the conversation and heard what it may."""
    log = Log("shopper", "con_1", "contact")
    connects(log)
    hears(log, type="synced")
    asks(log, 1, "m1", "conversation.start")
    gets_ok(log, 1, 1)
    hears_change(log, ROWS[0])
    hears_change(log, ROWS[1])
    hears_change(log, ROWS[3])
    return log


def an_agent(upto: int = 4) -> Log:
    """It came when the first message stood, claimed, noted, answered."""
    log = Log("agent", "agt_1", "agent")
    connects(log)
    hears_snapshot(log, ROWS[0])
    hears(log, type="synced")
    for ref, row in enumerate(ROWS[1:upto], 1):
        asks(log, ref, row.id, {"c": "conversation.claim", "n": "note.add", "m": "message.send"}[row.id[0]])
        gets_ok(log, ref, row.seq)
        hears_change(log, row)
    return log


def the_store(*rows: Row) -> Stored:
    return stored([KEPT], rows or ROWS)


def found(*logs: Log, store: Stored | None = None) -> list[str]:
    return check(logs, store or the_store()).violations


def laws(violations: list[str]) -> set[str]:
    return {violation[:2] for violation in violations}


def test_a_sound_history_breaks_no_law() -> None:
    verdict = check([a_shopper(), an_agent()], the_store(), faults=3)

    assert verdict.violations == []
    assert verdict.counts["sends"] == 3
    assert verdict.counts["ok"] == 4
    assert verdict.counts["faults"] == 3
    assert verdict.counts["asleep"] == 0


def test_a_resend_with_the_first_result_is_sound() -> None:
    shopper = a_shopper()
    shopper.disconnected(1006)
    connects(shopper, CONVERSATION)
    hears_change(shopper, ROWS[3])
    hears(shopper, type="synced")
    asks(shopper, 2, "m1", "conversation.start")
    gets_ok(shopper, 2, 1, again=True)

    verdict = check([shopper], the_store())

    assert verdict.violations == []
    assert (verdict.counts["resends"], verdict.counts["again"], verdict.counts["connected"]) == (1, 1, 2)


def test_l1_an_acknowledged_message_that_the_store_lost() -> None:
    violations = found(an_agent(), store=the_store(*ROWS[:3]))

    assert "L1 m2 got ok (seq 4 of cnv_1) and the store doesn't have it" in violations


def test_l1_a_participant_who_never_saw_the_last_message() -> None:
    shopper = a_shopper()
    shopper.events.pop()

    assert found(shopper) == ["L1 shopper never saw seq 4 of cnv_1 (m2, by agt_1)"]


def test_l1_a_watcher_who_never_saw_the_last_message() -> None:
    other = Log("other", "agt_2", "agent")
    connects(other)
    hears(other, type="synced")
    other.said({"type": "watch", "ref": 1, "conversations": [CONVERSATION]})
    hears(other, type="ok", ref=1)
    hears_snapshot(other, *ROWS[:3])

    assert found(other) == ["L1 other never saw seq 4 of cnv_1 (m2, by agt_1)"]


def test_l2_one_id_stored_twice() -> None:
    twice = replace(ROWS[0], seq=5, born=5)

    assert "L2 entry m1 was born 2 times in the store" in found(store=the_store(*ROWS, twice))


def test_l3_a_hole_in_a_stretch() -> None:
    agent = an_agent(upto=2)
    hears_change(agent, ROWS[3])

    violations = found(agent)

    assert "L3 agent's socket brought cnv_1 from 1 to 4 without seq 3 (n1)" in violations
    assert laws(violations) == {"L3"}


def test_l3_a_hole_that_a_later_resume_heals_is_still_one() -> None:
    agent = an_agent(upto=2)
    hears_change(agent, ROWS[3])
    agent.disconnected(1006)
    connects(agent, CONVERSATION)
    hears_change(agent, ROWS[2], ROWS[3])
    hears(agent, type="synced")

    assert found(agent) == ["L3 agent's socket brought cnv_1 from 1 to 4 without seq 3 (n1)"]


def test_l3_a_resume_that_brings_too_little() -> None:
    agent = an_agent(upto=2)
    agent.disconnected(1006)
    connects(agent, CONVERSATION)
    hears_change(agent, ROWS[3])
    hears(agent, type="synced")

    assert found(agent) == ["L3 agent holds cnv_1 up to 4 without seq 3 (n1)"]


@pytest.mark.parametrize("order", [(2, 3, 1), (1, 2, 3, 2), (1, 1, 2, 3)])
def test_l3_changes_out_of_order_or_twice(order: tuple[int, ...]) -> None:
    agent = an_agent(upto=0)
    for index in order:
        hears_change(agent, ROWS[index])

    violations = found(agent)

    assert laws(violations) == {"L3"}
    assert "went back" in violations[0]


@pytest.mark.parametrize(("code", "is_sound"), [(1000, True), (1006, False)])
def test_what_a_socket_that_was_left_had_brought_may_come_once_more(code: int, is_sound: bool) -> None:
    log = a_shopper()
    log.disconnected(code)
    connects(log, CONVERSATION)
    hears(log, type="synced")
    hears_change(log, ROWS[3])

    assert (found(log) == []) == is_sound


def test_l3_a_socket_that_goes_back_by_itself_after_a_move() -> None:
    log = a_shopper()
    log.disconnected(1000)
    connects(log, CONVERSATION)
    hears(log, type="synced")
    hears_change(log, ROWS[3])
    hears_change(log, ROWS[3])

    assert laws(found(log)) == {"L3"}


def test_what_a_hello_does_not_resume_must_come_as_a_snapshot() -> None:
    agent = an_agent(upto=2)
    agent.disconnected(1006)
    connects(agent)
    hears_change(agent, *ROWS[2:])
    hears(agent, type="synced")

    assert found(agent)[0] == "L3 agent heard seq 4 of cnv_1 without a snapshot before"


def test_staff_need_not_hear_of_what_was_resolved_before_it_came() -> None:
    agent = Log("agent", "agt_1", "agent")
    connects(agent)
    hears(agent, type="synced")

    assert found(agent, store=stored([replace(KEPT, status="resolved")], ROWS)) == []
    assert len(found(agent)) == len(ROWS)


def test_l3_a_snapshot_with_a_hole() -> None:
    agent = an_agent(upto=0)
    hears_snapshot(agent, ROWS[0], ROWS[1], ROWS[3])

    assert found(agent) == ["L3 agent holds cnv_1 up to 4 without seq 3 (n1)"]


def test_a_snapshot_that_leaves_older_entries_to_history_is_sound() -> None:
    agent = an_agent(upto=0)
    hears_snapshot(agent, *ROWS[2:], more=True)

    assert found(agent) == []


def test_l3_staff_that_hears_a_change_without_a_snapshot() -> None:
    agent = Log("agent", "agt_1", "agent")
    connects(agent)
    hears(agent, type="synced")
    hears_change(agent, *ROWS)

    assert found(agent) == ["L3 agent heard seq 4 of cnv_1 without a snapshot before"]


def test_l4_an_ok_with_another_seq_than_the_store() -> None:
    agent = an_agent(upto=3)
    asks(agent, 9, "m2")
    gets_ok(agent, 9, 5)
    hears_change(agent, ROWS[3])

    assert found(agent) == ["L4 ok says that m2 is seq 5 of cnv_1, the store says 4 of cnv_1"]


@pytest.mark.parametrize(
    "changed", [{"text": "Ho"}, {"seq": 5}, {"born": 3}, {"author": {"kind": "agent", "id": "agt_2"}}, {"id": "m9"}]
)
def test_l4_an_entry_that_arrives_otherwise_than_it_is_stored(changed: dict[str, Any]) -> None:
    agent = an_agent(upto=3)
    hears_change(agent, ROWS[3], entries=[entry(ROWS[3], **changed)])

    assert "L4" in laws(found(agent))


def test_l4_a_contact_may_hear_an_activity_without_its_author() -> None:
    shopper = a_shopper()
    shopper.events = shopper.events[:-2]
    hears_change(shopper, ROWS[1], entries=[entry(ROWS[1], author={"kind": "agent"})])
    hears_change(shopper, ROWS[3])

    assert found(shopper) == []


def test_l5_a_sender_whose_entries_changed_places() -> None:
    agent = an_agent(upto=2)
    for ref, row in ((8, ROWS[3]), (9, ROWS[2])):
        asks(agent, ref, row.id)
        gets_ok(agent, ref, row.seq)
    hears_change(agent, ROWS[2])
    hears_change(agent, ROWS[3])

    assert found(agent) == ["L5 agent sent m2 before n1, but they stand as 4 and 3 in cnv_1"]


def test_l6_a_note_that_leaks_to_the_contact() -> None:
    shopper = a_shopper()
    shopper.events.pop()
    hears_change(shopper, ROWS[2])
    hears_change(shopper, ROWS[3])

    assert found(shopper) == ["L6 shopper is a contact, but heard n1, which is for staff"]


def test_l6_a_note_that_leaks_without_its_label() -> None:
    shopper = a_shopper()
    shopper.events.pop()
    hears_change(shopper, ROWS[2], entries=[entry(replace(ROWS[2], audience="everyone"))])
    hears_change(shopper, ROWS[3])

    assert found(shopper) != []


def test_l6_staff_fields_in_a_contacts_state() -> None:
    shopper = a_shopper()
    hears(shopper, type="change", conversation=CONVERSATION, seq=5, state=STATE | {"assignee": "agt_1", "tags": []})

    assert found(shopper) == ["L6 shopper was shown assignee, tags of cnv_1"]


def test_l6_somebody_elses_conversation() -> None:
    stranger = Log("stranger", "con_2", "contact")
    connects(stranger)
    hears_snapshot(stranger, ROWS[0])
    hears(stranger, type="synced")

    assert found(stranger)[0] == "L6 stranger heard seq 1 of cnv_1, which is con_1's"


def test_l6_a_reader_who_is_shut_out() -> None:
    agent = an_agent()
    agent.events[-1] = agent.events[-1]._replace(at=agent.events[-2].at + 1)
    agent.shut_out_at = agent.events[-2].at + 0.5

    assert found(agent) == ["L6 agent is shut out, but heard seq 4 of cnv_1"]


def test_l7_a_refused_ask_that_is_stored_nevertheless() -> None:
    agent = an_agent(upto=3)
    asks(agent, 9, "m2")
    hears(agent, type="refused", ref=9, code="forbidden", retry=False)
    hears_change(agent, ROWS[3])

    assert found(agent) == ["L7 agent was refused m2 (forbidden), but the store has it"]


def test_l7_an_ask_without_an_answer_may_be_stored_or_not() -> None:
    agent = an_agent(upto=3)
    asks(agent, 8, "m2")
    asks(agent, 9, "m3")
    hears_change(agent, ROWS[3])

    assert found(agent) == []


def test_who_is_not_synced_at_the_end_is_counted() -> None:
    agent = an_agent(upto=3)
    agent.disconnected(1006)

    verdict = check([agent], the_store())

    assert verdict.violations == []
    assert verdict.counts["asleep"] == 1


def test_an_unsound_history_tells_its_story() -> None:
    agent = an_agent(upto=2)
    hears_change(agent, ROWS[3])

    story = str(check([agent], the_store()))

    assert "agent and cnv_1:" in story
    assert "change 4 entries 4" in story


def a_colleague(*events: tuple[float, str, str], name: str = "agt_1", until: float = 100.0) -> Log:
    """What an agent lived through: when, what, and of `presence` who was said to be here."""
    log = Log(name, name, "agent", ended_at=until)
    log.events = [Event(at, cast("Any", what), names=tuple(who.split())) for at, what, who in events]
    return log


def said_of_presence(*logs: Log) -> list[str]:
    return check(logs, stored([], []), presence_bounds=Bounds(come=2.0, gone=20.0, gap=5.0)).violations


HERE = [(0.0, "connected", ""), (1.0, "synced", "")]


def a_visitor(since: float, until: float) -> Log:
    """Another one of the staff, who is told what is true at once."""
    met = (since, "presence", "agt_1 agt_2")
    return a_colleague((since, "connected", ""), (since, "synced", ""), met, name="agt_2", until=until)


def test_l8_who_comes_and_goes_is_told_in_time() -> None:
    noa = a_colleague(*HERE, (1.1, "presence", "agt_1"), (11.5, "presence", "agt_1 agt_2"), (42.0, "presence", "agt_1"))

    assert said_of_presence(noa, a_visitor(10.0, 22.5)) == []


def test_l8_who_is_gone_and_still_said_to_be_here() -> None:
    noa = a_colleague(*HERE, (1.1, "presence", "agt_1 agt_2"), (42.0, "presence", "agt_1"))

    assert said_of_presence(noa, a_visitor(0.0, 21.5)) == [
        "L8 agt_1 was told that agt_2 is here, who hadn't been for 20 s"
    ]


def test_l8_who_has_come_and_is_not_said_to_be_here() -> None:
    noa = a_colleague(*HERE, (1.1, "presence", "agt_1"), (12.5, "presence", "agt_1 agt_2"))

    assert said_of_presence(noa, a_visitor(10.0, 90.0)) == [
        "L8 agt_1 was told that agt_2 isn't here, who had been for 2 s"
    ]


def test_l8_who_only_changes_its_socket_and_seems_to_leave() -> None:
    both = (1.1, "presence", "agt_1 agt_2")
    noa = a_colleague(*HERE, both, (21.0, "presence", "agt_1"), (21.5, "presence", "agt_1 agt_2"))

    assert said_of_presence(noa, a_visitor(0.0, 20.0), a_visitor(24.0, 90.0)) == [
        "L8 agt_1 was told that agt_2 isn't here, who had been for 2 s"
    ]


def test_l8_a_listener_who_is_told_nothing() -> None:
    assert said_of_presence(a_colleague(*HERE)) == ["L8 agt_1 was told nothing of who is here"]


def test_l8_what_an_older_socket_was_told_counts_no_more() -> None:
    again = [(10.0, "disconnected", ""), (10.5, "connected", ""), (11.0, "synced", "")]
    noa = a_colleague(*HERE, (1.1, "presence", "agt_1"), *again)

    assert said_of_presence(noa) == ["L8 agt_1 was told nothing of who is here"]


def test_how_long_a_message_took_to_another_door() -> None:
    line = Line("m1", 1, 1, "con_1", "everyone", "Hello")
    sender = Log("shopper", "con_1", "contact", "here")
    sender.events = [Event(5.0, "ok", CONVERSATION, 1, "m1", "message.send"), Event(5.1, "change", lines=(line,))]
    hears_it = [Event(1.0, "synced"), Event(5.5, "change", lines=(line,)), Event(9.0, "change", lines=(line,))]
    other = Log("agent", "agt_1", "agent", "there", hears_it)
    beside = Log("tab", "agt_1", "agent", "here", hears_it)
    late = Log("late", "agt_2", "agent", "there", [Event(5.2, "synced"), hears_it[1]])
    shown = Log("shown", "agt_2", "agent", "there", [Event(1.0, "synced"), Event(5.3, "snapshot", lines=(line,))])

    assert [(each.to, each.at, each.seconds) for each in crossings([sender, other, beside, late, shown])] == [
        ("agent", 5.0, 0.5)
    ]
