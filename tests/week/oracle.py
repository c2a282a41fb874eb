"""Says whether what was decided in a simulated week was right, by what was true, and by a rule of its own.

Nothing here asks how the service works it out: shifts are read from a clock on the wall, slots are counted by replaying
what was committed, presence by who was connected.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date
from functools import cache

from msgspec import Struct
from msgspec.json import decode
from sqlalchemy import Connection, select

from chat.batch import Commit
from chat.model import Candidate, Conversation, Member, Routing
from chat.store import Store
from chat.store.tables import conversations, routing_log, status_log
from presence import Times
from presence.shifts import parse
from tests.presence.wall import runs
from tests.week.diary import Diary
from tests.week.plan import Plan

SOON = 3_000  # ms until all nodes know, while nothing is wrong
SHAKEN = 150_000  # ms after which nothing is left of a fault
PATIENCE = 30_000  # ms for which a conversation may wait though somebody could take it
RETURN = 300_000  # ms after which goes back what is in progress with somebody who vanished, as teams have it
RING = 60_000  # ms between two looks for timers
ROWS = 40  # of decisions that one commit may have
GIVES = ("routed", "claimed", "transferred")


class Line(Struct, frozen=True):
    """Of the routing log."""

    key: int
    conversation: str
    at: int
    kind: str
    chosen: str | None
    team: str | None
    by: str
    candidates: tuple[Candidate, ...]

    def __str__(self) -> str:
        return f"line {self.key}: {self.conversation} {self.kind} to {self.chosen} at {self.at}"


class Status(Struct, frozen=True):
    """A line of the status log."""

    member: str
    at: int
    status: str
    reason: str


class Stored(Struct, frozen=True):
    """What the store has of a week."""

    lines: list[Line]
    statuses: list[Status]
    states: dict[str, Conversation]


async def stored(store: Store) -> Stored:
    """All of it, in the order in which it was written."""

    def work(connection: Connection) -> Stored:
        log = routing_log.c
        found = select(log.key, log.conversation, log.at, log.kind, log.chosen, log.team, log.by, log.candidates)
        lines = connection.execute(found.order_by(log.at, log.key)).all()
        told = status_log.c
        changes = select(told.member, told.at, told.status, told.reason).order_by(told.key)
        documents = connection.execute(select(conversations.c.state)).scalars()
        states = (decode(document, type=Conversation) for document in documents)
        return Stored(
            [Line(*row[:-1], decode(row[-1], type=tuple[Candidate, ...])) for row in lines],
            [Status(*row) for row in connection.execute(changes)],
            {state.id: state for state in states},
        )

    return await store.inspect(work)


class Wall:
    """Who is on duty when, read from a clock on the wall."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._runs = {id_: _runs(agent.schedule, plan.middle) for id_, agent in plan.agents.items()}
        self._begins = {id_: [run[0] for run in found] for id_, found in self._runs.items()}

    def duty(self, agent: str) -> list[tuple[int, int]]:
        """From when to when (ms) it is on duty."""
        return [(begin, end) for begin, end, state, _ in self._runs[agent] if state == "on_shift"]

    def state(self, agent: str, at: int) -> str:
        return self._run(agent, at)[2]

    def is_winding_down(self, agent: str, at: int) -> bool:
        """Whether duty is about to end."""
        _, end, state, _ = self._run(agent, at)
        return state == "on_shift" and at >= end - self._plan.agents[agent].wind_down

    def takes(self, agent: str, since: int, until: int) -> bool:
        """Whether it may be given something, by its shifts, all the time between these moments (ms)."""
        begin, end, state, _ = self._run(agent, until)
        return state == "on_shift" and begin <= since and until < end - self._plan.agents[agent].wind_down

    def is_off(self, agent: str, since: int, until: int) -> bool:
        """Whether it was at home all the time between these moments (ms)."""
        first, last = self._place(agent, since), self._place(agent, until)
        return all(run[2] != "on_shift" for run in self._runs[agent][first : last + 1])

    def _place(self, agent: str, at: int) -> int:
        return bisect_right(self._begins[agent], at) - 1

    def _run(self, agent: str, at: int) -> tuple[int, int, str, str]:
        return self._runs[agent][self._place(agent, at)]


