"""What an admin can say, and what is refused with the name of the field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from presence import schedule as documents
from presence.schedule import ALWAYS, Dated, Schedule, Senseless, Week, check, parse


def a_document(**changes: Any) -> str:
    return json.dumps({"zone": "Europe/Berlin", **changes})


def refusal(document: str) -> Senseless:
    with pytest.raises(Senseless) as refused:
        parse(document)
    return refused.value


@pytest.mark.parametrize("document", ["", " \n", "{}"])
def test_an_empty_document_is_always(document: str) -> None:
    assert parse(document) == ALWAYS


def test_everything_that_can_be_said_is_read() -> None:
    document = a_document(
        weekly={"mon": [["09:00", "12:00"], ["22:00", "06:00"]], "sun": [["00:00", "24:00"]]},
        dates=[
            {"date": "2026-12-24", "hours": [["09:00", "12:00"]], "reason": "Christmas Eve"},
            {"date": "2026-12-28", "hours": []},
            {"date": "2026-12-28", "extra": [["18:00", "20:00"]]},
        ],
        time_off=[
            {"from": "2026-08-01", "to": "2026-08-01", "reason": "move"},
            {"from": "2026-09-01T12:00", "to": "2026-09-02T10:30Z"},
        ],
        holidays={"country": "DE", "subdivision": "BY"},
        starts="2026-01-01",
        ends="2027-06-30",
        wind_down_minutes=15,
    )
    schedule = parse(document)

    assert schedule.weekly is not None
    assert schedule.weekly.mon == (("09:00", "12:00"), ("22:00", "06:00"))
    assert [dated.hours for dated in schedule.dates] == [(("09:00", "12:00"),), (), None]
    assert schedule.time_off[1].end == "2026-09-02T10:30Z"
    assert parse(document) is schedule


def test_a_local_time_without_its_zone_is_refused() -> None:
    assert refusal('{"weekly":{}}').field == "zone"
    assert refusal('{"wind_down_minutes":5}').field == "zone"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"zone": "Berlin"}, "zone"),
        ({"zone": "../../etc"}, "zone"),
        ({"weekly": {"mon": [["9:00", "17:00"]]}}, "weekly.mon[0][0]"),
        ({"weekly": {"mon": [["09:00", "12:00"], ["24:00", "25:00"]]}}, "weekly.mon[1][0]"),
        ({"weekly": {"mon": [["09:00", "24:01"]]}}, "weekly.mon[0][1]"),
        ({"weekly": {"mon": [["09:00", "١٠:٠٠"]]}}, "weekly.mon[0][1]"),
        ({"weekly": {"mon": [["09:00"]]}}, "weekly.mon[0]"),
        ({"weekly": {"monday": []}}, "weekly"),
        ({"weekly": {"mon": [["00:00", "00:10"]] * 13}}, "weekly.mon"),
        ({"dates": [{"date": "2026-02-30", "hours": []}]}, "dates[0].date"),
        ({"dates": [{"date": "2026-02-01"}]}, "dates[0]"),
        ({"dates": [{"date": "2026-02-01", "hours": [], "extra": [["09:00", "10:00"]]}]}, "dates[0]"),
        ({"dates": [{"date": "2026-02-01", "hours": []}] * 2}, "dates[1].hours"),
        ({"dates": [{"date": "2026-02-01", "extra": [["a", "b"]]}]}, "dates[0].extra[0][0]"),
        ({"dates": [{"date": "2926-02-01", "hours": []}]}, "dates[0].date"),
        ({"dates": [{"date": "2026-02-01", "extra": [["09:00", "10:00"]]}] * 401}, "dates"),
        ({"dates": [{"date": "2026-02-01", "hours": [], "reason": "x" * 201}]}, "dates[0].reason"),
        ({"time_off": [{"from": "2026-02-02", "to": "2026-02-01"}]}, "time_off[0].to"),
        ({"time_off": [{"from": "2026-02-02T10:00", "to": "2026-02-02T10:00"}]}, "time_off[0].to"),
        ({"time_off": [{"from": "2026-02-02T10:00", "to": "2026-02-02T09:00Z"}]}, "time_off[0].to"),
        ({"time_off": [{"from": "soon", "to": "2026-02-01"}]}, "time_off[0].from"),
        ({"time_off": [{"from": "2026-02-01", "to": "2026-02-01T25:00"}]}, "time_off[0].to"),
        ({"time_off": [{"from": "2026-02-01", "to": "9999-12-31"}]}, "time_off[0].to"),
        ({"time_off": [{"from": "2026-02-01", "to": "2026-02-01"}] * 201}, "time_off"),
        ({"time_off": [{"from": "2026-02-01", "to": "2026-02-01", "reason": "x" * 201}]}, "time_off[0].reason"),
        ({"holidays": {"country": "XX"}}, "holidays"),
        ({"holidays": {"country": "DE", "subdivision": "XX"}}, "holidays"),
        ({"holidays": {"country": "HolidayBase"}}, "holidays.country"),
        ({"starts": "2026-05-02", "ends": "2026-05-01"}, "ends"),
        ({"starts": "0226-05-02"}, "starts"),
        ({"wind_down_minutes": 241}, "wind_down_minutes"),
        ({"wind_down_minutes": -1}, "wind_down_minutes"),
        ({"hours": []}, ""),
    ],
)
def test_nonsense_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    refused = refusal(a_document(**changes))

    assert refused.field == field
    assert str(refused).startswith(field)
    assert refused.why


def test_a_document_that_is_too_long_is_not_even_read() -> None:
    assert "32,768 characters" in str(refusal("{" + " " * documents.LONGEST))


def test_what_is_no_document_is_refused() -> None:
    assert refusal("always").why
    assert refusal("[]").why
    assert refusal('{"zone":null}').field == "zone"


def test_a_schedule_made_by_hand_is_checked_too() -> None:
    with pytest.raises(Senseless, match="no time of day"):
        check(Schedule(zone="UTC", weekly=Week(tue=(("09:00", "half past"),))))


def test_intervals_may_overlap() -> None:
    check(parse(a_document(weekly={"mon": [["09:00", "12:00"], ["11:00", "14:00"], ["22:00", "09:00"]]})))


def test_a_refusal_shows_no_more_of_the_document_than_needed() -> None:
    assert len(str(refusal(a_document(weekly={"mon": [["x" * 10_000, "y"]]})))) < 200
    assert len(str(refusal(a_document(time_off=[{"from": "x" * 10_000, "to": "y"}])))) < 200
    assert len(str(refusal(a_document(zone="x" * 10_000)))) < 200


def test_only_one_entry_of_a_date_says_its_hours_but_any_may_add_to_them() -> None:
    extra = [{"date": "2026-02-01", "extra": [["09:00", "10:00"]]}] * 3

    assert len(parse(a_document(dates=[*extra, {"date": "2026-02-01", "hours": []}])).dates) == 4
    assert Dated.__struct_fields__ == ("date", "hours", "extra", "reason")
