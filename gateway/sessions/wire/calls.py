"""Calls: what a client sees of one, does to one, and hears of one."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field

from gateway.sessions.wire.base import Event, Id, Record, Sdp, ShortText, Wire
from gateway.sessions.wire.work import WorkView


class CallDirection(enum.StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class CallState(enum.StrEnum):
    """``ringing`` incoming; ``calling``, ``alerting`` outgoing before an answer."""

    RINGING = "ringing"
    ANSWERING = "answering"
    CALLING = "calling"
    ALERTING = "alerting"
    ACTIVE = "active"
    ENDED = "ended"


class EndReason(enum.StrEnum):
    """Why a call ended, from the rep's point of view; one for every call."""

    HUNG_UP_HERE = "hung_up_here"
    HUNG_UP_THERE = "hung_up_there"
    CANCELLED_HERE = "cancelled_here"
    MISSED = "missed"
    DECLINED_HERE = "declined_here"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    DECLINED_ELSEWHERE = "declined_elsewhere"
    BUSY = "busy"
    DECLINED_THERE = "declined_there"
    NO_ANSWER = "no_answer"
    UNKNOWN_NUMBER = "unknown_number"
    UNREACHABLE = "unreachable"
    NOT_ALLOWED = "not_allowed"
    NO_COMMON_CODEC = "no_common_codec"
    SERVER_UNAVAILABLE = "server_unavailable"
    CLIENT_LOST = "client_lost"
    MEDIA_FAILED = "media_failed"
    GATEWAY_RESTARTED = "gateway_restarted"
    INVITE_OVER = "invite_over"
    TRANSFERRED = "transferred"
    DO_NOT_DISTURB = "do_not_disturb"
    FAILED = "failed"


class MatchState(enum.StrEnum):
    SEARCHING = "searching"
    FOUND = "found"
    NONE = "none"
    FAILED = "failed"


class ActivityState(enum.StrEnum):
    """Of the call's CRM activity. ``none``: this call is not to be logged."""

    NONE = "none"
    WAITING = "waiting"
    WRITTEN = "written"
    FAILED = "failed"


class MediaAction(enum.StrEnum):
    """What ``call.media`` says.

    ``connected``: audio flows for ``generation``. ``renegotiate``: send
    ``call.media`` with a new offer, same ICE, same generation. ``renew``: build a new
    peer connection and offer with generation + 1. ``lost``: the browser's packets
    stopped (a hint to renew).
    """

    CONNECTED = "connected"
    RENEGOTIATE = "renegotiate"
    RENEW = "renew"
    LOST = "lost"


class MediaReason(enum.StrEnum):
    """Why the browser offers."""

    INITIAL = "initial"
    RELOAD = "reload"
    NETWORK = "network"
    FAILED = "failed"
    RENEGOTIATE = "renegotiate"


class Match(Wire):
    """What the CRM knows of the other party; ``records`` best first."""

    state: MatchState
    records: tuple[Record, ...] = ()


class Peer(Wire):
    """The other party: ``number`` as dialled or shown by SIP, ``national`` to read."""

    number: ShortText
    national: ShortText = ""
    e164: ShortText = ""
    display_name: ShortText = ""


class ActivityView(Wire):
    state: ActivityState
    record_id: ShortText = ""
    url: str = ""
    problem: ShortText = ""


class VideoState(enum.StrEnum):
    """Of a call's video. ``offered``: the other party offers it or has asked for it,
    and this side has none yet; it is taken by an offer with video."""

    NONE = "none"
    OFFERED = "offered"
    ACTIVE = "active"


class VideoView(Wire):
    """``sends``: the far end takes ours; ``receives``: it sends us its own.

    In a meeting ``sends`` is so when anybody may take it; ``receives`` is about the
    call's own video alone, not that of further streams."""

    state: VideoState = VideoState.NONE
    sends: bool = False
    receives: bool = False


class InviteRef(Wire):
    """The video invite that a call came by; ``guest`` is who it was for. ``ends_at``:
    Unix ms when the call ends with the invite's time, None in the history."""

    invite_id: Id
    subject: ShortText = ""
    guest: ShortText = ""
    ends_at: int | None = None


