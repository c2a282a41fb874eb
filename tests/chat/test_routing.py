"""Who gets which conversation: the rules one by one, then what must hold whatever the floor looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from chat.model import Decision, Member, Policy, Routing, RoutingStatus, Standing, TeamRules
from chat.routing import CANDIDATES, kept_waiting, route
from chat.waiting import Waiting, lacking, turn
from tests.builders import MINE, MOMENT, TEAM, a_conversation

NOW = MOMENT + 1_000_000
SYSTEM = "sys_routing"
OTHERS = "tem_others"


def a_member(id: str, **parts: Any) -> Member:
    return Member(MINE, id, **({"teams": (TEAM,)} | parts))


def stands(status: RoutingStatus = "accepting_chats", reason: str = "") -> Standing:
    return Standing(status, reason, None, status != "offline", "on_shift")


def a_wait(id: str = "cnv_a", queued: int = 0, *, teams: tuple[str, ...] = (TEAM,), **parts: Any) -> Waiting:
    """It has waited for a thousand seconds, but `queued` ms."""
    own = {name: parts.pop(name) for name in ("skills", "known") if name in parts}
    routing = Routing(queued_at=MOMENT + queued, passed=parts.pop("passed", ()), left=parts.pop("left", False))
    return Waiting(a_conversation(id=id, routing=routing, **parts), teams, **own)


class Floor(Struct):
    """All that the choice looks at."""

    waits: list[Waiting]
    members: dict[str, Member]
    used: dict[str, int]
    standings: dict[str, Standing]
    rules: dict[str, TeamRules]

    def run(self) -> list[Decision]:
        return route(self.waits, self.members, self.used, self.standings, self.rules, NOW, SYSTEM)

    def why(self, wait: Waiting) -> Decision:
        return kept_waiting(wait, self.members, self.used, self.standings, self.rules, NOW, SYSTEM)


def a_floor(
    waits: Sequence[Waiting],
    members: Sequence[Member],
    used: dict[str, int] | None = None,
    standings: dict[str, Standing] | None = None,
    others: TeamRules | None = None,
    **team: Any,
) -> Floor:
    """Everybody accepts chats, unless told otherwise; `team` are the rules of the first team."""
    rules = [TeamRules(TEAM, **team), others or TeamRules(OTHERS)]
    return Floor(
        list(waits),
        {member.id: member for member in members},
        used or {},
        {member.id: stands() for member in members} | (standings or {}),
        {rule.id: replace(rule, members=tuple(m.id for m in members if rule.id in m.teams)) for rule in rules},
    )


def who(decisions: Sequence[Decision]) -> list[str | None]:
    return [decision.chosen for decision in decisions]


def verdicts(decision: Decision) -> dict[str, str]:
    return {row.member: row.verdict for row in decision.candidates}


# --- one by one ---------------------------------------------------------------------------------------------


def test_the_least_busy_gets_it() -> None:
    members = [a_member("agt_a", slots=4), a_member("agt_b", slots=2), a_member("agt_c", slots=10)]

    decision = a_floor([a_wait()], members, {"agt_a": 2, "agt_b": 1, "agt_c": 4}).run()[0]

    assert decision.chosen == "agt_c"
    assert verdicts(decision) == {"agt_c": "chosen", "agt_a": "busier", "agt_b": "busier"}


def test_of_equally_busy_ones_who_has_fewer_gets_it_then_whose_turn_is_longer_ago() -> None:
    """LiveHelperChat#1218: it stuck to one operator."""
    members = [a_member("agt_a", slots=4), a_member("agt_b", slots=2, assigned_at=5), a_member("agt_c", slots=2)]

    decision = a_floor([a_wait()], members, {"agt_a": 2, "agt_b": 1, "agt_c": 1}).run()[0]

    assert decision.chosen == "agt_c"
    assert verdicts(decision) == {"agt_c": "chosen", "agt_b": "later_turn", "agt_a": "busier"}


