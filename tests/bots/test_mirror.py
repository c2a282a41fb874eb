"""The mirror keeps the law: old snapshot + changes = fresh snapshot; and it knows where to go on."""

from typing import Any, cast

from bots.frames import Frame
from bots.mirror import Mirror

AGENT = {"kind": "agent", "id": "agt_1"}
SHOPPER = {"kind": "contact", "id": "con_1"}


def entry(id: str, seq: int, born: int | None = None, **more: Any) -> dict[str, Any]:
    author = {"kind": "contact", "id": "con_1"}
    return {"id": id, "seq": seq, "born": born or seq, "kind": "message", "author": author, "text": id} | more


def state(seq: int, id: str = "cnv_1", **more: Any) -> dict[str, Any]:
    return {"id": id, "seq": seq, "status": "open", "assignee": "agt_1"} | more


def a_mirror(me: dict[str, Any] = AGENT, *frames: dict[str, Any], synced: int | None = 10) -> Mirror:
    mirror = Mirror()
    ending = [{"type": "synced", "cursor": synced} if me is AGENT else {"type": "synced"}] if synced else []
    applies(mirror, {"type": "welcome", "epoch": "e1", "me": me}, *frames, *ending)
    return mirror


def applies(mirror: Mirror, *frames: dict[str, Any]) -> None:
    for frame in frames:
        mirror.apply(cast("Frame", frame))


def snapshot(seq: int, *entries: dict[str, Any], cursor: int = 10, **more: Any) -> dict[str, Any]:
    head = {"type": "snapshot", "conversation": "cnv_1", "cursor": cursor, "entries": list(entries)}
    return head | {"state": state(seq, cursor=cursor, **more)}


def change(seq: int, *entries: dict[str, Any], conversation: str = "cnv_1", **more: Any) -> dict[str, Any]:
    return {"type": "change", "conversation": conversation, "seq": seq, "entries": list(entries)} | more


def test_a_snapshot_and_its_changes_equal_a_fresh_snapshot() -> None:
    old = a_mirror(AGENT, snapshot(1, entry("m1", 1)))
    applies(old, change(2, entry("m2", 2), cursor=11, state=state(2, cursor=11, status="resolved")))
    applies(old, change(3, entry("n1", 3), cursor=12))
    fresh = a_mirror(AGENT, snapshot(3, entry("m1", 1), entry("m2", 2), entry("n1", 3), cursor=12, status="resolved"))

    assert old.threads["cnv_1"].state == fresh.threads["cnv_1"].state
    assert old.threads["cnv_1"].entries == fresh.threads["cnv_1"].entries


def test_replays_are_harmless() -> None:
    frames = [
        change(2, entry("m2", 2), cursor=11, state=state(2, cursor=11)),
        change(3, entry("m1", 3, born=1, text="edited"), cursor=12, state=state(3, cursor=12)),
    ]
    mirror = a_mirror(AGENT, snapshot(1, entry("m1", 1)))
    applies(mirror, *frames)
    once = (mirror.threads["cnv_1"].state, dict(mirror.threads["cnv_1"].entries))

    applies(mirror, *frames)

    assert (mirror.threads["cnv_1"].state, mirror.threads["cnv_1"].entries) == once


def test_entries_stand_in_the_order_of_their_birth_and_the_newest_version_wins() -> None:
    mirror = a_mirror(AGENT, snapshot(4, entry("m2", 2), entry("m1", 4, born=1, text="edited")))
    applies(mirror, change(4, entry("m1", 1)))

    assert [line["text"] for line in mirror.threads["cnv_1"].timeline()] == ["edited", "m2"]