@cache
def _runs(schedule: str, middle: date) -> list[tuple[int, int, str, str]]:
    """Minute by minute: nothing here knows how `presence.shifts` does it."""
    return runs(parse(schedule), middle)


class Hands:
    """Who had how much at each commit: what was committed, replayed in its order. Says what is wrong with it."""

    def __init__(self, commits: Iterable[Commit], plan: Plan) -> None:
        self.wrong: list[str] = []
        self.holes = 0
        """Commits that nobody heard of: of a node that died on the way."""
        self.gives: list[tuple[Conversation, str, str | None]] = []
        """What came into whose hands, and out of whose."""
        self._plan = plan
        self._states: dict[str, Conversation] = {}
        self._used: Counter[str] = Counter()
        self._commit_of: dict[tuple[str, int], int] = {}
        self._before: list[Counter[str]] = []
        self._gained: list[Counter[str]] = []
        self._lost: list[Counter[str]] = []
        cursor = 0
        for commit in sorted((commit for commit in commits if commit.moves), key=lambda commit: commit.cursor):
            self.holes += commit.since != cursor
            self._replay(commit)
            cursor = commit.cursor

    def could_have(self, line: Line, agent: str, used: int) -> bool | None:
        """Whether the agent had so many when this was decided. A batch may have changed it more than once. None: nobody
        heard of that commit."""
        if self.holes:
            return True
        number = self._commit_of.get((line.conversation, line.at))
        if number is None:
            return None
        before = self._before[number][agent]
        return before - self._lost[number][agent] <= used <= before + self._gained[number][agent]

    def _replay(self, commit: Commit) -> None:
        before, gained, lost = self._used.copy(), Counter[str](), Counter[str]()
        number = len(self._before)
        for move in commit.moves:
            known, after = self._states.get(move.after.id), move.after
            stood, changed = known and known.cursor, move.before and move.before.cursor
            if stood != changed and not self.holes:
                self._complain(f"{after.id} was changed from cursor {changed}, but stood at {stood}")
            was, now = _holder(known), _holder(after)
            if was != now:
                for counter, by, whose in ((lost, -1, was), (gained, 1, now)):
                    if whose is not None:
                        counter[whose] += 1
                        self._used[whose] += by
                if now is not None:
                    self.gives.append((after, now, was))
            self._states[after.id] = after
            self._check_place(after)
            if after.routing is not None and after.routing.assigned_at:
                self._commit_of.setdefault((after.id, after.routing.assigned_at), number)
        for agent in gained:
            if self._used[agent] > self._plan.agents[agent].slots:
                self._complain(f"{agent} has {self._used[agent]} at cursor {commit.cursor}")
        self._before.append(before)
        self._gained.append(gained)
        self._lost.append(lost)

    def _check_place(self, state: Conversation) -> None:
        if (state.status == "open") != (state.assignee is not None) and state.status in ("open", "queued"):
            self._complain(f"{state.id} is {state.status} with {state.assignee} at cursor {state.cursor}")

    def _complain(self, what: str) -> None:
        self.wrong.append(what)


def _holder(state: Conversation | None) -> str | None:
    return state.assignee if state is not None and state.status == "open" else None


