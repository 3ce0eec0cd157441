"""What is written about a call: one activity for every call and attempt. Pure.

A call that a colleague or the desk phone answered is theirs to log, so it leaves
none; nor does the host's side of a guest's call, for the guest's attempt does.
Everything else does, with the words a rep would use.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from gateway.activities.logging_rules import LoggingRules
from gateway.activities.record import CallRecord, Party
from gateway.activities.work import contacts
from gateway.crm.connector import Activity, ActivityDirection, CrmRecord, CrmUser
from gateway.crm.numbers import to_show
from gateway.identity.users import User
from gateway.sessions.wire import CallDirection, EndReason

MAX_SUBJECT = 255
MAX_NAME = 120
# As the CRM's field takes; the notes come first, and so are the last to be cut.
MAX_DESCRIPTION = 32_000

# Records that an activity is *with*; with all others it is *about* them.
PEOPLE = frozenset({"Contact", "Lead"})


_EVERYTHING = LoggingRules()


@dataclass(frozen=True, slots=True)
class Outcome:
    """``words`` begin the CRM's field; ``note`` is a sentence for the description."""

    words: str
    note: str = ""


_ANSWERED = Outcome("Answered")
_INTERRUPTED = {
    EndReason.CLIENT_LOST: "The connection to the rep's browser was lost.",
    EndReason.MEDIA_FAILED: "The sound connection failed.",
    EndReason.GATEWAY_RESTARTED: (
        "The gateway was restarted; the talk time is up to when the call was last seen."
    ),
    EndReason.SERVER_UNAVAILABLE: "The telephone server became unavailable.",
    EndReason.FAILED: "The call broke off.",
}
_GUEST_LOST = "The connection to the guest's browser was lost."
_TIME_OVER = "The time of the invite was over."


def compose(
    call: CallRecord, user: User, rules: LoggingRules = _EVERYTHING
) -> Activity | None:
    """The activity of an ended call, None if it is not to be logged.

    Args:
        user: the call's owner (``call.owner``).

    Raises:
        ValueError: the call has not ended.
    """
    if call.ended_at is None or call.reason is None:
        raise ValueError("only an ended call has an activity")
    if not rules.wants(call):
        return None
    outcome = _outcome(call, call.reason)
    if outcome is None:
        return None
    talk_s = 0
    if call.answered_at is not None:
        talk_s = max(0, round(call.ended_at - call.answered_at))
    whom = with_whom(call)
    who_id, what_id = links(whom, about_of(call, rules))
    others = (*contacts(call.work.visited), *contacts(_records_of(call.earlier)))
    return Activity(
        key=f"call:{call.call_id}",
        user=CrmUser(
            tenant=user.key.tenant, id=user.crm_user_id, username=user.crm_username
        ),
        direction=_DIRECTIONS[call.direction],
        subject=_subject(call, user, outcome),
        outcome=outcome.words,
        description=_description(call, user, outcome, talk_s),
        started_at=datetime.fromtimestamp(call.started_at, UTC),
        duration_s=talk_s,
        number=call.e164 or call.number,
        who_id=who_id,
        what_id=what_id,
        match_number=call.e164 if whom is None else "",
        disposition=one_line(call.work.disposition),
        contact_ids=tuple(id for id in dict.fromkeys(others) if id != who_id),
    )


def compose_next_step(
    call: CallRecord, user: User, rules: LoggingRules = _EVERYTHING
) -> Activity | None:
    """The task for later that the rep wants, None for none."""
    step = call.work.next_step
    if step is None:
        return None
    whom = with_whom(call)
    who_id, what_id = links(whom, about_of(call, rules))
    return Activity(
        key=f"next:{call.work.next_id}",
        user=CrmUser(
            tenant=user.key.tenant, id=user.crm_user_id, username=user.crm_username
        ),
        direction=_DIRECTIONS[call.direction],
        subject=step.subject,
        outcome="",
        description="",
        started_at=datetime.fromtimestamp(call.started_at, UTC),
        duration_s=0,
        number=call.e164 or call.number,
        who_id=who_id,
        what_id=what_id,
        match_number=call.e164 if whom is None else "",
        is_call=False,
        due_on=step.on,
    )


def with_whom(call: CallRecord) -> CrmRecord | None:
    """Whom the activity belongs to: of those the call was with, the last one known."""
    if call.record is not None or not call.earlier:
        return call.record
    return next(reversed(_records_of(call.earlier)), None)


def _records_of(earlier: Sequence[Party]) -> tuple[CrmRecord, ...]:
    return tuple(party.record for party in earlier if party.record is not None)