def test_round_robin_goes_to_whose_turn_is_longest_ago_however_busy() -> None:
    members = [a_member("agt_a", assigned_at=2), a_member("agt_b", assigned_at=1), a_member("agt_c", assigned_at=3)]
    waits = [a_wait(f"cnv_{n}", n) for n in range(5)]

    decisions = a_floor(waits, members, {"agt_b": 2}, policy="round_robin").run()

    assert who(decisions) == ["agt_b", "agt_a", "agt_c", "agt_b", "agt_a"]
    assert verdicts(decisions[0])["agt_c"] == "later_turn"


def test_the_first_agent_in_the_morning_gets_no_more_than_their_slots_of_the_backlog() -> None:
    """LiveHelperChat discussion 1921"""
    waits = [a_wait(f"cnv_{n:02}", n) for n in range(40)]

    decisions = a_floor(waits, [a_member("agt_a", slots=4)], {"agt_a": 1}).run()

    assert [decision.conversation for decision in decisions] == ["cnv_00", "cnv_01", "cnv_02"]


def test_nobody_is_given_anything_on_account_of_a_standing_that_is_behind() -> None:
    assert a_floor([a_wait()], [a_member("agt_a", slots=2)], {"agt_a": 2}).run() == []
    assert a_floor([a_wait()], [a_member("agt_a", slots=0)]).run() == []


def test_everybody_who_cannot_take_it_is_named_with_the_reason() -> None:
    members = [a_member(id_) for id_ in ("agt_a", "agt_away", "agt_full", "agt_gone", "agt_left")]
    members += [a_member("agt_behind"), a_member("agt_elsewhere", teams=(OTHERS,)), a_member("agt_old", active=False)]
    floor = a_floor(
        [a_wait()],
        members,
        {"agt_behind": 4},
        {
            "agt_away": stands("not_accepting_chats", "away"),
            "agt_full": stands("not_accepting_chats", "full"),
            "agt_gone": stands("offline", "not_present"),
            "agt_left": stands("offline"),
        },
    )

    (decision,) = floor.run()

    assert verdicts(decision) == {
        "agt_a": "chosen",
        "agt_away": "away",
        "agt_full": "full",
        "agt_gone": "not_present",
        "agt_left": "offline",
        "agt_behind": "full",
        "agt_old": "inactive",
    }
    assert (decision.kind, decision.by, decision.at, decision.team) == ("routed", SYSTEM, NOW, TEAM)
    assert (decision.account, decision.conversation) == (MINE, "cnv_a")


def test_whose_presence_nobody_knows_gets_nothing() -> None:
    floor = a_floor([a_wait()], [a_member("agt_a")])
    floor.standings.clear()

    assert floor.run() == []


def test_a_manual_team_and_no_team_are_given_nothing() -> None:
    members = [a_member("agt_a")]

    assert a_floor([a_wait()], members, policy="manual").run() == []
    assert a_floor([a_wait(teams=())], members).run() == []
    assert a_floor([a_wait(teams=("tem_unknown",))], members).run() == []


def test_of_several_teams_the_manual_one_is_left_out_and_the_taker_s_is_named() -> None:
    members = [a_member("agt_a"), a_member("agt_b", teams=(OTHERS,))]

    decision = a_floor([a_wait(teams=(TEAM, OTHERS))], members, policy="manual").run()[0]

    assert (decision.chosen, decision.team) == ("agt_b", OTHERS)
    assert set(verdicts(decision)) == {"agt_b"}


def test_who_knows_the_contact_gets_it_though_busier() -> None:
    members = [a_member("agt_a"), a_member("agt_b")]

    decision = a_floor([a_wait(known="agt_b")], members, {"agt_b": 3}).run()[0]

    assert decision.chosen == "agt_b"
    assert verdicts(decision) == {"agt_b": "chosen", "agt_a": "not_known"}


def test_who_knows_the_contact_is_not_waited_for() -> None:
    members = [a_member("agt_a"), a_member("agt_b"), a_member("agt_c", teams=(OTHERS,))]

    assert who(a_floor([a_wait(known="agt_b")], members, {"agt_b": 4}).run()) == ["agt_a"]
    assert who(a_floor([a_wait(known="agt_c")], members).run()) == ["agt_a"]
    assert who(a_floor([a_wait(known="agt_gone")], members).run()) == ["agt_a"]
    assert who(a_floor([a_wait(known="agt_b")], members, {"agt_b": 1}, prefers_known=False).run()) == ["agt_a"]


