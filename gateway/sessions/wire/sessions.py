"""Sessions: limits, greeting, resuming, and the phone account's state."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field

from gateway.sessions.wire.base import Event, Id, SecretId, ShortText, Wire
from gateway.sessions.wire.calls import CallView
from gateway.sessions.wire.control import PresenceState
from gateway.sessions.wire.invites import JoinView
from gateway.sessions.wire.people import WidgetRules

SUBPROTOCOL = "ringbridge.v1"
MAX_FRAME_BYTES = 64 * 1024
FIRST_FRAME_TIMEOUT_S = 5.0
RESUME_WINDOW_S = 120
# Said in a hello's ``caps``: this page is the window that a call's video is in; this
# page leaves the session to such a window.
CAP_CALL_WINDOW = "call_window"
CAP_YIELDS = "yields"
HEARTBEAT_S = 15
HEARTBEAT_IN_CALL_S = 5
OP_MEMORY_S = 600
OP_MEMORY_COUNT = 1000
RING_EVENTS = 512
RING_BYTES = 256 * 1024
MAX_MESSAGES_PER_S = 100
# Of one user at once, the owner among them.
MAX_PAGES = 8
MAX_MUTED = 32
# After the owner's socket is gone; longer than a reload of a page usually takes.
OWNER_GRACE_S = 3.0
# WebSocket close codes
CLOSE_NO_HELLO = 4401
CLOSE_SUPERSEDED = 4409
CLOSE_SIGNED_OUT = 4410
CLOSE_PROTOCOL = 4400
CLOSE_RATE_LIMITED = 4429
CLOSE_DRAIN = 4503
CLOSE_SILENT = 4408
# The reason of CLOSE_DRAIN is JSON: seconds until it is worth coming back.
DRAIN_RETRY_AFTER_S = 2
DRAIN_REASON = f'{{"retry_after":{DRAIN_RETRY_AFTER_S}}}'


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


class Registration(Wire):
    """``retry_in_s``: seconds to the next try, absent when none is planned."""

    state: RegistrationState
    problem: RegistrationProblem | None = None
    sip_code: int | None = None
    retry_in_s: int | None = None


class UserRole(enum.StrEnum):
    """``guest``: somebody who came by an invite's link."""

    REP = "rep"
    GUEST = "guest"


class UserView(Wire):
    id: Id
    name: ShortText
    number: ShortText
    tenant: ShortText
    company: ShortText = ""
    role: UserRole = UserRole.REP
    # Where video invites are on, the address that they come from.
    invites_from: ShortText = ""


class Snapshot(Wire):
    """Everything, at one moment; enough to draw the whole client."""

    user: UserView
    registration: Registration
    calls: tuple[CallView, ...] = ()
    crm: ShortText = ""
    country: ShortText = ""
    # What a guest came for; absent for reps.
    join: JoinView | None = None
    presence: PresenceState = PresenceState.AVAILABLE
    rules: WidgetRules = WidgetRules()
    server_time: int


class Client(Wire):
    """``instance_id`` names this page load; a reload has another."""

    name: ShortText
    version: ShortText
    instance_id: Id


class SessionRole(enum.StrEnum):
    """Of several pages of one user: who has the phone, and who looks on."""

    OWNER = "owner"
    OBSERVER = "observer"


class SessionOwner(Wire):
    """The page that has the phone. ``is_window``: it is the window of a call.

    ``muted``: calls that are muted there, and stay so where the phone goes next."""

    instance_id: Id
    is_window: bool = False
    muted: tuple[Id, ...] = ()


class SessionHello(Wire):
    """First message of a new page: a one-use ticket from ``POST /v1/sessions``.

    ``role`` ``owner`` takes the phone, ``observer`` leaves it to the page that has it,
    if one does; both stay connected as observers when another page takes it. Without a
    ``role`` the page takes the phone and is superseded by the next one.
    ``instead_of``: the ``instance_id`` of the load that this page replaces."""

    ticket: SecretId
    client: Client
    caps: tuple[ShortText, ...] = ()
    role: SessionRole | None = None
    instead_of: Id | None = None


class SessionHelloResult(Wire):
    session_id: Id
    resume_token: SecretId
    resume_window_s: int = RESUME_WINDOW_S
    heartbeat_s: int = HEARTBEAT_S
    heartbeat_in_call_s: int = HEARTBEAT_IN_CALL_S
    seq: int
    snapshot: Snapshot
    owner: SessionOwner | None = None


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
    owner: SessionOwner | None = None


class SessionAck(Wire):
    seq: Annotated[int, Field(ge=0, le=2**53)]


class SessionTake(Wire):
    """The phone is to be here; at once, and nothing happens where it is already."""


class SessionMute(Wire):
    """These calls are muted in the page that has the phone, and no others."""

    call_ids: Annotated[tuple[Id, ...], Field(max_length=MAX_MUTED)]


class SessionClose(Wire):
    """Sign out: calls end, the phone account is unregistered."""

    op_id: Id


class Ping(Wire):
    pass


class RegistrationRetry(Wire):
    """Try to register now, also after ``wrong_password``."""

    op_id: Id


class RegistrationStateEvent(Event):
    type: Literal["registration.state"] = "registration.state"
    registration: Registration


class SessionSupersededEvent(Event):
    """Another page has taken over; close code 4409 follows."""

    type: Literal["session.superseded"] = "session.superseded"


class SessionOwnerEvent(Event):
    """Another page has the phone, or it has muted others. Told to all pages."""

    type: Literal["session.owner"] = "session.owner"
    owner: SessionOwner


class ServerNoticeEvent(Event):
    type: Literal["server.notice"] = "server.notice"
    notice: Literal["drain"]
