"""The oracle sees each thing that may be wrong with a week, and is content with what is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from chat.batch import Commit
from chat.model import Candidate, Conversation, Member, Routing, encode
from chat.store import Move
from presence import Times
from tests.week.diary import Diary, Stay
from tests.week.oracle import Line, Oracle, Status, Stored, Wall, kept, neglected
from tests.week.plan import ACCOUNT, DOORS, Plan, a_plan

PLAN = a_plan(1, 10)
WALL = Wall(PLAN)
HOUR = 3_600_000
WEEK = range(PLAN.begins + HOUR, PLAN.ends, HOUR)


def _an_hour_of_work(plan: Plan) -> tuple[str, int]:
    """An agent, and a moment (ms) in the middle of its work."""
    found = ((id_, at) for at in WEEK for id_ in plan.agents if WALL.takes(id_, at - HOUR // 2, at + HOUR // 2))
    return next(found)


AGENT, AT = _an_hour_of_work(PLAN)
SLOTS = PLAN.agents[AGENT].slots
OFF = next(at for at in WEEK if WALL.state(AGENT, at) == "off_shift")
FREE = Candidate(AGENT, "accepting_chats", "free", True, "available", "on_shift", 0, SLOTS, "chosen")


class Scene:
    """One conversation that was given to one agent, as it should be. A test breaks some of it."""

    def __init__(self, at: int = AT) -> None:
        self.at = at
        self.diary = Diary()
        self.diary.stays[AGENT].append(Stay("node_1", at - HOUR))
        self.diary.note_here("node_1", at - HOUR, frozenset((AGENT,)))
        self.waits = Conversation("cnv_1", DOORS[0], "con_1", at - 5_000, team="tem_orders", seq=1, cursor=1)
        self.given = replace(
            self.waits, status="open", assignee=AGENT, handler="agent", cursor=2, routing=Routing(at - 5_000, at)
        )
        self.commits = [self.commit(None, self.waits), self.commit(self.waits, self.given)]
        self.lines = [Line(1, "cnv_1", at, "routed", AGENT, "tem_orders", "sys_shopbell", (FREE,))]
        self.statuses: list[Status] = []

    def commit(self, before: Conversation | None, after: Conversation) -> Commit:
        move = Move(ACCOUNT, before, after, [], encode(after))
        return Commit(ACCOUNT, after.cursor - 1, after.cursor, (move,))

    def row(self, **parts: object) -> None:
        """The decision says something else of the agent."""
        self.lines[0] = replace(self.lines[0], candidates=(replace(FREE, **parts),))

    def complaints(self) -> list[str]:
        self.diary.record(self.commits, self.at)
        found = Stored(self.lines, self.statuses, dict(self.diary.states))
        return Oracle(PLAN, self.diary, found, Times()).complaints()


def test_what_is_right_is_not_complained_about() -> None:
    assert Scene().complaints() == []


Break = Callable[[Scene], None]


def off_shift(scene: Scene) -> None:
    scene.__init__(OFF)  # type: ignore[misc]  # the same at another moment


def away(scene: Scene) -> None:
    member = Member(ACCOUNT, AGENT, availability="away", set_at=scene.at - 60_000)
    scene.commits.append(Commit(ACCOUNT, 2, 2, (), (member,)))


def gone(scene: Scene) -> None:
    scene.diary.stays[AGENT][0].ended_at = scene.at - 60_000


def signed_out(scene: Scene) -> None:
    stay = scene.diary.stays[AGENT][0]
    stay.ended_at, stay.is_for_good = scene.at - 5_000, True


def not_known(scene: Scene) -> None:
    scene.diary.note_here("node_1", scene.at - 10_000, frozenset())


def not_logged(scene: Scene) -> None:
    scene.lines.clear()


def miscounted(scene: Scene) -> None:
    scene.row(used=1, slots=SLOTS + 1)


def full(scene: Scene) -> None:
    scene.row(used=SLOTS, status="not_accepting_chats", reason="full")


def in_nobodys_hands(scene: Scene) -> None:
    lost = replace(scene.given, assignee=None, cursor=3)
    scene.commits.append(scene.commit(scene.given, lost))


def overwritten(scene: Scene) -> None:
    scene.commits.append(scene.commit(scene.waits, replace(scene.given, cursor=3)))


def too_many(scene: Scene) -> None:
    for number in range(2, SLOTS + 2):
        cursor = number + 1
        more = replace(scene.given, id=f"cnv_{number}", cursor=cursor)
        scene.commits.append(scene.commit(None, more))
        scene.lines.append(replace(scene.lines[0], key=number, conversation=more.id))


def works_at_night(scene: Scene) -> None:
    scene.statuses.append(Status(AGENT, OFF, "accepting_chats", "free"))


@pytest.mark.parametrize(
    "breaks",
    [
        off_shift,
        away,
        gone,
        signed_out,
        not_known,
        not_logged,
        miscounted,
        full,
        in_nobodys_hands,
        overwritten,
        too_many,
        works_at_night,
    ],
)
def test_what_is_wrong_is_complained_about(breaks: Break) -> None:
    scene = Scene()
    breaks(scene)

    assert scene.complaints() != []


def test_who_is_here_and_was_passed_over_as_gone_is_complained_about() -> None:
    scene = Scene()
    scene.row(is_present=False, status="offline", reason="not_present", verdict="not_present")
    scene.diary.note_here("node_2", AT - HOUR, frozenset())

    assert any("is here" in complaint for complaint in scene.complaints())


def test_what_waits_beside_somebody_who_could_take_it_is_neglected() -> None:
    scene = Scene()
    scene.diary.record(scene.commits[:1], AT - 5 * 60_000)
    team = PLAN.agents[AGENT].teams[0]
    scene.diary.states["cnv_1"] = replace(scene.waits, team=team)

    assert neglected(PLAN, scene.diary, WALL, AT) == []

    scene.diary.members[AGENT] = Member(ACCOUNT, AGENT, status="accepting_chats", status_at=AT - HOUR)

    assert len(neglected(PLAN, scene.diary, WALL, AT)) == 1
    scene.diary.stays[AGENT][0].ended_at = AT - 30_000
    assert neglected(PLAN, scene.diary, WALL, AT) == []


def test_what_stays_with_somebody_who_cannot_serve_it_is_complained_about() -> None:
    scene = Scene()
    scene.diary.record(scene.commits, AT)
    later, times = AT + 60_000, Times()

    assert kept(PLAN, scene.diary, WALL, times, later) == []

    scene.diary.states["cnv_1"] = replace(scene.given, routing=Routing(AT, AT, AT + 30_000, True))
    assert len(kept(PLAN, scene.diary, WALL, times, later)) == 1  # not answered in time

    scene.diary.states["cnv_1"] = scene.given
    scene.diary.stays[AGENT][0].ended_at = AT
    assert len(kept(PLAN, scene.diary, WALL, times, AT + 10 * 60_000)) == 1  # vanished


def test_what_stays_with_somebody_at_home_is_complained_about_unless_it_is_to_be_finished() -> None:
    scene = Scene()
    scene.diary.record(scene.commits, AT)
    later = next(end for _, end in WALL.duty(AGENT) if end > AT) + 60_000

    assert len(kept(PLAN, scene.diary, WALL, Times(), later)) == 1

    scene.diary.members[AGENT] = Member(ACCOUNT, AGENT, finishes=True)
    assert kept(PLAN, scene.diary, WALL, Times(), later) == []


def test_what_somebody_took_at_home_may_stay_there() -> None:
    scene = Scene(OFF)
    scene.diary.record(scene.commits, OFF)

    assert WALL.is_off(AGENT, OFF, OFF + 60_000)
    assert kept(PLAN, scene.diary, WALL, Times(), OFF + 60_000) == []
