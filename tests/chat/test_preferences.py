"""What accounts, inboxes and teams may choose: defaults, bounds, and what another version wrote."""

from __future__ import annotations

import pytest
from msgspec import ValidationError, convert, to_builtins
from msgspec.structs import fields

from chat.model import TeamRules
from chat.preferences import AccountSettings, InboxSettings, TeamSettings, chosen


def test_what_is_not_said_is_as_it_is_usually() -> None:
    settings = chosen({}, AccountSettings)

    assert (settings.slots, settings.claims_beyond_slots, settings.idle_minutes, settings.log_days) == (
        4,
        True,
        10,
        400,
    )
    assert chosen({}, InboxSettings).schedule == ""


def test_a_team_chooses_what_routing_goes_by() -> None:
    of_routing = {each.name: each.default for each in fields(TeamRules)}

    assert {each.name: each.default for each in fields(TeamSettings)} == {
        name: default for name, default in of_routing.items() if name not in ("id", "members")
    }


def test_hours_are_read_as_the_text_that_schedules_are() -> None:
    hours = {"zone": "Asia/Bangkok", "weekly": {"mon": [["09:00", "18:00"]]}}

    settings = chosen(to_builtins(InboxSettings(hours=hours)), InboxSettings)

    assert settings.schedule == '{"zone":"Asia/Bangkok","weekly":{"mon":[["09:00","18:00"]]}}'


def test_what_cannot_be_read_counts_as_not_said_each_for_itself() -> None:
    stored = {"slots": "many", "zone": "Asia/Bangkok", "idle_minutes": -1, "log_days": 7, "of_tomorrow": [1]}

    assert chosen(stored, AccountSettings) == AccountSettings(zone="Asia/Bangkok", log_days=7)


@pytest.mark.parametrize(
    ("shape", "wrong"),
    [
        (AccountSettings, {"slots": -1}),
        (AccountSettings, {"slots": 501}),
        (AccountSettings, {"idle_minutes": 1441}),
        (AccountSettings, {"log_days": 0}),
        (AccountSettings, {"claims_beyond_slots": "yes"}),
        (TeamSettings, {"policy": "loudest"}),
        (TeamSettings, {"queue_limit": 0}),
        (TeamSettings, {"answer_seconds": 0}),
        (TeamSettings, {"bounces": 0}),
        (TeamSettings, {"overflow": ["tem"] * 11}),
    ],
)
def test_what_cannot_be_meant_is_refused(shape: type[object], wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        convert(wrong, shape)