def about_of(call: CallRecord, rules: LoggingRules = _EVERYTHING) -> CrmRecord | None:
    """What the call was about besides the person: the rep's choice, else the last
    record opened that an activity may be about, else what its invite was made from."""
    chosen = call.work.about or call.work.last_visited(rules.about_kinds)
    if chosen is not None or call.invite is None:
        return chosen
    return call.invite.about


def links(record: CrmRecord | None, about: CrmRecord | None = None) -> tuple[str, str]:
    """(who_id, what_id) of an activity that belongs to ``record``.

    ``about``: what it was about besides, such as the opportunity that the call's
    invite was made from; where both are things, that is the closer one.
    """
    who_id = what_id = ""
    for each in (about, record):
        if each is None:
            continue
        if each.kind in PEOPLE:
            who_id = each.id
        else:
            what_id = what_id or each.id
    return who_id, what_id


def _outcome(call: CallRecord, reason: EndReason) -> Outcome | None:
    is_answered = call.answered_at is not None
    if call.invite is None:
        outcome = outcome_of(reason, call.direction, is_answered)
        if outcome is not None and call.transferred_to:
            to = one_line(call.transferred_to)
            return replace(outcome, note=f"Transferred to {to}.")
        return outcome
    if not call.invite.is_attempt:
        return None
    outcome = outcome_of(reason, call.direction, is_answered)
    if outcome is not None and reason is EndReason.CLIENT_LOST:
        return replace(outcome, note=_GUEST_LOST)
    return outcome


def outcome_of(
    reason: EndReason, direction: CallDirection, answered: bool
) -> Outcome | None:
    """What became of a call, None if another device took it."""
    if answered:
        return _outcome_of_answered(reason)
    inbound = direction is CallDirection.INBOUND
    match reason:
        case EndReason.ANSWERED_ELSEWHERE:
            return None
        case EndReason.DECLINED_ELSEWHERE:
            return Outcome("Declined", "Declined on another device.")
        case EndReason.DECLINED_HERE:
            return Outcome("Declined", "Declined by the rep.")
        case EndReason.DECLINED_THERE:
            return Outcome("Declined", "Declined by the other party.")
        case EndReason.MISSED:
            return Outcome("Missed")
        case EndReason.BUSY:
            return Outcome("Busy")
        case EndReason.NO_ANSWER:
            return Outcome("Missed") if inbound else Outcome("No answer")
        case EndReason.CANCELLED_HERE | EndReason.HUNG_UP_HERE:
            if inbound:
                return Outcome("Declined", "Declined by the rep.")
            return Outcome("Cancelled", "Cancelled by the rep before an answer.")
        case EndReason.HUNG_UP_THERE:
            return Outcome("Missed") if inbound else Outcome("No answer")
        case EndReason.UNKNOWN_NUMBER:
            return Outcome("Unknown number", "The number is not in use.")
        case EndReason.UNREACHABLE:
            return Outcome("Unreachable", "The other party cannot be reached now.")
        case EndReason.NOT_ALLOWED:
            return Outcome("Not allowed", "The telephone server does not allow it.")
        case EndReason.NO_COMMON_CODEC:
            return Outcome("Failed", "The phones have no sound format in common.")
        case EndReason.SERVER_UNAVAILABLE:
            return Outcome("Failed", "The telephone server was unavailable.")
        case EndReason.CLIENT_LOST:
            note = _INTERRUPTED[reason]
            return Outcome("Missed" if inbound else "Cancelled", note)
        case EndReason.MEDIA_FAILED:
            return Outcome("Failed", _INTERRUPTED[reason])
        case EndReason.GATEWAY_RESTARTED:
            return Outcome("Interrupted", "The gateway was restarted.")
        case EndReason.INVITE_OVER:
            return Outcome("Missed" if inbound else "Cancelled", _TIME_OVER)
        case EndReason.DO_NOT_DISTURB:
            return Outcome("Missed", "The rep did not want to be disturbed.")
        case EndReason.TRANSFERRED:
            return Outcome("Cancelled")
        case EndReason.FAILED:
            return Outcome("Failed")
        case _:
            assert_never(reason)


def _outcome_of_answered(reason: EndReason) -> Outcome:
    if reason is EndReason.INVITE_OVER:
        return replace(_ANSWERED, note=_TIME_OVER)
    note = _INTERRUPTED.get(reason)
    return _ANSWERED if note is None else Outcome("Interrupted", note)