def test_who_did_not_answer_comes_last() -> None:
    members = [a_member("agt_a"), a_member("agt_b")]

    decision = a_floor([a_wait(passed=("agt_a",), known="agt_a")], members, {"agt_b": 3}).run()[0]

    assert decision.chosen == "agt_b"
    assert verdicts(decision)["agt_a"] == "passed"


def test_who_did_not_answer_is_asked_again_when_nobody_else_could_take_it() -> None:
    members = [a_member("agt_a"), a_member("agt_b")]

    assert who(a_floor([a_wait(passed=("agt_a",))], members, {"agt_b": 4}).run()) == ["agt_a"]


def test_a_bot_that_passed_is_not_asked_again() -> None:
    floor = a_floor([a_wait(passed=("bot_a",))], [a_member("bot_a")])

    assert floor.run() == []
    assert verdicts(floor.why(floor.waits[0])) == {"bot_a": "passed"}


@pytest.mark.parametrize(
    ("bots_first", "chosen", "other", "why"),
    [(True, "bot_b", "agt_a", "bots_first"), (False, "agt_a", "bot_b", "people_first")],
)
def test_bots_come_before_people_or_after(bots_first: bool, chosen: str, other: str, why: str) -> None:
    members = [a_member("agt_a", slots=4), a_member("bot_b", slots=4)]
    used = {chosen: 3}

    decision = a_floor([a_wait()], members, used, bots_first=bots_first).run()[0]

    assert verdicts(decision) == {chosen: "chosen", other: why}


def test_a_bot_has_slots_of_its_own_and_the_rest_goes_to_people() -> None:
    members = [a_member("agt_a", slots=1), a_member("bot_b", slots=2)]

    decisions = a_floor([a_wait(f"cnv_{n}", n) for n in range(4)], members, bots_first=True).run()

    assert who(decisions) == ["bot_b", "bot_b", "agt_a"]


# --- skills -------------------------------------------------------------------------------------------------


def test_who_has_the_skills_gets_it_though_busier() -> None:
    members = [a_member("agt_a"), a_member("agt_b", skills=("th", "en"))]

    decision = a_floor([a_wait(skills=("th",))], members, {"agt_b": 3}).run()[0]

    assert decision.chosen == "agt_b"
    assert verdicts(decision)["agt_a"] == "skill"


def test_who_has_the_skills_is_waited_for_while_on_duty_and_for_so_long_only() -> None:
    members = [a_member("agt_a"), a_member("agt_b", skills=("th",))]
    used = {"agt_b": 4}
    floor = a_floor([a_wait(skills=("th",))], members, used, skills_after_seconds=1001)

    assert floor.run() == []
    assert verdicts(floor.why(floor.waits[0])) == {"agt_a": "skill", "agt_b": "full"}
    assert who(a_floor(floor.waits, members, used, skills_after_seconds=1000).run()) == ["agt_a"]
    gone = {"agt_b": stands("offline", "off_shift")}
    assert who(a_floor(floor.waits, members, {}, gone, skills_after_seconds=1001).run()) == ["agt_a"]


def test_needed_skills_are_waited_for_however_long() -> None:
    members = [a_member("agt_a", skills=("en",))]

    assert a_floor([a_wait(skills=("th",))], members, needs_skills=True).run() == []
    assert who(a_floor([a_wait(skills=("en",))], members, needs_skills=True).run()) == ["agt_a"]


def test_who_lacks_fewer_skills_gets_it_when_nobody_has_all() -> None:
    members = [a_member("agt_a", skills=("th",)), a_member("agt_b", skills=("th", "returns"))]

    assert who(a_floor([a_wait(skills=("th", "returns", "vip"))], members, {"agt_b": 3}).run()) == ["agt_b"]


# --- overflow -----------------------------------------------------------------------------------------------


def overflowing(used: dict[str, int], standings: dict[str, Standing], seconds: int, **more: Any) -> list[Decision]:
    members = [a_member("agt_a"), a_member("agt_b", teams=(OTHERS,))]
    others = TeamRules(OTHERS, **more)
    return a_floor([a_wait()], members, used, standings, others, overflow=(OTHERS,), overflow_seconds=seconds).run()


