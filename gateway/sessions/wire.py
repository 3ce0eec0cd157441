"""The browser protocol's messages: the one source of PROTOCOL.md and its schema.

JSON-RPC 2.0 over one WebSocket, subprotocol ``ringbridge.v1``. The client sends
requests; the server sends responses and ``event`` notifications. Receivers ignore
unknown fields. All identifiers are opaque strings of at most 128 characters.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SUBPROTOCOL = "ringbridge.v1"
MAX_FRAME_BYTES = 64 * 1024
FIRST_FRAME_TIMEOUT_S = 5.0
RESUME_WINDOW_S = 120
HEARTBEAT_S = 15
HEARTBEAT_IN_CALL_S = 5
OP_MEMORY_S = 600
OP_MEMORY_COUNT = 1000
RING_EVENTS = 512
RING_BYTES = 256 * 1024
MAX_MESSAGES_PER_S = 100

Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Sdp = Annotated[str, Field(min_length=1, max_length=48 * 1024)]
ShortText = Annotated[str, Field(max_length=255)]
# An identifier that opens something: never shown by repr().
SecretId = Annotated[Id, Field(repr=False)]


class Wire(BaseModel):
    """Base of every message part: immutable, unknown fields ignored."""

    # Inputs stay out of validation errors: they hold tickets, tokens and passwords.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


# Enumerations ------------------------------------------------------------------


class ErrorKind(enum.StrEnum):
    """Stable names of errors (``error.data.kind``)."""

    AUTH_EXPIRED = "auth.expired"
    AUTH_DENIED = "auth.denied"
    SESSION_UNKNOWN = "session.unknown"
    SESSION_SUPERSEDED = "session.superseded"
    CALL_UNKNOWN = "call.unknown"
    CALL_WRONG_STATE = "call.wrong_state"
    CALL_LIMIT = "call.limit"
    NUMBER_INVALID = "number.invalid"
    CODEC_NONE = "codec.none"
    MEDIA_BAD_SDP = "media.bad_sdp"
    MEDIA_UNAVAILABLE = "media.unavailable"
    REGISTRAR_DOWN = "registrar.down"
    CRM_UNAVAILABLE = "crm.unavailable"
    CRM_REFUSED = "crm.refused"
    CRM_DUPLICATE = "crm.duplicate"
    POLICY_DENIED = "policy.denied"
    OP_CONFLICT = "op.conflict"
    RATE_LIMITED = "rate.limited"
    DRAIN = "drain"
    BAD_REQUEST = "bad_request"
    METHOD_UNKNOWN = "method.unknown"
    INTERNAL = "internal"


class RegistrationState(enum.StrEnum):
    REGISTERING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    UNREGISTERED = "unregistered"


class RegistrationProblem(enum.StrEnum):
    """Why the phone account is not registered; the widget has words for each."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    UNAVAILABLE = "unavailable"


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


# Shared views ------------------------------------------------------------------


class Record(Wire):
    """A CRM record, ready to show and to pop."""

    id: Id
    kind: ShortText
    name: ShortText
    url: str = ""
    company: ShortText = ""
    phone: ShortText = ""
    certainty: Literal["exact", "possible"] = "exact"


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


class CallView(Wire):
    """All that a client needs to draw a call. Times are Unix milliseconds."""

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


class Registration(Wire):
    """``retry_in_s``: seconds to the next try, absent when none is planned."""

    state: RegistrationState
    problem: RegistrationProblem | None = None
    sip_code: int | None = None
    retry_in_s: int | None = None


class UserView(Wire):
    id: Id
    name: ShortText
    number: ShortText
    tenant: ShortText
    company: ShortText = ""


class Snapshot(Wire):
    """Everything, at one moment; enough to draw the whole client."""

    user: UserView
    registration: Registration
    calls: tuple[CallView, ...] = ()
    crm: ShortText = ""
    country: ShortText = ""
    server_time: int


# Requests and results ----------------------------------------------------------


class Client(Wire):
    """``instance_id`` names this page load; a reload has another."""

    name: ShortText
    version: ShortText
    instance_id: Id


