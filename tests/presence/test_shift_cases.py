"""Nights and days worked out by hand, from what the laws say about clocks and holidays.

Each case names the local clock on the left: the hours of every day in that zone, then a moment and the answer in UTC.
A night shift from 22:00 to 06:00 has eight hours, seven or nine in a night of change: that is how most can be checked.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from presence.shifts import Shift, parse, shift_at

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ON, OFF, AWAY = "on_shift", "off_shift", "time_off"

# Where it is written. "tz 2021b" is the announcement of that release of the time zone database (its file NEWS).
SOURCES = {
    "US": "15 U.S. Code 260a: 02:00 of March's second Sunday to 02:00 of November's first",
    "US2007": "Energy Policy Act of 2005, section 110: so since 2007, before April's first Sunday to October's last",
    "EU": "Directive 2000/84/EC: 01:00 UTC of March's last Sunday to 01:00 UTC of October's last",
    "GB": "Summer Time Act 1972 with the Summer Time Order 2002: as the EU, from GMT",
    "IL": "Time Determination Law as of 2013: 02:00 of the Friday before March's last Sunday to October's last Sunday",
    "IL2005": "the same as of 2005: to the Sunday between Rosh Hashana and Yom Kippur, in 2012 23 September",
    "TH": "tz, file asia, Zone Asia/Bangkok: +07 since 1920, no summer time",
    "TR": "Decision 2016/9154 of the Council of Ministers, 7 September 2016: summer time stays; tz 2016g",
    "TR2015": "tz 2015g: Turkey puts clocks back on 8 November 2015 at 04:00, after the election",
    "LH": "tz, file australasia, Rules LH: half an hour at 02:00 of October's first Sunday and April's first",
    "AU": "Standard Time Act 1987 (NSW) and Daylight Saving Act 1971 (SA): the same Sundays, a whole hour",
    "QLD": "tz, file australasia, Zone Australia/Brisbane: no summer time since 1992",
    "WS": "International Date Line Act 2011 (Samoa): after 29 December 2011 comes 31 December",
    "WS2021": "tz 2021b: Samoa no longer observes DST",
    "NZ": "Daylight Time Order 2007 (New Zealand): 02:00 of September's last Sunday, 03:00 of April's first",
    "HALF": "tz: Asia/Kathmandu +05:45, Asia/Kolkata +05:30, Australia/Eucla +08:45, all without summer time",
    "EG": "Law 24 of 2023 (Egypt): April's last Friday 00:00 to October's last Thursday 24:00; tz 2023a",
    "EG2022": "tz 2016f to 2022: no summer time in Egypt",
    "CU": "tz, file northamerica, Rule Cuba 2012 and later: back at 01:00 to 00:00 of November's first Sunday",
    "BC": "Province of British Columbia, news release 2026AG0013-000209: March 2026 was the last change; tz 2026b",
    "MA": "tz, file africa, Rule Morocco 2025: back on 23 February at 03:00 for Ramadan, ahead on 6 April at 02:00",
    "PY": "Law 7354 of 2024 (Paraguay): -03 for good from October 2024; tz 2025a",
    "PY2024": "tz, file southamerica, Rule Para 2013 to 2024: back at 00:00 of March's fourth Sunday",
    "MX": "Ley de los Husos Horarios en los Estados Unidos Mexicanos, 28 October 2022; tz 2022f",
    "MX2022": "tz, file northamerica, Rule Mexico 2002 to 2022: ahead at 02:00 of April's first Sunday",
    "JO": "tz 2022e: Jordan stays at +03 in October 2022",
    "JO2021": "tz, file asia, Rule Jordan 2014 to 2021: back at 01:00 of October's last Friday",
    "IR": "tz 2022b: Iran plans to stop observing DST permanently, after 21 September 2022",
    "IR2022": "tz, file asia, Rule Iran 2021 to 2022: ahead at 24:00 of 21 March",
    "BR": "Decreto 9.772 of 25 April 2019: no summer time any more; tz 2019b",
    "BR2018": "Decreto 9.242 of 15 December 2017: ahead at 00:00 of November's first Sunday",
    "VE": "tz 2016d: Venezuela goes from -04:30 to -04 on 1 May 2016 at 02:30",
    "KP2015": "tz 2015f: North Korea goes from +09 to +08:30 on 15 August 2015 at 00:00",
    "KP2018": "tz 2018e: North Korea goes back to +09 on 4 May 2018 at 23:30",
    "RU2011": "Federal Law 107-FZ of 3 June 2011: after 27 March 2011 clocks stay",
    "RU2014": "Federal Law 248-FZ of 21 July 2014: back by an hour on 26 October 2014 at 02:00; tz 2014f",
    "KZ": "tz 2024a: Kazakhstan unifies on UTC+5, on 1 March 2024 at 00:00",
    "GL": "tz 2022g and 2023a: Nuuk goes from -03 to -02 with its last change, 25 March 2023 at 22:00",
    "TROLL": "tz, file antarctica, Rule Troll: two hours at 01:00 UTC, on the days of the EU",
    "LB": "tz 2023c: Model Lebanon's DST chaos by reverting data to tzdb 2023a: 26 March 2023 at 00:00",
    "PS": "tz 2023a: Palestine delays its spring forward to 29 April 2023, at 02:00",
    "HOL-US": "5 U.S. Code 6103: Thanksgiving Day is November's fourth Thursday",
    "HOL-DE": "Einigungsvertrag, article 2 (2): 3 October",
    "HOL-GB": "Banking and Financial Dealings Act 1971, schedule 1, and Good Friday: Easter 2026 is 5 April",
    "HOL-IL": "Law and Administration Ordinance 1948, section 18A: Yom Kippur, in 2026 21 September",
    "HOL-TH": "Bank of Thailand, holidays of financial institutions 2026: Songkran, 13 to 15 April",
    "HOL-TR": "Law 2429 on national and general holidays: Republic Day, 29 October",
    "OURS": "docs/shifts.md",
}


class Case(NamedTuple):
    source: str
    zone: str
    hours: str
    """Of every day; after a colon of these alone."""
    at: str
    state: str
    since: str | None
    until: str | None
    more: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


CASES = [
    # New York: -05, in summer -04. 2026: 8 March and 1 November.
    Case("US", "America/New_York", "22:00-06:00", "2026-03-08 05:00", ON, "2026-03-08 03:00", "2026-03-08 10:00"),
    Case("US", "America/New_York", "22:00-06:00", "2026-11-01 05:00", ON, "2026-11-01 02:00", "2026-11-01 11:00"),
    Case("US", "America/New_York", "09:00-17:00", "2026-03-07 15:00", ON, "2026-03-07 14:00", "2026-03-07 22:00"),
    Case("US", "America/New_York", "09:00-17:00", "2026-03-08 15:00", ON, "2026-03-08 13:00", "2026-03-08 21:00"),
    Case("US", "America/New_York", "09:00-17:00", "2026-03-08 00:00", OFF, "2026-03-07 22:00", "2026-03-08 13:00"),
    Case("US", "America/New_York", "02:30-06:00", "2026-03-08 07:00", ON, "2026-03-08 07:00", "2026-03-08 10:00"),
    Case("US", "America/New_York", "00:00-02:30", "2026-03-08 06:59", ON, "2026-03-08 05:00", "2026-03-08 07:00"),
    Case("US", "America/New_York", "02:00-03:00", "2026-03-08 07:00", OFF, "2026-03-07 08:00", "2026-03-09 06:00"),
    Case("US", "America/New_York", "02:15-03:15", "2026-03-08 07:00", ON, "2026-03-08 07:00", "2026-03-08 07:15"),
    Case("US", "America/New_York", "01:30-06:00", "2026-11-01 05:30", ON, "2026-11-01 05:30", "2026-11-01 11:00"),
    Case("US", "America/New_York", "22:00-01:30", "2026-11-01 05:29", ON, "2026-11-01 02:00", "2026-11-01 05:30"),
    Case("US", "America/New_York", "22:00-01:30", "2026-11-01 06:15", OFF, "2026-11-01 05:30", "2026-11-02 03:00"),
    Case("US", "America/New_York", "01:00-02:00", "2026-11-01 06:30", ON, "2026-11-01 05:00", "2026-11-01 07:00"),
    Case("US", "America/New_York", "00:00-24:00:sun", "2026-03-08 06:00", ON, "2026-03-08 05:00", "2026-03-09 04:00"),
    Case("US", "America/New_York", "00:00-24:00:sun", "2026-11-01 06:00", ON, "2026-11-01 04:00", "2026-11-02 05:00"),
    Case("US", "America/St_Johns", "22:00-06:00", "2026-03-08 05:00", ON, "2026-03-08 01:30", "2026-03-08 08:30"),
    Case("US2007", "America/New_York", "22:00-06:00", "2007-03-11 05:00", ON, "2007-03-11 03:00", "2007-03-11 10:00"),
    Case("US2007", "America/New_York", "22:00-06:00", "2006-03-12 05:00", ON, "2006-03-12 03:00", "2006-03-12 11:00"),
    Case("US2007", "America/New_York", "22:00-06:00", "2006-04-02 05:00", ON, "2006-04-02 03:00", "2006-04-02 10:00"),
    Case("US2007", "America/New_York", "22:00-06:00", "2006-10-29 05:00", ON, "2006-10-29 02:00", "2006-10-29 11:00"),
    Case("US2007", "America/New_York", "22:00-06:00", "2007-10-28 05:00", ON, "2007-10-28 02:00", "2007-10-28 10:00"),
    # Europe. 2026: 29 March and 25 October.
    Case("EU", "Europe/Berlin", "22:00-06:00", "2026-03-29 00:00", ON, "2026-03-28 21:00", "2026-03-29 04:00"),
    Case("EU", "Europe/Berlin", "22:00-06:00", "2026-10-25 00:30", ON, "2026-10-24 20:00", "2026-10-25 05:00"),
    Case("EU", "Europe/Berlin", "02:00-03:00", "2026-10-25 01:30", ON, "2026-10-25 00:00", "2026-10-25 02:00"),
    Case("EU", "Europe/Berlin", "02:00-03:00", "2026-03-29 01:00", OFF, "2026-03-28 02:00", "2026-03-30 00:00"),
    Case("EU", "Europe/Athens", "22:00-06:00", "2026-03-29 00:00", ON, "2026-03-28 20:00", "2026-03-29 03:00"),
    Case("EU", "Europe/Lisbon", "00:00-06:00", "2026-10-25 00:30", ON, "2026-10-24 23:00", "2026-10-25 06:00"),
    Case("EU", "Atlantic/Azores", "00:00-08:00", "2026-03-29 02:00", ON, "2026-03-29 01:00", "2026-03-29 08:00"),
    Case("GB", "Europe/London", "22:00-06:00", "2026-03-29 00:00", ON, "2026-03-28 22:00", "2026-03-29 05:00"),
    Case("GB", "Europe/London", "00:30-01:30", "2026-03-29 00:45", ON, "2026-03-29 00:30", "2026-03-29 01:00"),
    # Israel: +02, in summer +03. 2026: Friday 27 March and Sunday 25 October.
    Case("IL", "Asia/Jerusalem", "22:00-06:00", "2026-03-27 00:00", ON, "2026-03-26 20:00", "2026-03-27 03:00"),
    Case("IL", "Asia/Jerusalem", "22:00-06:00", "2026-10-24 23:00", ON, "2026-10-24 19:00", "2026-10-25 04:00"),
    Case("IL", "Asia/Jerusalem", "01:00-02:00", "2026-10-24 23:30", ON, "2026-10-24 22:00", "2026-10-25 00:00"),
    Case(
        "IL",
        "Asia/Jerusalem",
        "09:00-17:00:sun,mon,tue,wed,thu",
        "2026-03-27 10:00",
        OFF,
        "2026-03-26 15:00",
        "2026-03-29 06:00",
    ),
    Case("IL", "Asia/Jerusalem", "22:00-06:00", "2013-10-26 23:00", ON, "2013-10-26 19:00", "2013-10-27 04:00"),
    Case("IL2005", "Asia/Jerusalem", "22:00-06:00", "2012-09-22 23:00", ON, "2012-09-22 19:00", "2012-09-23 04:00"),
    Case("IL2005", "Asia/Jerusalem", "22:00-06:00", "2012-10-27 23:00", ON, "2012-10-27 20:00", "2012-10-28 04:00"),
    # Thailand, Turkey
    Case("TH", "Asia/Bangkok", "22:00-06:00", "2026-03-28 18:00", ON, "2026-03-28 15:00", "2026-03-28 23:00"),
    Case("TH", "Asia/Bangkok", "09:00-17:00", "2026-07-01 02:00", ON, "2026-07-01 02:00", "2026-07-01 10:00"),
    Case("TR", "Europe/Istanbul", "22:00-06:00", "2016-10-30 00:00", ON, "2016-10-29 19:00", "2016-10-30 03:00"),
    Case("TR", "Europe/Istanbul", "22:00-06:00", "2026-03-29 00:00", ON, "2026-03-28 19:00", "2026-03-29 03:00"),
    Case("TR2015", "Europe/Istanbul", "22:00-06:00", "2015-10-25 00:00", ON, "2015-10-24 19:00", "2015-10-25 03:00"),
    Case("TR2015", "Europe/Istanbul", "22:00-06:00", "2015-11-08 00:00", ON, "2015-11-07 19:00", "2015-11-08 04:00"),
    # Australia and the Pacific. Lord Howe: +10:30, in summer +11. 2026: 5 April and 4 October.
    Case("LH", "Australia/Lord_Howe", "22:00-06:00", "2026-10-03 15:00", ON, "2026-10-03 11:30", "2026-10-03 19:00"),
    Case("LH", "Australia/Lord_Howe", "22:00-06:00", "2026-04-04 15:00", ON, "2026-04-04 11:00", "2026-04-04 19:30"),
    Case("LH", "Australia/Lord_Howe", "02:15-06:00", "2026-10-03 15:30", ON, "2026-10-03 15:30", "2026-10-03 19:00"),
    Case("LH", "Australia/Lord_Howe", "01:45-06:00", "2026-04-04 15:10", ON, "2026-04-04 14:45", "2026-04-04 19:30"),
    Case("AU", "Australia/Sydney", "22:00-06:00", "2026-10-03 15:00", ON, "2026-10-03 12:00", "2026-10-03 19:00"),
    Case("AU", "Australia/Sydney", "22:00-06:00", "2026-04-04 15:00", ON, "2026-04-04 11:00", "2026-04-04 20:00"),
    Case("AU", "Australia/Adelaide", "22:00-06:00", "2026-10-03 15:00", ON, "2026-10-03 12:30", "2026-10-03 19:30"),
    Case("QLD", "Australia/Brisbane", "22:00-06:00", "2026-10-03 15:00", ON, "2026-10-03 12:00", "2026-10-03 20:00"),
    Case("NZ", "Pacific/Chatham", "22:00-06:00", "2026-09-26 12:00", ON, "2026-09-26 09:15", "2026-09-26 16:15"),
    Case("NZ", "Pacific/Chatham", "22:00-06:00", "2026-04-04 12:00", ON, "2026-04-04 08:15", "2026-04-04 17:15"),
    # Samoa: 29 December 2011 was at -10, 31 December at +14, and there was nothing between
    Case("WS", "Pacific/Apia", "09:00-17:00", "2011-12-29 20:00", ON, "2011-12-29 19:00", "2011-12-30 03:00"),
    Case("WS", "Pacific/Apia", "09:00-17:00", "2011-12-30 12:00", OFF, "2011-12-30 03:00", "2011-12-30 19:00"),
    Case("WS", "Pacific/Apia", "22:00-06:00", "2011-12-30 10:00", ON, "2011-12-30 08:00", "2011-12-30 16:00"),
    Case("WS", "Pacific/Apia", "09:00-17:00:fri", "2011-12-30 12:00", OFF, "2011-12-24 03:00", "2012-01-05 19:00"),
    Case("WS2021", "Pacific/Apia", "22:00-06:00", "2021-09-25 12:00", ON, "2021-09-25 09:00", "2021-09-25 17:00"),
    # Halves and quarters of an hour
    Case("HALF", "Asia/Kathmandu", "09:00-17:00", "2026-05-01 05:00", ON, "2026-05-01 03:15", "2026-05-01 11:15"),
    Case("HALF", "Asia/Kolkata", "09:00-17:00", "2026-05-01 05:00", ON, "2026-05-01 03:30", "2026-05-01 11:30"),
    Case("HALF", "Australia/Eucla", "09:00-17:00", "2026-05-01 05:00", ON, "2026-05-01 00:15", "2026-05-01 08:15"),
    # Clocks that are changed at midnight, so that a day begins late or a midnight comes twice
    Case("EG", "Africa/Cairo", "00:00-08:00", "2026-04-24 00:00", ON, "2026-04-23 22:00", "2026-04-24 05:00"),
    Case("EG", "Africa/Cairo", "22:00-06:00", "2026-10-30 00:00", ON, "2026-10-29 19:00", "2026-10-30 04:00"),
    Case("EG", "Africa/Cairo", "23:00-24:00", "2026-10-29 21:30", ON, "2026-10-29 20:00", "2026-10-29 22:00"),
    Case("EG2022", "Africa/Cairo", "22:00-06:00", "2022-04-29 00:00", ON, "2022-04-28 20:00", "2022-04-29 04:00"),
    Case("CU", "America/Havana", "22:00-06:00", "2025-11-02 05:00", ON, "2025-11-02 02:00", "2025-11-02 11:00"),
    Case("CU", "America/Havana", "00:00-01:00", "2025-11-02 05:30", ON, "2025-11-02 04:00", "2025-11-02 06:00"),
    Case("BR2018", "America/Sao_Paulo", "22:00-06:00", "2018-11-04 02:00", ON, "2018-11-04 01:00", "2018-11-04 08:00"),
    Case("BR2018", "America/Sao_Paulo", "00:00-06:00", "2018-11-04 03:00", ON, "2018-11-04 03:00", "2018-11-04 08:00"),
    Case("PY2024", "America/Asuncion", "22:00-06:00", "2024-03-24 02:00", ON, "2024-03-24 01:00", "2024-03-24 10:00"),
    Case("GL", "America/Nuuk", "22:00-06:00", "2023-03-26 01:00", ON, "2023-03-26 01:00", "2023-03-26 08:00"),
    Case("LB", "Asia/Beirut", "22:00-06:00", "2023-03-25 23:00", ON, "2023-03-25 20:00", "2023-03-26 03:00"),
    # Two hours
    Case("TROLL", "Antarctica/Troll", "22:00-06:00", "2026-03-29 00:00", ON, "2026-03-28 22:00", "2026-03-29 04:00"),
    Case("TROLL", "Antarctica/Troll", "22:00-06:00", "2026-10-25 00:00", ON, "2026-10-24 20:00", "2026-10-25 06:00"),
    # Zones that have changed their rules
    Case("BC", "America/Vancouver", "22:00-06:00", "2025-11-02 08:00", ON, "2025-11-02 05:00", "2025-11-02 14:00"),
    Case("BC", "America/Vancouver", "22:00-06:00", "2026-11-01 08:00", ON, "2026-11-01 05:00", "2026-11-01 13:00"),
    Case("MA", "Africa/Casablanca", "22:00-06:00", "2025-02-23 01:00", ON, "2025-02-22 21:00", "2025-02-23 06:00"),
    Case("MA", "Africa/Casablanca", "22:00-06:00", "2025-04-06 01:00", ON, "2025-04-05 22:00", "2025-04-06 05:00"),
    Case("PY", "America/Asuncion", "22:00-06:00", "2025-03-23 02:00", ON, "2025-03-23 01:00", "2025-03-23 09:00"),
    Case(
        "MX2022", "America/Mexico_City", "22:00-06:00", "2022-04-03 05:00", ON, "2022-04-03 04:00", "2022-04-03 11:00"
    ),
    Case("MX", "America/Mexico_City", "22:00-06:00", "2023-04-02 05:00", ON, "2023-04-02 04:00", "2023-04-02 12:00"),
    Case("JO2021", "Asia/Amman", "22:00-06:00", "2021-10-28 21:00", ON, "2021-10-28 19:00", "2021-10-29 04:00"),
    Case("JO", "Asia/Amman", "22:00-06:00", "2022-10-27 21:00", ON, "2022-10-27 19:00", "2022-10-28 03:00"),
    Case("IR2022", "Asia/Tehran", "22:00-06:00", "2022-03-21 21:00", ON, "2022-03-21 18:30", "2022-03-22 01:30"),
    Case("IR", "Asia/Tehran", "22:00-06:00", "2023-03-21 21:00", ON, "2023-03-21 18:30", "2023-03-22 02:30"),
    Case("BR", "America/Sao_Paulo", "22:00-06:00", "2019-11-03 02:00", ON, "2019-11-03 01:00", "2019-11-03 09:00"),
    Case("VE", "America/Caracas", "22:00-06:00", "2016-05-01 05:00", ON, "2016-05-01 02:30", "2016-05-01 10:00"),
    Case("KP2015", "Asia/Pyongyang", "22:00-06:00", "2015-08-14 15:00", ON, "2015-08-14 13:00", "2015-08-14 21:30"),
    Case("KP2018", "Asia/Pyongyang", "22:00-06:00", "2018-05-04 15:00", ON, "2018-05-04 13:30", "2018-05-04 21:00"),
    Case("RU2011", "Europe/Moscow", "22:00-06:00", "2011-03-26 21:00", ON, "2011-03-26 19:00", "2011-03-27 02:00"),
    Case("RU2011", "Europe/Moscow", "22:00-06:00", "2011-10-29 21:00", ON, "2011-10-29 18:00", "2011-10-30 02:00"),
    Case("RU2014", "Europe/Moscow", "22:00-06:00", "2014-10-25 21:00", ON, "2014-10-25 18:00", "2014-10-26 03:00"),
    Case("KZ", "Asia/Almaty", "22:00-06:00", "2024-02-29 20:00", ON, "2024-02-29 16:00", "2024-03-01 01:00"),
    Case("GL", "America/Nuuk", "22:00-06:00", "2023-10-29 02:00", ON, "2023-10-29 00:00", "2023-10-29 08:00"),
    Case("PS", "Asia/Gaza", "22:00-06:00", "2023-04-28 22:00", ON, "2023-04-28 20:00", "2023-04-29 03:00"),
    # Public holidays
    Case(
        "HOL-US",
        "America/New_York",
        "09:00-17:00:mon,tue,wed,thu,fri",
        "2026-11-26 15:00",
        OFF,
        "2026-11-25 22:00",
        "2026-11-27 14:00",
        {"holidays": {"country": "US"}},
    ),
    Case(
        "HOL-DE",
        "Europe/Berlin",
        "09:00-17:00:mon,tue,wed,thu,fri",
        "2025-10-03 10:00",
        OFF,
        "2025-10-02 15:00",
        "2025-10-06 07:00",
        {"holidays": {"country": "DE"}},
    ),
    Case(
        "HOL-GB",
        "Europe/London",
        "09:00-17:00:mon,tue,wed,thu,fri",
        "2026-04-04 10:00",
        OFF,
        "2026-04-02 16:00",
        "2026-04-07 08:00",
        {"holidays": {"country": "GB", "subdivision": "ENG"}},
    ),
    Case(
        "HOL-IL",
        "Asia/Jerusalem",
        "09:00-17:00:sun,mon,tue,wed,thu",
        "2026-09-21 10:00",
        OFF,
        "2026-09-20 14:00",
        "2026-09-22 06:00",
        {"holidays": {"country": "IL"}},
    ),
    Case(
        "HOL-TH",
        "Asia/Bangkok",
        "09:00-17:00:mon,tue,wed,thu,fri",
        "2026-04-14 05:00",
        OFF,
        "2026-04-10 10:00",
        "2026-04-16 02:00",
        {"holidays": {"country": "TH"}},
    ),
    Case(
        "HOL-TR",
        "Europe/Istanbul",
        "09:00-17:00:mon,tue,wed,thu,fri",
        "2026-10-29 10:00",
        OFF,
        "2026-10-28 14:00",
        "2026-10-30 06:00",
        {"holidays": {"country": "TR"}},
    ),
    # What an admin has said, in nights of change
    Case(
        "OURS",
        "America/New_York",
        "09:00-17:00",
        "2026-03-08 12:00",
        AWAY,
        "2026-03-08 05:00",
        "2026-03-09 04:00",
        {"time_off": [{"from": "2026-03-08", "to": "2026-03-08"}]},
    ),
    Case(
        "OURS",
        "America/New_York",
        "09:00-17:00",
        "2026-11-01 12:00",
        AWAY,
        "2026-11-01 04:00",
        "2026-11-02 05:00",
        {"time_off": [{"from": "2026-11-01", "to": "2026-11-01"}]},
    ),
    Case(
        "OURS",
        "Pacific/Apia",
        "09:00-17:00",
        "2011-12-30 12:00",
        OFF,
        "2011-12-30 03:00",
        "2011-12-30 19:00",
        {"time_off": [{"from": "2011-12-30", "to": "2011-12-30"}]},
    ),
    Case(
        "OURS",
        "Europe/Berlin",
        "22:00-06:00",
        "2026-10-25 01:30",
        OFF,
        "2026-10-25 00:30",
        "2026-10-25 21:00",
        {"dates": [{"date": "2026-10-24", "hours": [["22:00", "02:30"]]}]},
    ),
    Case(
        "OURS",
        "Europe/Berlin",
        "22:00-06:00",
        "2026-03-29 03:00",
        ON,
        "2026-03-28 21:00",
        "2026-03-29 04:00",
        {"ends": "2026-03-28"},
    ),
    Case(
        "OURS",
        "Europe/Berlin",
        "22:00-06:00",
        "2026-03-29 04:00",
        OFF,
        "2026-03-29 04:00",
        None,
        {"ends": "2026-03-28"},
    ),
]


def answer(case: Case) -> Shift:
    clocks, days = case.hours[:11], case.hours[12:]
    weekly = {day: [clocks.split("-")] for day in (days.split(",") if days else DAYS)}
    document = json.dumps({"zone": case.zone, "weekly": weekly, **case.more})
    return shift_at(parse(document), round(datetime.fromisoformat(f"{case.at}+00:00").timestamp() * 1000))


def utc(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.zone} {case.hours} {case.at}")
def test_the_answer_is_what_the_law_says(case: Case) -> None:
    shift = answer(case)

    assert (shift.state, utc(shift.since), utc(shift.until)) == (case.state, case.since, case.until)


def test_every_case_has_a_source_and_every_source_a_case() -> None:
    assert {case.source for case in CASES} == set(SOURCES)
    assert len(CASES) >= 60
