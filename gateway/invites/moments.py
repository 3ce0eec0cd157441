"""When a call is, in words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import (
    format_date,
    format_time,
    get_timezone_gmt,
    get_timezone_name,
)

from gateway.invites.model import MailContent


def when(content: MailContent) -> str:
    """The window in words: the guest's language and time zone."""
    locale = Locale.parse(content.language)
    zone = ZoneInfo(content.time_zone)
    start = datetime.fromtimestamp(content.starts_at, zone)
    end = datetime.fromtimestamp(content.ends_at, zone)

    def day(at: datetime) -> str:
        return format_date(at.date(), "full", locale=locale)

    def time(at: datetime) -> str:
        return format_time(at.timetz(), "short", tzinfo=zone, locale=locale)

    zone_name = get_timezone_name(start, "long", locale=locale)
    offset = get_timezone_gmt(start, "long", locale=locale)
    until = time(end) if end.date() == start.date() else f"{day(end)}, {time(end)}"
    named = zone_name if zone_name == offset else f"{zone_name}, {offset}"
    text = f"{day(start)}, {time(start)} – {until} ({named})"
    # English writes a narrow no-break space before PM, which old readers show as boxes.
    return text.replace("\u202f", " ")