class SessionHello(Wire):
    """First message of a new page: a one-use ticket from ``POST /v1/sessions``."""

    ticket: SecretId
    client: Client
    caps: tuple[ShortText, ...] = ()


class SessionHelloResult(Wire):
    session_id: Id
    resume_token: SecretId
    resume_window_s: int = RESUME_WINDOW_S
    heartbeat_s: int = HEARTBEAT_S
    heartbeat_in_call_s: int = HEARTBEAT_IN_CALL_S
    seq: int
    snapshot: Snapshot


class SessionResume(Wire):
    """First message after a lost socket of the same page."""

    session_id: Id
    resume_token: SecretId
    instance_id: Id
    last_seq: Annotated[int, Field(ge=0, le=2**53)]


class SessionResumeResult(Wire):
    """``resumed`` false: events were lost, ``snapshot`` replaces all state."""

    resumed: bool
    resume_token: SecretId
    seq: int
    replay_from: int | None = None
    snapshot: Snapshot | None = None


class SessionAck(Wire):
    seq: Annotated[int, Field(ge=0, le=2**53)]


class SessionClose(Wire):
    """Sign out: calls end, the phone account is unregistered."""

    op_id: Id


class Ping(Wire):
    pass


class Empty(Wire):
    pass


class RegistrationRetry(Wire):
    """Try to register now, also after ``wrong_password``."""

    op_id: Id


class CallCreate(Wire):
    """Dial ``to`` (digits, E.164, ``tel:`` or ``sip:``). ``call_id`` is client-made."""

    op_id: Id
    call_id: Id
    to: Annotated[str, Field(min_length=1, max_length=255)]
    offer: Sdp
    record: Record | None = None


class CallAnswerResult(Wire):
    """``answer`` is the SDP answer to the offer in the request, if there was one."""

    call: CallView
    answer: str | None = None


class CallAnswer(Wire):
    """Answer an incoming call; ``offer`` unless one was sent by ``call.media``."""

    op_id: Id
    call_id: Id
    offer: Sdp | None = None
    generation: Annotated[int, Field(ge=1, le=2**31)] = 1


class CallReject(Wire):
    op_id: Id
    call_id: Id
    reason: Literal["declined", "busy"] = "declined"


class CallHangup(Wire):
    op_id: Id
    call_id: Id


class CallDtmf(Wire):
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
    """Create a contact, and match it to ``call_id`` when given."""

    op_id: Id
    last_name: Annotated[str, Field(min_length=1, max_length=80)]
    first_name: Annotated[str, Field(max_length=40)] = ""
    phone: Annotated[str, Field(max_length=40)] = ""
    company: Annotated[str, Field(max_length=255)] = ""
    call_id: Id | None = None


class ContactCreateResult(Wire):
    record: Record


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


# Events ------------------------------------------------------------------------


class Event(Wire):
    """``seq`` is gapless per session from 1; ``at`` Unix milliseconds."""

    seq: int
    at: int


class RegistrationStateEvent(Event):
    type: Literal["registration.state"] = "registration.state"
    registration: Registration


class CallIncomingEvent(Event):
    type: Literal["call.incoming"] = "call.incoming"
    call: CallView


class CallRingingEvent(Event):
    """The far end of an outgoing call rings: play ringback unless early media."""

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
    """Match, peer or activity state changed."""

    type: Literal["call.updated"] = "call.updated"
    call: CallView


class CallEndedEvent(Event):
    type: Literal["call.ended"] = "call.ended"
    call: CallView


class SessionSupersededEvent(Event):
    """Another page has taken over; close code 4409 follows."""

    type: Literal["session.superseded"] = "session.superseded"


class ServerNoticeEvent(Event):
    type: Literal["server.notice"] = "server.notice"
    notice: Literal["drain"]


