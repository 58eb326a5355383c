#!/usr/bin/env python3
"""Works out a table of schedules and when they are due, for the tests of `engine/src/schedule`.

    python3 engine/tests/cron/work_out.py > engine/tests/cron/table.json

It shares no method with the engine. The engine enumerates local times and turns each into an instant. This goes through
real time in small steps, asks the zone what the clock on the wall shows, and judges that by a plain reading of crontab(5).
Nothing is needed but Python 3.9 and the zones of the system.

The rules of days on which clocks are changed, as the engine promises them, read as what somebody sees who watches the clock:

* An expression that takes all 24 hours is due whenever the clock shows a matching time.
* Any other is due when the clock shows a matching time for the first time, and when the clock has just jumped over one.

The table uses days that are past, or rules that have been the same for many years, so that it is the same with any recent
edition of the time zone database (it was made with 2025b and with 2026f, to the byte).

What was checked against programs of others, with `--cross-check` (it needs `pip install croniter cronsim`):

* croniter 7.0: all 154 cron expressions whose clocks are not changed within two days of the stretch are the same, but two.
  It takes `sun-sun` for the whole week (here: Sunday), and `1,*` for a field that begins with a star (Vixie cron looks at the
  first character). Its answers about days on which clocks are changed do not follow cron(8), and were not used.
* cronsim 2.8, which promises what Debian's cron does: all 153 of these that it reads are the same (it refuses `fri-sun`). Of the
  239 on days on which clocks are changed that it reads, 218 are the same. The others are of three kinds. It lets an expression
  with a star in the minute, such as `*/10 2 * * *`, follow real time, and loses the whole of it in spring, as Debian's cron
  does; here the hours alone decide. It does the same with six fields. And asked within the repeated hour it answers with an
  instant that is past.
"""

import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MINUTE, HOUR, DAY = 60, 3600, 86400

# Nothing but @every is due after 2100.
HORIZON = datetime(2101, 1, 1)


# --- crontab(5) ---


def values(text, least, most, names=()):
    """The set of the values that a field takes."""

    def value(word):
        return names.index(word.lower()) + least if word.lower() in names else int(word)

    taken = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = least, most
        elif "-" in span:
            low, high = span.split("-")
            first, last = value(low), value(high)
            if high.lower() == "sun" and first > 0:
                last = 7
        else:
            first = last = value(span)
        taken.update(range(first, last + 1, int(step or 1)))
    return taken


class Cron:
    def __init__(self, text):
        fields = NICKNAMES.get(text.lower(), text).split()
        second = fields.pop(0) if len(fields) == 6 else "0"
        minute, hour, day, month, weekday = fields
        self.seconds = values(second, 0, 59)
        self.minutes = values(minute, 0, 59)
        self.hours = values(hour, 0, 23)
        self.days = values(day, 1, 31)
        self.months = values(month, 1, 12, MONTHS)
        self.weekdays = {number % 7 for number in values(weekday, 0, 7, DAYS)}
        self.both_days = day.startswith("*") or weekday.startswith("*")
        self.every_hour = self.hours == set(range(24))

    def on(self, date):
        in_month = date.day in self.days
        in_week = date.isoweekday() % 7 in self.weekdays
        matching = (in_month and in_week) if self.both_days else (in_month or in_week)
        return matching and date.month in self.months

    def at(self, time):
        return (
            time.second in self.seconds
            and time.minute in self.minutes
            and time.hour in self.hours
            and self.on(time)
        )


# --- what the clock on the wall shows ---


def wall(instant, zone):
    """The local time, without a zone, and whether the clock shows it for the second time."""
    shown = datetime.fromtimestamp(instant, zone)
    return shown.replace(tzinfo=None, fold=0), shown.fold == 1


def is_far_from_all(cron, midnight, zone):
    """Whether no date matches that the clock shows, or skips, about this day."""
    date = wall(midnight, zone)[0] - timedelta(days=1)
    last = wall(midnight + DAY, zone)[0] + timedelta(days=1)
    while date <= last:
        if cron.on(date):
            return False
        date += timedelta(days=1)
    return True


