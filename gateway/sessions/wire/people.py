"""Whom one can call: colleagues, CRM records, favourites; and the tenant's rules."""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import Field

from gateway.sessions.wire.base import Id, Record, ShortText, Wire

MAX_FAVOURITES = 50


class EntryKind(enum.StrEnum):
    COLLEAGUE = "colleague"
    RECORD = "record"


class EntryState(enum.StrEnum):
    """What is known of a colleague's phone; ``unknown`` where nobody says."""

    UNKNOWN = "unknown"
    AVAILABLE = "available"
    BUSY = "busy"
    AWAY = "away"


class DirectoryEntry(Wire):
    """Somebody to call or to transfer to."""

    kind: EntryKind
    name: ShortText
    number: ShortText
    company: ShortText = ""
    record: Record | None = None
    state: EntryState = EntryState.UNKNOWN
    is_favourite: bool = False


class DirectorySearch(Wire):
    """By name, number or e-mail, as one types; "" gives the favourites alone."""

    text: ShortText = ""


class DirectorySearchResult(Wire):
    """Favourites first, then colleagues, then CRM records; at most 20.
    ``is_complete`` false: the CRM did not answer in time, the rest is there."""

    entries: tuple[DirectoryEntry, ...] = ()
    is_complete: bool = True


class FavouriteSet(Wire):
    """Remember a number, or (``is_favourite`` false) forget it. By number."""

    op_id: Id
    entry: DirectoryEntry
    is_favourite: bool = True


class PopAction(enum.StrEnum):
    """What the page around the phone shows. ``org``: as the organisation's softphone
    layout says."""

    NOTHING = "nothing"
    RECORD = "record"
    SEARCH = "search"
    NEW_RECORD = "new_record"
    URL = "url"
    FLOW = "flow"
    ORG = "org"


class PopWhen(enum.StrEnum):
    RINGING = "ringing"
    ANSWERED = "answered"


class PopRule(Wire):
    """``target``: URL with ``{number}``, ``{key}``, ``{call}`` and ``{record}`` in it,
    a flow's name, or the kind of a new record."""

    action: PopAction = PopAction.NOTHING
    target: ShortText = ""


class PopRules(Wire):
    """For one type of call, by how many records match."""

    when: PopWhen = PopWhen.ANSWERED
    single: PopRule = PopRule()
    several: PopRule = PopRule()
    none: PopRule = PopRule()


class PopsByCallType(Wire):
    """``inbound`` and ``outbound`` of external calls."""

    inbound: PopRules = PopRules()
    outbound: PopRules = PopRules()
    internal: PopRules = PopRules()
    consult: PopRules = PopRules()


class WidgetRules(Wire):
    """What the tenant wants of the widget. ``wrap_up_s`` 0: activities are
    saved at once. ``desk_phone``: the rep's desk phone can be followed and used."""

    pops: PopsByCallType = PopsByCallType()
    dispositions: tuple[ShortText, ...] = ()
    disposition_required: bool = False
    wrap_up_s: Annotated[int, Field(ge=0, le=3600)] = 0
    desk_phone: bool = False