AnyEvent = Annotated[
    RegistrationStateEvent
    | CallIncomingEvent
    | CallRingingEvent
    | CallEarlyMediaEvent
    | CallAnsweredEvent
    | CallMediaEvent
    | CallDtmfEvent
    | CallUpdatedEvent
    | CallEndedEvent
    | SessionSupersededEvent
    | ServerNoticeEvent,
    Field(discriminator="type"),
]

# method name -> (params, result)
METHODS: dict[str, tuple[type[Wire], type[Wire]]] = {
    "session.hello": (SessionHello, SessionHelloResult),
    "session.resume": (SessionResume, SessionResumeResult),
    "session.ack": (SessionAck, Empty),
    "session.close": (SessionClose, Empty),
    "ping": (Ping, Empty),
    "registration.retry": (RegistrationRetry, Empty),
    "call.create": (CallCreate, CallAnswerResult),
    "call.answer": (CallAnswer, CallAnswerResult),
    "call.reject": (CallReject, CallResult),
    "call.hangup": (CallHangup, CallResult),
    "call.dtmf": (CallDtmf, Empty),
    "call.media": (CallMedia, CallMediaResult),
    "call.trickle": (CallTrickle, Empty),
    "call.choose_record": (CallChooseRecord, CallResult),
    "contact.create": (ContactCreate, ContactCreateResult),
    "history.list": (HistoryList, HistoryListResult),
}


class ErrorData(Wire):
    """``kind`` is the stable API; ``message`` beside it is for people."""

    kind: ErrorKind
    retryable: bool = False
    sip_code: int | None = None
    op_id: str | None = None
    trace_id: str | None = None
    records: tuple[Record, ...] = ()


# WebSocket close codes
CLOSE_NO_HELLO = 4401
CLOSE_SUPERSEDED = 4409
CLOSE_PROTOCOL = 4400
CLOSE_RATE_LIMITED = 4429
CLOSE_DRAIN = 4503
CLOSE_SILENT = 4408

# The reason of CLOSE_DRAIN is JSON: seconds until it is worth coming back.
DRAIN_RETRY_AFTER_S = 2
DRAIN_REASON = f'{{"retry_after":{DRAIN_RETRY_AFTER_S}}}'


# HTTP beside the socket -----------------------------------------------------------

Secret = Annotated[str, Field(min_length=1, max_length=8192, repr=False)]


class SignInByAssertion(Wire):
    """An RS256 JWT that the tenant's CRM signed for its user; see PROTOCOL.md."""

    assertion: Secret


class SignInByPassword(Wire):
    """Sign-in without a CRM."""

    tenant: Id
    username: Annotated[str, Field(min_length=1, max_length=255)]
    password: Annotated[str, Field(min_length=1, max_length=1024, repr=False)]


class SignInResult(Wire):
    """``access_token`` goes into ``Authorization: Bearer``; lasts ``expires_in`` s."""

    access_token: Secret
    expires_in: int
    user: UserView


class TicketResult(Wire):
    """``ticket`` opens one session, once, within ``expires_in`` seconds."""

    ticket: SecretId
    expires_in: int


class IceServer(Wire):
    """As WebRTC's ``RTCIceServer``."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: Annotated[str | None, Field(repr=False)] = None


class TurnResult(Wire):
    """``expires_in``: seconds the credentials last, absent when they do not expire."""

    ice_servers: tuple[IceServer, ...] = ()
    expires_in: int | None = None


class IceTestResult(Wire):
    ok: bool
    server_time: int
    turn: bool


class HttpErrorDetail(Wire):
    kind: ErrorKind
    message: str


class HttpError(Wire):
    """The body of every HTTP answer that is an error."""

    error: HttpErrorDetail


# (HTTP method, path) -> (bodies, result)
HTTP_ENDPOINTS: dict[tuple[str, str], tuple[tuple[type[Wire], ...], type[Wire]]] = {
    ("POST", "/v1/sign-in"): ((SignInByAssertion, SignInByPassword), SignInResult),
    ("POST", "/v1/sessions"): ((), TicketResult),
    ("POST", "/v1/turn"): ((), TurnResult),
    ("GET", "/v1/ice-test"): ((), IceTestResult),
}