class Oracle:
    """`complaints` are what is wrong with a week; none is how it should be."""

    def __init__(self, plan: Plan, diary: Diary, found: Stored, times: Times) -> None:
        self._plan = plan
        self._diary = diary
        self._found = found
        self._grace = round(times.grace * 1000)
        self._wall = Wall(plan)
        self._hands = Hands(diary.commits, plan)
        self._chosen = _choices(diary.commits)
        self._unheard = 0

    def complaints(self) -> list[str]:
        """All of them, in words."""
        found = list(self._hands.wrong)
        for line in self._found.lines:
            found += [f"{line}: {what}" for what in self._about(line)]
        found += self._about_hands()
        found += self._about_states()
        found += [f"{each}: {what}" for each in self._found.statuses for what in self._about_status(each)]
        crashes = sum(what == "crash" for _, what in self._diary.faults)
        if max(self._hands.holes, self._unheard / ROWS) > crashes:
            found.append(f"{self._hands.holes} commits and {self._unheard} rows of decisions can't be replayed")
        return found

    # --- a decision -----------------------------------------------------------------------------------------------

    def _about(self, line: Line) -> Iterable[str]:
        if line.kind in ("routed", "transferred") and line.chosen is not None and line.candidates:
            chosen = [row for row in line.candidates if row.verdict == "chosen"]
            if [row.member for row in chosen] != [line.chosen]:
                yield f"chosen are {chosen}"
            for row in chosen:
                if row.status != "accepting_chats" or row.used >= row.slots:
                    yield f"was given to {row}"
        for row in line.candidates:
            yield from self._about_row(line, row)

    def _about_row(self, line: Line, row: Candidate) -> Iterable[str]:
        agent, at = row.member, line.at
        if row.slots != self._plan.agents[agent].slots:
            yield f"{agent} has {row.slots} slots"
        if row.availability not in self._availabilities(agent, at):
            yield f"{agent} was {self._availabilities(agent, at)}, not {row.availability}"
        could = self._hands.could_have(line, agent, row.used) if line.kind == "routed" else True
        self._unheard += could is None
        if could is False:
            yield f"{agent} hadn't {row.used} conversations"
        if row.reason == "unknown":
            if row.status != "offline" or self._diary.is_calm(at - SHAKEN, at):
                yield f"nobody knows of {agent}, who is {row.status}"
            return
        if row.shift != self._wall.state(agent, at):
            yield f"{agent} was {self._wall.state(agent, at)}, not {row.shift}"
        expected = {self._expected(row, used, at) for used in _counted(row)}
        if (row.status, row.reason) not in expected:
            yield f"{agent} should be {expected}, and is {row.status}, {row.reason}"
        yield from self._about_presence(row, at)

    def _expected(self, row: Candidate, used: int, at: int) -> tuple[str, str]:
        """The five facts, in the order in which they count."""
        if not row.is_present:
            return "offline", "not_present"
        shift = self._wall.state(row.member, at)
        if shift != "on_shift":
            return "offline", shift
        if row.availability != "available":
            return "not_accepting_chats", row.availability
        if self._wall.is_winding_down(row.member, at):
            return "not_accepting_chats", "winding_down"
        if used >= row.slots:
            return "not_accepting_chats", "full"
        return "accepting_chats", "free"

    def _about_presence(self, row: Candidate, at: int) -> Iterable[str]:
        """As some node knew it; and, while nothing is wrong, as it was."""
        diary, agent = self._diary, row.member
        if not diary.said_here(agent, at, row.is_present):
            yield f"no node said that {agent} is {'here' if row.is_present else 'gone'}"
        is_calm = diary.is_calm(at - SHAKEN, at)
        if row.is_present:
            reach = self._grace + SOON if is_calm else SHAKEN
            if not diary.was_connected(agent, at - reach, at):
                yield f"{agent} has been gone for {reach} ms"
            last = max((stay for stay in diary.stays[agent] if stay.began_at <= at), key=lambda stay: stay.began_at)
            if is_calm and last.is_for_good and last.ended_at is not None and last.ended_at < at - SOON:
                yield f"{agent} has signed out"
        elif is_calm and diary.stayed(agent, at - SOON, at):
            yield f"{agent} is here, and not for this decision"

    def _availabilities(self, agent: str, at: int) -> set[str]:
        """What the agent had chosen, or was set; in the very ms of a change, both."""
        choices = self._chosen.get(agent, [])
        place = bisect_right(choices, at, key=lambda choice: choice[0])
        found = {choices[place - 1][1] if place else "available"}
        while place and choices[place - 1][0] == at:
            place -= 1
            found.add(choices[place - 1][1] if place else "available")
        return found

    # --- everything else ------------------------------------------------------------------------------------------

    def _about_hands(self) -> Iterable[str]:
        """Nothing comes into anybody's hands but by a line of the log."""
        given = {(line.conversation, line.chosen, line.at) for line in self._found.lines if line.kind in GIVES}
        for state, now, was in self._hands.gives:
            at = state.routing.assigned_at if state.routing is not None else 0
            if (state.id, now, at) not in given:
                yield f"{state.id} came from {was} to {now} at cursor {state.cursor}, and nothing says why"

    def _about_states(self) -> Iterable[str]:
        """What the store has in the end is what was heard; a commit that nobody heard of is newer."""
        heard, kept = self._diary.states, self._found.states
        for id_ in heard.keys() - kept.keys():
            yield f"{id_} isn't in the store"
        for id_, state in kept.items():
            known = heard.get(id_)
            if (known is None or known.cursor != state.cursor) and not self._hands.holes:
                yield f"{id_} stands at {state.cursor}, and was heard of at {known and known.cursor}"

    def _about_status(self, line: Status) -> Iterable[str]:
        shift = self._wall.state(line.member, line.at)
        if line.reason in ("off_shift", "time_off") and line.reason != shift:
            yield f"it was {shift}"
        if line.status != "offline" and shift != "on_shift":
            yield f"it was {shift}"
        if line.status == "accepting_chats" and self._wall.is_winding_down(line.member, line.at):
            yield "it was winding down"