class Participant(Wire):
    """Somebody else in a meeting. ``id``: stream id (``a=msid``) of what they send,
    "" if that is the call's own audio and video."""

    id: ShortText
    name: ShortText
    is_host: bool = False


class CallType(enum.StrEnum):
    """``internal``: with a colleague; ``consult``: with somebody about another call."""

    EXTERNAL = "external"
    INTERNAL = "internal"
    CONSULT = "consult"


class CallDevice(enum.StrEnum):
    """Where the rep has the call. That of a desk phone is only followed: of the
    requests about calls it takes ``work.*`` and ``call.choose_record``. One that rang
    here goes on there under its id: ``call.answered`` then follows its ``call.ended``.
    """

    HERE = "here"
    DESK_PHONE = "desk_phone"


class TransferState(enum.StrEnum):
    """Of a transfer that the rep asked for. ``asked``: the far end was asked;
    ``trying``, ``ringing``: what it, or the gateway in its stead, reports of the new
    call; ``failed``: the rep still has the call. When it is done, the call ends as
    ``transferred``."""

    ASKED = "asked"
    TRYING = "trying"
    RINGING = "ringing"
    FAILED = "failed"


class TransferView(Wire):
    """``to``: whom the call is to go to. ``sip_code``: why it failed, if SIP said."""

    state: TransferState
    to: Peer
    sip_code: int | None = None


class CallView(Wire):
    """All that a client needs to draw a call. Times are Unix milliseconds.

    ``participants``: everybody else in a meeting; empty in a call of two, where
    ``peer`` is the other one. ``held_here``, ``held_there``: who has put it on hold.
    ``conference``: shared by the calls that are mixed into one; "" for none.
    ``consults_for``: the call that this one is about. ``transferred_by``: who
    transferred the other party to us. ``caller_key``: what the caller typed into an
    IVR, or the server says instead of a number."""

    call_id: Id
    direction: CallDirection
    state: CallState
    peer: Peer
    match: Match
    started_at: int
    answered_at: int | None = None
    ended_at: int | None = None
    end_reason: EndReason | None = None
    sip_code: int | None = None
    media_generation: int = 0
    activity: ActivityView = ActivityView(state=ActivityState.NONE)
    video: VideoView = VideoView()
    invite: InviteRef | None = None
    participants: tuple[Participant, ...] = ()
    type: CallType = CallType.EXTERNAL
    device: CallDevice = CallDevice.HERE
    held_here: bool = False
    held_there: bool = False
    conference: ShortText = ""
    consults_for: Id | None = None
    transfer: TransferView | None = None
    transferred_by: Peer | None = None
    caller_key: ShortText = ""
    work: WorkView = WorkView()


class CallCreate(Wire):
    """Dial ``to`` (digits, E.164, ``tel:`` or ``sip:``). ``call_id`` is client-made.

    Calls that are active are put on hold. ``device`` ``desk_phone``: the desk phone
    rings, and calls when it is answered; ``offer`` is absent then, and needed
    otherwise. ``consults_for``: a call that this one is about."""

    op_id: Id
    call_id: Id
    to: Annotated[str, Field(min_length=1, max_length=255)]
    offer: Sdp | None = None
    record: Record | None = None
    device: CallDevice = CallDevice.HERE
    consults_for: Id | None = None


class CallJoin(Wire):
    """Come to the meeting of the invite. Guests only, and all that they may dial.

    The first guest calls the host. Others hear ringing while that rings, and enter
    (``call.answered``) when the host has answered in a browser, or is there already; if
    the host took it elsewhere, or the first one gave up, the next one calls. At most
    five are in a meeting, the host among them (``call.limit``)."""

    op_id: Id
    call_id: Id
    offer: Sdp


class CallAnswerResult(Wire):
    """``answer`` is the SDP answer to the offer in the request, if there was one."""

    call: CallView
    answer: str | None = None


