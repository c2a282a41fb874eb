"""Calendars as other tools write them."""

from __future__ import annotations


def an_event(*lines: str, title: str = "Shift", uid: str = "1") -> str:
    return "\r\n".join(("BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{title}", *lines, "END:VEVENT"))


def a_calendar(*events: str, zone: str = "Europe/Berlin", more: str = "") -> bytes:
    named = f"X-WR-TIMEZONE:{zone}\r\n" if zone else ""
    body = "\r\n".join(events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\n{named}{more}{body}\r\nEND:VCALENDAR\r\n".encode()


def a_span(start: str, end: str, zone: str = "Europe/Berlin") -> tuple[str, str]:
    """Its beginning and end: in UTC if they say Z, floating without a zone."""
    tzid = f";TZID={zone}" if zone and not start.endswith("Z") else ""
    return f"DTSTART{tzid}:{start}", f"DTEND{tzid}:{end}"