def test_an_overflow_team_is_asked_when_its_time_has_come() -> None:
    decisions = overflowing({"agt_a": 4}, {}, 1000)

    assert [(decision.chosen, decision.team) for decision in decisions] == [("agt_b", OTHERS)]
    assert overflowing({"agt_a": 4}, {}, 1001) == []


@pytest.mark.parametrize("standing", [stands("offline", "off_shift"), stands("not_accepting_chats", "away")])
def test_an_overflow_team_is_asked_at_once_when_nobody_is_there(standing: Standing) -> None:
    """LiveHelperChat#745"""
    assert who(overflowing({}, {"agt_a": standing}, 1001)) == ["agt_b"]


def test_who_has_no_slots_at_all_is_not_waited_for() -> None:
    members = [a_member("agt_a", slots=0), a_member("agt_b", teams=(OTHERS,))]

    assert who(a_floor([a_wait()], members, overflow=(OTHERS,), overflow_seconds=1001).run()) == ["agt_b"]


def test_whoever_is_only_full_is_waited_for() -> None:
    assert overflowing({"agt_a": 4}, {"agt_a": stands("not_accepting_chats", "full")}, 1001) == []


def test_the_own_team_is_asked_first() -> None:
    decision = overflowing({"agt_a": 3}, {}, 0)[0]

    assert decision.chosen == "agt_a"
    assert verdicts(decision)["agt_b"] == "overflow"


def test_who_transferred_it_to_a_team_that_is_full_does_not_get_it_back_as_long_as_somebody_is_there() -> None:
    members = [a_member("agt_a"), a_member("agt_b", teams=(OTHERS,))]
    floor = a_floor(
        [a_wait(passed=("agt_b",))],
        members,
        {"agt_a": 4},
        {},
        TeamRules(OTHERS),
        overflow=(OTHERS,),
        overflow_seconds=0,
    )

    assert floor.run() == []
    assert verdicts(floor.why(floor.waits[0])) == {"agt_a": "full", "agt_b": "passed"}


@pytest.mark.parametrize(
    ("wait", "gone", "more"),
    [
        (a_wait(passed=("agt_b",)), {"agt_a": stands("offline", "off_shift")}, {}),
        (a_wait(passed=("agt_b", "agt_a")), {}, {}),
        (a_wait(passed=("agt_b",), skills=("th",)), {}, {"needs_skills": True}),
    ],
    ids=["nobody is there", "all have passed", "nobody there knows enough"],
)
def test_who_transferred_it_gets_it_back_when_the_team_can_not_take_it(
    wait: Waiting, gone: dict[str, Standing], more: dict[str, Any]
) -> None:
    members = [a_member("agt_a"), a_member("agt_b", teams=(OTHERS,), skills=("th",))]
    floor = a_floor(
        [wait], members, {"agt_a": 4}, gone, TeamRules(OTHERS), overflow=(OTHERS,), overflow_seconds=0, **more
    )

    assert who(floor.run()) == ["agt_b"]


def test_a_manual_overflow_team_is_not_asked() -> None:
    assert overflowing({"agt_a": 4}, {}, 0, policy="manual") == []


# --- the log ------------------------------------------------------------------------------------------------


def test_of_a_large_team_a_bounded_number_is_stored_and_the_chosen_among_them() -> None:
    members = [a_member(f"agt_{n:04}", assigned_at=10_000 - n) for n in range(CANDIDATES + 50)]

    (decision,) = a_floor([a_wait()], members).run()

    assert len(decision.candidates) == CANDIDATES
    assert decision.candidates[0].member == decision.chosen == members[-1].id
    assert Counter(verdicts(decision).values()) == {"chosen": 1, "later_turn": CANDIDATES - 1}


def test_a_row_shows_what_was_in_hand_when_it_was_chosen() -> None:
    decisions = a_floor([a_wait("cnv_a"), a_wait("cnv_b", 1)], [a_member("agt_a", slots=3)]).run()

    assert [decision.candidates[0].used for decision in decisions] == [0, 1]