def test_the_cursor_moves_by_what_says_everything_is_here() -> None:
    mirror = a_mirror(AGENT, snapshot(1, cursor=10))
    applies(mirror, change(2, cursor=11))
    assert mirror.cursor == 10

    applies(mirror, {"type": "heads", "cursor": 15, "heads": [state(3, id="cnv_2")]})
    assert mirror.cursor == 15

    applies(mirror, {"type": "heads", "cursor": 14, "heads": []})
    assert mirror.cursor == 15

    applies(mirror, {"type": "heads", "heads": [state(4, id="cnv_2")]})  # there is more to come
    assert (mirror.cursor, mirror.heads["cnv_2"]["seq"]) == (15, 4)


def test_before_synced_no_position_is_taken_for_complete() -> None:
    mirror = a_mirror(AGENT, snapshot(1, cursor=30), {"type": "heads", "cursor": 30, "heads": []}, synced=None)

    assert mirror.cursor is None
    assert mirror.resume() is None


def test_staff_resumes_with_cursor_and_what_it_holds() -> None:
    mirror = a_mirror(AGENT, snapshot(1, cursor=10))

    assert mirror.resume() == {"epoch": "e1", "cursor": 10, "watch": ["cnv_1"]}


def test_a_contact_resumes_with_the_seq_of_each_conversation() -> None:
    mirror = a_mirror(SHOPPER, snapshot(4), change(7, entry("m7", 7)))
    applies(mirror, change(1, entry("m1", 1), conversation="cnv_2", state=state(1, id="cnv_2")))

    assert mirror.resume() == {"epoch": "e1", "conversations": {"cnv_1": 7, "cnv_2": 1}}


def test_a_hello_names_as_many_conversations_as_it_may_hold() -> None:
    def many(mirror: Mirror) -> Mirror:
        for n in range(1, 80):
            applies(mirror, snapshot(1) | {"conversation": f"cnv_{n}", "state": state(1, id=f"cnv_{n}")})
        return mirror

    bot, shopper = many(a_mirror(AGENT)), many(a_mirror(SHOPPER))
    bot.cursor = 10
    bot.watching = {"cnv_70"}

    staffs, contacts = bot.resume(), shopper.resume()

    assert staffs is not None
    assert len(staffs["watch"]) == 50
    assert "cnv_70" in staffs["watch"]
    bot.resumed(staffs)
    assert bot.watching == set(staffs["watch"])
    assert contacts is not None
    assert len(contacts["conversations"]) == 50
    assert "cnv_79" in contacts["conversations"]


def test_a_contact_whose_catching_up_broke_off_resumes_from_before_it() -> None:
    mirror = a_mirror(SHOPPER, snapshot(4))
    mirror.disconnected()
    applies(mirror, {"type": "welcome", "epoch": "e1", "me": SHOPPER}, change(9, entry("m9", 9), state=state(9)))
    mirror.disconnected()

    assert mirror.resume() == {"epoch": "e1", "conversations": {"cnv_1": 4}}


def test_what_went_to_somebody_else_is_let_go_at_once() -> None:
    mirror = a_mirror(AGENT, snapshot(1))
    applies(mirror, change(2, state=state(2, assignee="agt_2")))

    assert mirror.resume() == {"epoch": "e1", "cursor": 10, "watch": []}
    assert mirror.state("cnv_1") == state(2, assignee="agt_2")


def test_what_is_watched_is_kept_whoever_has_it_until_it_is_watched_no_more() -> None:
    mirror = a_mirror(AGENT)
    mirror.watched(["cnv_1"])
    applies(mirror, snapshot(1, assignee="agt_2"), change(2, state=state(2, assignee=None)))
    assert mirror.resume() == {"epoch": "e1", "cursor": 10, "watch": ["cnv_1"]}

    mirror.watched([])
    assert mirror.resume() == {"epoch": "e1", "cursor": 10, "watch": []}


def test_a_snapshot_of_what_has_moved_on_already_is_only_a_head() -> None:
    mirror = a_mirror(AGENT)
    applies(mirror, snapshot(5, assignee="agt_2"))

    assert mirror.threads == {}
    assert mirror.state("cnv_1") is not None