_DIRECTIONS = {
    CallDirection.INBOUND: ActivityDirection.INBOUND,
    CallDirection.OUTBOUND: ActivityDirection.OUTBOUND,
}
_PREPOSITIONS = {CallDirection.INBOUND: "from", CallDirection.OUTBOUND: "to"}


def _subject(call: CallRecord, user: User, outcome: Outcome) -> str:
    named = "" if call.record is None else call.record.name
    name = one_line(named) or one_line(call.display_name) or _number(call, user)
    ending = f", {outcome.words.lower()}"
    kind = "Call" if call.invite is None else "Video call"
    start = f"{kind} {_PREPOSITIONS[call.direction]} {name[:MAX_NAME]}"
    if call.earlier:
        start += f" (transferred by {_named(call.earlier[-1], user)})"
    if call.invite is not None and (subject := one_line(call.invite.subject)):
        start += f" (invite: {subject})"
    return start[: MAX_SUBJECT - len(ending)] + ending


def _description(call: CallRecord, user: User, outcome: Outcome, talk_s: int) -> str:
    incoming = call.direction is CallDirection.INBOUND
    kind = "call" if call.invite is None else "video call"
    direction = "Incoming" if incoming else "Outgoing"
    lines = [f"{direction} {kind}, {outcome.words.lower()}"]
    if outcome.note:
        lines.append(outcome.note)
    if call.invite is None:
        lines.append(f"Number: {_number(call, user)}")
    elif subject := one_line(call.invite.subject):
        lines.append(f"Invite: {subject}")
    shown = one_line(call.display_name)
    if shown:
        lines.append(f"Name shown: {shown}")
    for place, party in enumerate(call.earlier):
        # Who it was first is worth a word, also after several transfers.
        with_whom = "Was first with" if place == 0 else "Then with"
        lines.append(f"{with_whom}: {_named(party, user, with_number=True)}")
    lines.append(f"Started: {_time(call.started_at)}")
    ended_at = call.started_at if call.ended_at is None else call.ended_at
    if call.answered_at is not None:
        lines.append(f"Answered: {_time(call.answered_at)}")
    lines.append(f"Ended: {_time(ended_at)}")
    if call.answered_at is not None:
        lines.append(f"Talk time: {_duration(talk_s)}")
    else:
        ringing_s = max(0, round(ended_at - call.started_at))
        lines.append(f"Rang for: {_duration(ringing_s)}")
    line = one_line(f"{user.name} ({user.number})" if user.number else user.name)
    lines.append(f"Rep: {line}")
    if call.sip_code is not None:
        lines.append(f"SIP response: {call.sip_code}")
    lines.append(f"Call id: {call.call_id}")
    return written_down(call.work.notes, lines, call.work.visited)


def written_down(notes: str, lines: Sequence[str], visited: Sequence[CrmRecord]) -> str:
    """Notes, what is known of the call, records opened; these give way first."""
    text = "\n".join(lines)
    if notes := _printable(notes):
        text = f"{notes}\n\n{text}"
    opened = [_opened(record) for record in visited]
    if opened and len(text) + len(_OPENED) < MAX_DESCRIPTION:
        text += _OPENED
        for line in opened:
            if len(text) + len(line) + 1 > MAX_DESCRIPTION:
                break
            text += f"\n{line}"
    return text[:MAX_DESCRIPTION]


_OPENED = "\n\nOpened during the call:"


def _opened(record: CrmRecord) -> str:
    return f"{one_line(record.kind)} {one_line(record.name)} {record.url}".rstrip()


def _printable(notes: str) -> str:
    """The rep's own text: lines stay, what no CRM shows goes."""
    kept = (
        char
        for char in notes.replace("\r\n", "\n").replace("\r", "\n")
        if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs", "Cn")
    )
    return "".join(kept).strip()


def _named(party: Party, user: User, *, with_number: bool = False) -> str:
    named = "" if party.record is None else party.record.name
    name = one_line(named) or one_line(party.display_name)
    number = _number(party, user)
    if not name:
        return number
    return f"{name} ({number})" if with_number else name


def _number(call: CallRecord | Party, user: User) -> str:
    shown = one_line(to_show(call.number, call.e164, user.country))
    return shown or "an unknown number"


def one_line(text: str) -> str:
    """What a stranger sent as a name: one line, printable, of bounded length."""
    printable = "".join(
        " " if char.isspace() else char
        for char in text[: 4 * MAX_NAME]
        if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    return " ".join(printable.split())[:MAX_NAME]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {rest:02} s"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