def cron_instants(cron, zone, after):
    step = MINUTE if cron.seconds == {0} else 1
    instant = (after // step + 1) * step
    before, _ = wall(instant - step, zone)
    while before < HORIZON:
        if instant % DAY == 0 and is_far_from_all(cron, instant, zone):
            instant += DAY
            before, _ = wall(instant - step, zone)
            continue
        shown, again = wall(instant, zone)
        if cron.every_hour:
            due = cron.at(shown)
        else:
            due = cron.at(shown) and not again
            skipped = before + timedelta(seconds=step)
            while skipped < shown and not due:
                due = cron.at(skipped)
                skipped += timedelta(seconds=step)
        if due and shown < HORIZON:
            yield instant
        instant, before = instant + step, shown


def every_instants(text, after):
    units = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1}
    interval, number = 0, ""
    for letter in text:
        if letter.isdigit():
            number += letter
        else:
            interval, number = interval + int(number) * units[letter], ""
    step = next(size for size in units.values() if interval % size == 0)
    instant = (after // step + 1) * step
    while True:
        if instant % interval == 0:
            yield instant
        instant += step


def instants(expression, zone, after):
    word, _, rest = expression.partition(" ")
    if word.lower() == "@every":
        return every_instants(rest, after)
    return cron_instants(Cron(expression), zone, after)


# --- the cases ---


def changes():
    """Expressions about the hour in which clocks are changed: zone, day before (UTC), and that hour."""
    for about, zone, after, hour in [
        ("spring", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
        ("autumn", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ("spring", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ("autumn", "America/New_York", "2026-10-31T12:00:00Z", 1),
        ("spring, half an hour", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ("autumn, half an hour", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 1),
        ("spring, at midnight", "America/Santiago", "2025-09-06T12:00:00Z", 0),
        ("autumn, before midnight", "America/Santiago", "2025-04-05T12:00:00Z", 23),
        ("Ramadan begins", "Africa/Casablanca", "2024-03-09T12:00:00Z", 2),
        ("Ramadan ends", "Africa/Casablanca", "2024-04-13T12:00:00Z", 2),
        ("spring, a quarter to the hour", "Pacific/Chatham", "2024-09-28T00:00:00Z", 2),
        ("autumn, a quarter to the hour", "Pacific/Chatham", "2024-04-06T00:00:00Z", 2),
        ("none", "Asia/Kolkata", "2026-03-28T12:00:00Z", 2),
        ("a day is skipped", "Pacific/Apia", "2011-12-29T12:00:00Z", 0),
    ]:
        before, behind = (hour - 1) % 24, (hour + 1) % 24
        for expression in [
            f"0 {hour} * * *",
            f"10 {hour} * * *",
            f"45 {hour} * * *",
            f"0 {behind} * * *",
            f"30 {before} * * *",
            f"*/10 {hour} * * *",
            f"59 {hour},{behind} * * *",
            f"0,30 {min(before, hour, behind)}-{max(before, hour, behind)} * * *",
            f"30 {hour} * * sat-sun",
            "0 */2 * * *",
            "*/20 0-22 * * *",
            "@hourly",
            "*/20 * * * *",
            "40 0-23 * * *",
            "@daily",
        ]:
            yield about, zone, after, 5, expression
        # Few of these: the steps are seconds.
        yield about, zone, after, 2, f"15 20 {hour} * * *"
        yield about, zone, after, 2, "30 59 * * * *"


def calendar():
    """Expressions on days on which no clock is changed, most of them after Saturday, 21 November 2026, noon."""
    noon = "2026-11-21T12:00:00Z"
    for about, expressions in {
        "plain": ["* * * * *", "30 2 * * *", "0 12 * * *", "1 12 * * *", "59 23 * * *", "5 4 1 * *", "0 0 24 12 *"],
        "lists": ["0 6,18 * * *", "1,2,3,58 13 * * *", "0 0 1,15,31 * *", "0 0 * 2,4 1", "7,3,3,1-2 0 * * *"],
        "ranges": ["0 9-17 * * *", "0-3 0 * * *", "0 0 28-31 * *", "0 0 * 11-12 *", "0 8 * * 1-5", "0 0 * * 5-7"],
        "steps": ["*/25 13 * * *", "*/7 * * * *", "0 */5 * * *", "0 0 */10 * *", "5 4 1 */6 *", "5-30/10 1 * * *"],
        "steps of ranges": ["0 8-18/4 * * *", "0 0 2-30/7 * *", "0 0 1 3-12/3 *", "0 0 * * 1-5/2", "*/59 0 * * *"],
        "steps in lists": ["*/30,5 3 * * *", "0 1-3,20-23/2 * * *", "0 0 1-7/3,20 * *"],
        "leading zeros": ["05 07 * * *", "00 00 01 01 *"],
        "names": ["0 0 * * Mon", "0 0 * JAN *", "0 0 1 jan,Jul *", "0 0 * feb-mar wed", "0 0 * * mon-fri/2"],
        "more names": ["0 0 * * tue,THU", "0 0 1 apr-jun *", "0 0 * dec sun,6"],
        "Sunday": ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 0,7", "0 0 * * fri-sun", "0 0 * * Sun-tue"],
        "more of Sunday": ["0 0 * * 6-7", "0 0 * * sat-sun", "0 0 * * 0-7", "0 0 * * 1-7", "0 0 * * sun-sun"],
        "either day": ["0 0 13 * fri", "0 0 1,15 * 3", "0 0 1-31 * fri", "0 0 31 * 0", "0 0 29 2 mon", "0 0 30 2 sat"],
        "either day, with steps": ["0 0 1-31/10 * tue", "0 0 13 * 0-6/3", "0 0 1,* * fri"],
        "both days, since one begins with a star": [
            "0 0 * * fri", "0 0 */2 * fri", "0 0 13 * */2", "0 0 13 * *", "0 0 */10 * 1-5", "0 0 *,5 * mon",
            "0 0 1 * *,3", "0 0 */31 * */3", "0 0 29 2 */7", "0 0 */1 * 1", "0 0 5 * */1",
        ],
        "ends of months": ["0 0 31 * *", "0 0 30 * *", "59 23 31 12 *", "0 0 31 1-6 *", "0 0 30 4,6 *", "0 0 29 * *"],
        "leap days": ["0 0 29 2 *", "30 12 29 feb *", "0 */12 29 2 *"],
        "seconds": ["* * * * * *", "*/20 * * * * *", "15 30 12 * * *", "0 0 0 * * 1", "10-12 0 13 * * *"],
        "more seconds": ["0 */30 * * * *", "59 59 12 21 11 *", "7,30-59/20 1 12-13 * * *"],
        "nicknames": ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "@Daily"],
        "intervals": ["@every 6h", "@every 90m", "@every 1h30m", "@every 1d", "@every 7s", "@every 5d2h3m4s"],
        "long intervals": ["@every 7d", "@every 366d", "@every 1d1s"],
        "never": ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 feb */3", "* * 30 2 *"],
    }.items():
        for expression in expressions:
            yield about, "UTC", noon, 5 if about not in ("leap days", "ends of months") else 4, expression
    for zone in ["Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago"]:
        for expression in ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@every 5h", "45 23 * * fri"]:
            yield "elsewhere", zone, noon, 3, expression
    for after, expression in [
        ("2026-11-21T01:59:59.999Z", "0 2 * * *"),
        ("2026-11-21T02:00:00Z", "0 2 * * *"),
        ("2026-11-21T02:00:00.001Z", "0 2 * * *"),
        ("2026-11-21T12:00:00.5Z", "* * * * * *"),
        ("1969-12-31T23:59:59.5Z", "0 0 * * *"),
        ("1969-12-31T17:59:59.5Z", "@every 6h"),
        ("2023-12-31T23:59:59Z", "* * * * *"),
        ("2024-02-28T23:59:59Z", "0 0 * * *"),
        ("2025-02-28T23:59:59Z", "0 0 * * *"),
        ("2024-01-31T00:00:00Z", "0 0 31 * *"),
        ("2032-03-01T00:00:00Z", "0 0 29 2 0"),
        ("2032-03-01T00:00:00Z", "0 0 29 2 */7"),
        ("2092-01-01T00:00:00Z", "0 0 29 2 *"),
        ("2098-06-01T00:00:00Z", "0 0 1 1 *"),
        ("2100-12-30T12:00:00Z", "0 0 * * *"),
    ]:
        yield "the instant asked about", "UTC", after, 3, expression
    # Asked within a repeated hour, at the end of a gap, and within a skipped day's last hour.
    for zone, after, expressions in [
        ("Europe/Berlin", "2026-10-25T00:30:00Z", ["30 2 * * *", "45 2 * * *", "0 * * * *", "*/30 2 * * *"]),
        ("Europe/Berlin", "2026-10-25T01:10:00Z", ["30 2 * * *", "45 2 * * *", "0 3 * * *", "*/15 * * * *"]),
        ("Europe/Berlin", "2026-03-29T01:00:00Z", ["30 2 * * *", "0 3 * * *", "0 * * * *", "*/30 2,3 * * *"]),
        ("Europe/Berlin", "2026-03-29T00:59:59Z", ["30 2 * * *", "* * 2 * * *", "* * * * * *", "10 59 1-2 * * *"]),
        ("Australia/Lord_Howe", "2026-04-04T14:59:00Z", ["* * * * *", "45 1 * * *", "*/15 1-2 * * *"]),
        ("Australia/Lord_Howe", "2026-04-04T15:10:00Z", ["* * * * *", "45 1 * * *", "0 2 * * *"]),
        ("America/Santiago", "2025-04-06T03:30:00Z", ["30 23 * * *", "@daily", "15 * * * *"]),
        ("Pacific/Apia", "2011-12-30T09:30:00Z", ["0 12 30 12 *", "30 * * * fri", "0 9-17 * * 5", "@weekly"]),
    ]:
        for expression in expressions:
            yield "in the midst of a change", zone, after, 4, expression


def cases():
    for about, zone, after, count, expression in [*calendar(), *changes()]:
        since = datetime.fromisoformat(after.replace("Z", "+00:00")).timestamp()
        due = instants(expression, ZoneInfo(zone), since // 1)
        found = [int(instant) for _, instant in zip(range(count), due)]
        local = [datetime.fromtimestamp(instant, ZoneInfo(zone)).isoformat() for instant in found]
        case = {"about": about, "expression": expression, "zone": zone, "after": after, "next": local}
        # Fewer than were asked for: after these there are none.
        yield case if len(found) == count else {**case, "ends": True}


# --- the programs of others ---


def cross_check():
    """Compares the table with croniter and cronsim, where they read the same language."""
    import croniter
    import cronsim

    counts = {}
    for case in cases():
        expression, zone = case["expression"], ZoneInfo(case["zone"])
        if expression.startswith("@every") or not case["next"] or case["after"] < "1970":
            continue
        fields = NICKNAMES.get(expression.lower(), expression)
        after = datetime.fromisoformat(case["after"].replace("Z", "+00:00")).astimezone(zone)
        expected = [datetime.fromisoformat(text) for text in case["next"]]
        hours = range(-48, int((expected[-1] - after).total_seconds() // HOUR) + 48)
        offsets = {(after.astimezone(timezone.utc) + timedelta(hours=hour)).astimezone(zone).utcoffset() for hour in hours}
        changing = len(offsets) > 1
        for name in ["croniter", "cronsim"]:
            try:
                if name == "croniter":
                    it = croniter.croniter(
                        fields, after, ret_type=datetime, implement_cron_bug=True, second_at_beginning=True
                    )
                else:
                    it = cronsim.CronSim(fields, after)
                found = [next(it).astimezone(timezone.utc) for _ in expected]
            except Exception as error:  # what they cannot read, they refuse in many ways
                outcome, found = "refused", error
            else:
                outcome = "same" if found == [due.astimezone(timezone.utc) for due in expected] else "other"
            key = (name, "change" if changing else "no change", outcome)
            counts[key] = counts.get(key, 0) + 1
            if outcome != "same":
                shown = found if outcome == "refused" else [due.astimezone(zone).isoformat() for due in found]
                print(*key[:2], case["about"], repr(expression), case["zone"], case["after"], outcome, sep="; ")
                print("   ours", case["next"], "\n   theirs", shown)
    for key, count in sorted(counts.items()):
        print(*key, count)


def main():
    if "--cross-check" in sys.argv:
        cross_check()
    else:
        print("[", ",\n".join(json.dumps(case) for case in cases()), "]", sep="\n")


if __name__ == "__main__":
    main()