class CallAnswer(Wire):
    """Answer an incoming call; ``offer`` unless one was sent by ``call.media``. Calls
    that are active are put on hold; ``call.wrong_state`` if one of them cannot be."""

    op_id: Id
    call_id: Id
    offer: Sdp | None = None
    generation: Annotated[int, Field(ge=1, le=2**31)] = 1


class CallReject(Wire):
    """``declined``: on all devices; ``busy``: on this one, the others go on ringing."""

    op_id: Id
    call_id: Id
    reason: Literal["declined", "busy"] = "declined"


class CallHangup(Wire):
    op_id: Id
    call_id: Id


class CallDtmf(Wire):
    """``call.wrong_state`` where no telephone hears it, as in a meeting."""

    op_id: Id
    call_id: Id
    digits: Annotated[str, Field(pattern=r"^[0-9*#A-Da-d]{1,32}$")]


class CallMedia(Wire):
    """Offer media: first time, after a reload or network change, or as asked."""

    op_id: Id
    call_id: Id
    offer: Sdp
    generation: Annotated[int, Field(ge=1, le=2**31)]
    reason: MediaReason = MediaReason.INITIAL


class CallMediaResult(Wire):
    answer: str
    generation: int


class CallTrickle(Wire):
    """A late ICE candidate; the gateway is ICE-lite and needs none, so a no-op."""

    call_id: Id
    generation: int
    candidate: ShortText | None = None


class CallResult(Wire):
    call: CallView


class ContactCreate(Wire):
    """Create a contact or lead, and match it to ``call_id`` when given.

    Somebody may be there already: ``crm.duplicate``, with the records. Its ``field`` is
    ``allow_duplicate`` where the CRM only warns: sent again with that, the request goes
    through. ``crm.refused`` names the ``field`` that is missing or may not be written,
    by its name here or, of others, in the CRM."""

    op_id: Id
    kind: Literal["Contact", "Lead"] = "Contact"
    allow_duplicate: bool = False
    last_name: Annotated[str, Field(min_length=1, max_length=80)]
    first_name: Annotated[str, Field(max_length=40)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    company: Annotated[str, Field(max_length=255)] = ""
    email: Annotated[str, Field(max_length=80)] = ""
    call_id: Id | None = None


class ContactCreateResult(Wire):
    record: Record


class RecordSearch(Wire):
    """People whose name or e-mail begins so; fewer than two letters find nobody."""

    text: ShortText


class RecordSearchResult(Wire):
    """At most 10, the likeliest first."""

    records: tuple[Record, ...]


class CallChooseRecord(Wire):
    """Of several matches, this one is meant; the activity goes there."""

    op_id: Id
    call_id: Id
    record_id: Id


class HistoryList(Wire):
    """Ended calls, newest first; ``before`` is a ``started_at`` in Unix ms."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    before: int | None = None


class HistoryListResult(Wire):
    calls: tuple[CallView, ...]


class CallIncomingEvent(Event):
    type: Literal["call.incoming"] = "call.incoming"
    call: CallView


class CallRingingEvent(Event):
    """The far end of an outgoing call rings, or that of another guest with whom this
    one waits: play ringback unless early media."""

    type: Literal["call.ringing"] = "call.ringing"
    call: CallView


class CallEarlyMediaEvent(Event):
    """The far end sends sound before it answers; stop local ringback."""

    type: Literal["call.early_media"] = "call.early_media"
    call: CallView


class CallAnsweredEvent(Event):
    type: Literal["call.answered"] = "call.answered"
    call: CallView


class CallMediaEvent(Event):
    type: Literal["call.media"] = "call.media"
    call_id: Id
    action: MediaAction
    generation: int


class CallDtmfEvent(Event):
    type: Literal["call.dtmf"] = "call.dtmf"
    call_id: Id
    digit: ShortText


class CallUpdatedEvent(Event):
    """Anything else that a view shows has changed."""

    type: Literal["call.updated"] = "call.updated"
    call: CallView


class CallEndedEvent(Event):
    type: Literal["call.ended"] = "call.ended"
    call: CallView
