"""A SIP user-agent library: calls, registrations and what stands beneath them.

Start at ``UserAgent``. Proxies stand on ``sip.transaction_layer`` and
``sip.transports``.
"""

from sip.account import Account
from sip.agent import AgentConfig, UserAgent
from sip.call import Call
from sip.call_events import (
    COMPLETED_ELSEWHERE,
    NORMAL_CLEARING,
    TERMINAL_EVENTS,
    Answered,
    CallEvent,
    Cancelled,
    Confirmed,
    Failed,
    FailureCause,
    InfoReceived,
    LocalEnd,
    Offer,
    OfferAnswered,
    OfferFailed,
    PeerIdentified,
    Progress,
    Rejected,
    RemoteHangup,
    Replaced,
    TransferProgress,
    TransferRefused,
    TransferRequested,
)
from sip.call_incoming import IncomingCall
from sip.call_outgoing import OutgoingCall
from sip.clock import Clock, LoopClock, TimerHandle
from sip.counters import Counters
from sip.digest import Algorithm, DigestClient, DigestServer, Refusal
from sip.errors import InvalidValue, LocalProtocolError, ParseError, SipError
from sip.headers import CSeq, Headers, Reason, Via
from sip.message import Request, Response, create_response
from sip.proving import Proof
from sip.registering import Registration
from sip.registration import RegistrationState
from sip.replaces import Replaces
from sip.secret import Secret
from sip.subscribing import Subscription
from sip.subscription import Notification, SubscriptionInfo
from sip.uri import NameAddr, Uri, escape_user
from sip.user_to_user import UserToUser

__all__ = [
    "COMPLETED_ELSEWHERE",
    "NORMAL_CLEARING",
    "TERMINAL_EVENTS",
    "Account",
    "AgentConfig",
    "Algorithm",
    "Answered",
    "CSeq",
    "Call",
    "CallEvent",
    "Cancelled",
    "Clock",
    "Confirmed",
    "Counters",
    "DigestClient",
    "DigestServer",
    "Failed",
    "FailureCause",
    "Headers",
    "IncomingCall",
    "InfoReceived",
    "InvalidValue",
    "LocalEnd",
    "LocalProtocolError",
    "LoopClock",
    "NameAddr",
    "Notification",
    "Offer",
    "OfferAnswered",
    "OfferFailed",
    "OutgoingCall",
    "ParseError",
    "PeerIdentified",
    "Progress",
    "Proof",
    "Reason",
    "Refusal",
    "Registration",
    "RegistrationState",
    "Rejected",
    "RemoteHangup",
    "Replaced",
    "Replaces",
    "Request",
    "Response",
    "Secret",
    "SipError",
    "Subscription",
    "SubscriptionInfo",
    "TimerHandle",
    "TransferProgress",
    "TransferRefused",
    "TransferRequested",
    "Uri",
    "UserAgent",
    "UserToUser",
    "Via",
    "create_response",
    "escape_user",
]