# --- whatever the floor looks like --------------------------------------------------------------------------

TEAMS = ("tem_a", "tem_b", "tem_c")
SKILLS = ("th", "he", "vip")
STATUSES = [stands(), stands(), stands("not_accepting_chats", "full"), stands("offline", "off_shift")]
IDS = ("agt_a", "agt_b", "agt_c", "agt_d", "bot_e", "bot_f")

some = st.sampled_from
several_teams = st.lists(some(TEAMS), unique=True, max_size=2).map(tuple)
several_skills = st.lists(some(SKILLS), unique=True, max_size=2).map(tuple)


@st.composite
def floors(draw: st.DrawFn) -> Floor:
    members = {
        id_: a_member(
            id_,
            teams=draw(several_teams),
            slots=draw(st.integers(0, 3)),
            skills=draw(several_skills),
            assigned_at=draw(st.integers(0, 3)),
            active=draw(st.integers(0, 9)) > 0,
        )
        for id_ in draw(st.lists(some(IDS), unique=True))
    }
    rules = {
        team: TeamRules(
            team,
            tuple(member.id for member in members.values() if team in member.teams),
            policy=draw(some(["least_busy", "least_busy", "round_robin", "manual"])),
            overflow=draw(several_teams),
            overflow_seconds=draw(some([0, 900, 1100])),
            needs_skills=draw(st.booleans()),
            skills_after_seconds=draw(some([0, 1100])),
            prefers_known=draw(st.booleans()),
            bots_first=draw(st.booleans()),
        )
        for team in TEAMS
    }
    waits = [
        a_wait(
            f"cnv_{n}",
            draw(st.integers(0, 3)) * 50_000,
            teams=draw(several_teams),
            priority=draw(st.integers(0, 1)),
            left=draw(st.booleans()),
            skills=draw(st.one_of(st.just(()), several_skills)),
            known=draw(st.one_of(st.none(), some(IDS))),
            passed=tuple(draw(st.lists(some(IDS), unique=True, max_size=2))),
        )
        for n in range(draw(st.integers(0, 8)))
    ]
    used = {id_: draw(st.integers(0, 3)) for id_ in members}
    return Floor(waits, members, used, {id_: draw(some(STATUSES)) for id_ in members}, rules)


def could_take(floor: Floor, wait: Waiting, id_: str, in_hand: Counter[str]) -> bool:
    """Said once more, plainly: whether this one may be given this conversation."""
    own = [floor.rules[team] for team in wait.teams if floor.rules[team].policy != "manual"]
    if not own:
        return False
    lead = own[0]
    more = [floor.rules[team] for team in lead.overflow if floor.rules[team].policy != "manual"]

    def duty(teams: Sequence[TeamRules]) -> set[str]:
        staff = {id_ for team in teams for id_ in team.members}
        return {
            id_
            for id_ in staff
            if floor.members[id_].active
            and floor.members[id_].slots
            and floor.standings[id_] in (stands(), stands("not_accepting_chats", "full"))
        }

    waited = NOW - wait.queued_at
    asked = own + more if waited >= lead.overflow_seconds * 1000 or not duty(own) else own
    knowing = {id_ for id_ in duty(asked) if lacking(floor.members[id_].skills, wait.skills) == 0}
    must_know = lead.needs_skills or (waited < lead.skills_after_seconds * 1000 and knowing)
    to_come = duty(own) - set(wait.passed)
    if must_know:
        to_come &= knowing
    is_of_others = all(id_ not in team.members for team in own)
    return (
        id_ in duty(asked)
        and floor.standings[id_].status == "accepting_chats"
        and in_hand[id_] < floor.members[id_].slots
        and not (must_know and id_ not in knowing)
        and not (id_ in wait.passed and (id_.startswith("bot_") or (is_of_others and to_come)))
    )


@settings(max_examples=200)
@given(floors())
def test_the_queue_is_served_in_order_and_nobody_waits_whom_somebody_could_take(floor: Floor) -> None:
    decisions = {decision.conversation: decision for decision in floor.run()}
    in_hand = Counter(floor.used)

    for wait in sorted(floor.waits, key=lambda each: turn(each.conversation)):
        takers = {id_ for id_ in floor.members if could_take(floor, wait, id_, in_hand)}
        decision = decisions.pop(wait.conversation.id, None)
        if decision is None:
            assert not takers
        else:
            assert decision.chosen in takers
            in_hand[decision.chosen] += 1
    assert decisions == {}