def test_a_reset_drops_everything_held() -> None:
    mirror = a_mirror(AGENT, snapshot(1), {"type": "heads", "cursor": 10, "heads": [state(1, id="cnv_2")]})
    applies(mirror, {"type": "reset", "reason": "epoch"})

    assert (mirror.threads, mirror.heads, mirror.cursor) == ({}, {}, None)


def test_gone_takes_a_conversation_away() -> None:
    mirror = a_mirror(SHOPPER, snapshot(1))
    applies(mirror, {"type": "gone", "conversation": "cnv_1"})

    assert mirror.state("cnv_1") is None


def test_staff_ignores_changes_of_what_it_holds_no_snapshot_of() -> None:
    mirror = a_mirror(AGENT)
    applies(mirror, change(5, entry("m5", 5), state=state(5)))

    assert mirror.threads == {}


def test_the_newest_state_is_taken_from_threads_or_heads() -> None:
    mirror = a_mirror(AGENT, snapshot(3))
    applies(mirror, {"type": "heads", "cursor": 11, "heads": [state(5, status="resolved")]})

    newest = mirror.state("cnv_1")

    assert newest is not None
    assert newest["status"] == "resolved"


def test_the_last_own_entry_is_the_one_to_name_as_after() -> None:
    mine: dict[str, Any] = {"author": {"kind": "agent", "id": "agt_1"}}
    mirror = a_mirror(
        AGENT,
        snapshot(4, entry("m1", 1), entry("m2", 2, **mine), entry("a3", 3, kind="activity", **mine), entry("m4", 4)),
    )

    assert mirror.last_own_entry("cnv_1") == "m2"
    assert mirror.last_own_entry("cnv_9") is None


def test_presence_is_the_whole_value() -> None:
    mirror = a_mirror()
    applies(mirror, {"type": "presence", "present": ["agt_1"]}, {"type": "presence", "present": ["bot_1"]})

    assert mirror.present == ["bot_1"]


def test_staff_of_an_account_without_a_past_goes_on_from_nought() -> None:
    snapshot_of_an_agent = {name: value for name, value in snapshot(1).items() if name != "cursor"}
    mirror = Mirror()
    applies(
        mirror, {"type": "welcome", "epoch": "e1", "me": AGENT}, {"type": "synced", "cursor": 0}, snapshot_of_an_agent
    )

    assert mirror.resume() == {"epoch": "e1", "cursor": 0, "watch": ["cnv_1"]}


def test_what_one_follows_is_held_like_what_one_has() -> None:
    mirror = a_mirror(AGENT, snapshot(1, entry("m1", 1), assignee=None, followers=["agt_1"]))
    assert "cnv_1" in mirror.threads

    applies(mirror, change(2, cursor=11, state=state(2, assignee=None, followers=[], cursor=11)))

    assert "cnv_1" not in mirror.threads


def test_what_was_rewritten_under_the_same_seq_is_as_the_snapshot_says() -> None:
    mirror = a_mirror(AGENT, snapshot(3, entry("m1", 1, text="a secret")))

    applies(mirror, snapshot(3, entry("m1", 1, text="")))

    assert [each["text"] for each in mirror.threads["cnv_1"].timeline()] == [""]


def test_who_is_somebody_else_forgets_what_the_former_one_held() -> None:
    mirror = a_mirror(SHOPPER, {**snapshot(1, entry("m1", 1)), "cursor": None})
    mirror.disconnected()

    applies(mirror, {"type": "welcome", "epoch": "e1", "me": {"kind": "contact", "id": "con_2"}})

    assert (mirror.threads, mirror.heads, mirror.resume()) == ({}, {}, None)


def test_who_comes_back_as_the_same_keeps_what_is_held() -> None:
    mirror = a_mirror(SHOPPER, {**snapshot(1, entry("m1", 1)), "cursor": None})
    mirror.disconnected()

    applies(mirror, {"type": "welcome", "epoch": "e1", "me": SHOPPER})

    assert list(mirror.threads) == ["cnv_1"]