def _counted(row: Candidate) -> tuple[int, ...]:
    """How many slots were taken when the status was worked out: before others were given in the same run."""
    return (row.used, 0) if row.verdict == "full" else (row.used,)


def neglected(plan: Plan, diary: Diary, wall: Wall, at: int) -> list[str]:
    """What has waited at a moment (ms) for half a minute, though somebody of its team could take it all the time."""
    since = at - PATIENCE
    waits = [id_ for id_, waited_since in diary.waits.items() if waited_since < since]
    if not waits or not diary.is_calm(at - SHAKEN, at):
        return []
    used = Counter(diary.open.values())
    free: dict[str, list[str]] = defaultdict(list)
    for agent in plan.agents.values():
        is_free = used[agent.id] < agent.slots and _was_there(diary.members.get(agent.id), since)
        if is_free and wall.takes(agent.id, since, at) and diary.stayed(agent.id, since, at):
            for team in agent.teams:
                free[team].append(agent.id)
    team_of = {id_: diary.states[id_].team or "" for id_ in waits}
    return [f"{id_} waits since {diary.waits[id_]}, beside {free[team]}" for id_, team in team_of.items() if free[team]]


def kept(plan: Plan, diary: Diary, wall: Wall, times: Times, at: int) -> list[str]:
    """What is at a moment (ms) in the hands of somebody who should have it no more: who is at home and didn't want to
    finish it, hasn't answered in time, or has vanished."""
    if not diary.is_calm(at - SHAKEN, at):
        return []
    grace = round(times.grace * 1000)
    found = []
    for id_, agent in diary.open.items():
        routing, member = diary.states[id_].routing or Routing(), diary.members.get(agent)
        wants_to_finish = member is not None and member.finishes
        since = diary.held[id_]
        over = PATIENCE if diary.stayed(agent, at - PATIENCE, at) else PATIENCE + RING
        was_given = wall.state(agent, since) == "on_shift"  # whoever answers at home takes it by that, and may
        if was_given and not wants_to_finish and since < at - over and wall.is_off(agent, at - over, at):
            found.append(f"{id_} is since {since} in the hands of {agent}, who is off shift")
        if routing.unanswered and 0 < routing.answer_by < at - SOON:
            found.append(f"{id_} should have been answered by {agent} by {routing.answer_by}")
        allowed = grace + PATIENCE if routing.unanswered else grace + RETURN + PATIENCE + RING
        if since < at - allowed and not diary.was_connected(agent, at - allowed, at):
            found.append(f"{id_} is since {since} in the hands of {agent}, who has been gone for {allowed} ms")
    return [f"{at}: {each}" for each in found]


def _was_there(member: Member | None, since: int) -> bool:
    """Available, and with a free slot, for so long by what was written."""
    if member is None or member.availability != "available" or member.set_at > since:
        return False
    return member.status == "accepting_chats" and member.status_at <= since


def _choices(commits: Iterable[Commit]) -> dict[str, list[tuple[int, str]]]:
    """Of each agent, when (ms) it became what."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for commit in commits:
        for member in commit.members:
            if member.set_at:
                found[member.id][member.set_at] = member.availability
    return {agent: sorted(choices.items()) for agent, choices in found.items()}