@settings(max_examples=50)
@given(floors())
def test_nobody_is_given_more_than_their_slots_or_anything_when_they_do_not_accept(floor: Floor) -> None:
    given_out = Counter(who(floor.run()))

    for id_, count in given_out.items():
        assert id_ is not None
        member = floor.members[id_]
        assert floor.used[id_] + count <= member.slots
        assert floor.standings[id_].status == "accepting_chats"
        assert member.active


@settings(max_examples=50)
@given(floors(), st.randoms(use_true_random=False))
def test_the_order_of_the_values_does_not_matter(floor: Floor, random: Any) -> None:
    def mixed(values: dict[str, Any]) -> dict[str, Any]:
        return dict(random.sample(list(values.items()), len(values)))

    def turned(rule: TeamRules) -> TeamRules:
        return replace(rule, members=tuple(random.sample(rule.members, len(rule.members))))

    other = Floor(
        random.sample(floor.waits, len(floor.waits)),
        mixed(floor.members),
        mixed(floor.used),
        mixed(floor.standings),
        mixed({team: turned(rule) for team, rule in floor.rules.items()}),
    )

    assert other.run() == floor.run()


@settings(max_examples=200)
@given(
    st.dictionaries(some(IDS[:4]), st.tuples(st.integers(1, 4), st.integers(0, 4), st.integers(0, 2)), min_size=1),
    some(["least_busy", "round_robin"]),
    st.integers(1, 8),
)
def test_the_policy_chooses_among_equals(
    people: dict[str, tuple[int, int, int]], policy: Policy, how_many: int
) -> None:
    members = [a_member(id_, slots=slots, assigned_at=last) for id_, (slots, _, last) in people.items()]
    used = {id_: in_hand for id_, (_, in_hand, _) in people.items()}
    waits = [a_wait(f"cnv_{n}", n) for n in range(how_many)]

    decisions = a_floor(waits, members, used, policy=policy).run()

    last: dict[str, Any] = {member.id: (member.assigned_at, 0) for member in members}
    for nth, decision in enumerate(decisions):
        free = [member for member in members if used[member.id] < member.slots]
        load = {member.id: (Fraction(used[member.id], member.slots), used[member.id]) for member in free}
        if policy == "round_robin":
            expected = min(load, key=lambda id_: (last[id_], id_))
        else:
            expected = min(load, key=lambda id_: (*load[id_], last[id_], id_))
        assert decision.chosen == expected
        used[expected] += 1
        last[expected] = (NOW, nth)
    assert len(decisions) == how_many or all(used[member.id] >= member.slots for member in members)


@settings(max_examples=50)
@given(floors())
def test_every_decision_names_everybody_and_one_who_was_chosen(floor: Floor) -> None:
    for decision in floor.run():
        reasons = verdicts(decision)

        assert [id_ for id_, why in reasons.items() if why == "chosen"] == [decision.chosen]
        assert all(reasons.values())
        assert decision.team is not None
        assert set(floor.rules[decision.team].members) <= set(reasons)
        assert decision.chosen in floor.rules[decision.team].members


@settings(max_examples=50)
@given(floors())
def test_who_waits_is_told_why_by_the_same_rules(floor: Floor) -> None:
    served = {decision.conversation for decision in floor.run()}
    behind = replace_used(floor)

    for wait in floor.waits:
        if wait.conversation.id not in served:
            told = behind.why(wait)
            assert (told.kind, told.chosen) == ("kept_waiting", None)
            assert not {"chosen", "later_turn"} & set(verdicts(told).values())


def replace_used(floor: Floor) -> Floor:
    """The floor after its run."""
    in_hand = Counter(floor.used) + Counter(id_ for id_ in who(floor.run()) if id_ is not None)
    return Floor(floor.waits, floor.members, dict(in_hand), floor.standings, floor.rules)
