"""Words for what the types only name: when an error or close code is used."""

from __future__ import annotations

from gateway.sessions import wire
from gateway.sessions.wire import ErrorKind

ERRORS: dict[ErrorKind, str] = {
    ErrorKind.AUTH_EXPIRED: "The access token was good once. Sign in again.",
    ErrorKind.AUTH_DENIED: "Wrong assertion, password, token or ticket, or no user.",
    ErrorKind.SESSION_UNKNOWN: "The session cannot be resumed or has ended. Say hello.",
    ErrorKind.SESSION_SUPERSEDED: "Another page has taken over. Offer to take back.",
    ErrorKind.SESSION_OBSERVER: "This needs the phone, which another page has.",
    ErrorKind.CALL_UNKNOWN: "The user has no such call.",
    ErrorKind.CALL_WRONG_STATE: "The call is not in a state in which this can be done.",
    ErrorKind.CALL_LIMIT: "As many calls as the user may have, or a full meeting.",
    ErrorKind.NUMBER_INVALID: "This cannot be dialled.",
    ErrorKind.CODEC_NONE: "The two sides share no codec.",
    ErrorKind.MEDIA_BAD_SDP: "The offer cannot be used.",
    ErrorKind.MEDIA_UNAVAILABLE: "No media worker can take the call.",
    ErrorKind.REGISTRAR_DOWN: "The application server cannot be reached.",
    ErrorKind.CRM_UNAVAILABLE: "The CRM does not answer.",
    ErrorKind.CRM_LIMIT: "What is left of the CRM's allowance is kept for calls.",
    ErrorKind.CRM_REFUSED: "The CRM does not allow it.",
    ErrorKind.CRM_DUPLICATE: "The CRM has such a record already; see `records`.",
    ErrorKind.INVITE_UNKNOWN: "The user has no such invite, or it no such guest.",
    ErrorKind.INVITE_INVALID: "Something in the invite is wrong; see `field`.",
    ErrorKind.INVITE_CLOSED: "The invite is over or cancelled.",
    ErrorKind.POLICY_DENIED: "Not allowed for this user, tenant or web site.",
    ErrorKind.OP_CONFLICT: "The `op_id` was used for another request.",
    ErrorKind.RATE_LIMITED: "Too much at once. Try again later.",
    ErrorKind.DRAIN: "The gateway is shutting down. Reconnect; another may answer.",
    ErrorKind.BAD_REQUEST: "The frame or its parameters are malformed.",
    ErrorKind.METHOD_UNKNOWN: "There is no such method.",
    ErrorKind.INTERNAL: "A fault of the gateway; `trace_id` finds it in the log.",
}

CLOSES: dict[int, tuple[str, str]] = {
    1000: ("Signed out.", "Do not reconnect."),
    1007: ("A frame was not UTF-8.", "A fault of the client."),
    1009: ("A frame was larger than 64 KiB.", "A fault of the client."),
    wire.CLOSE_PROTOCOL: (
        "A binary frame, or a first frame that cannot be read.",
        "A fault of the client.",
    ),
    wire.CLOSE_NO_HELLO: (
        "No greeting in time, or a refused one.",
        "Get a ticket, connect, say hello.",
    ),
    wire.CLOSE_SILENT: ("Nothing was heard for too long.", "Connect and resume."),
    wire.CLOSE_SUPERSEDED: (
        "Another page has taken over, or this page by a newer socket.",
        "Do not reconnect by itself; offer it.",
    ),
    wire.CLOSE_SIGNED_OUT: ("Signed out in another page.", "Do not reconnect."),
    wire.CLOSE_RATE_LIMITED: (
        "Too many frames, and went on after being refused.",
        "Wait, connect, resume.",
    ),
    wire.CLOSE_DRAIN: (
        "The gateway shuts down.",
        "Connect with back-off; say hello.",
    ),
}

METHODS: dict[str, str] = {
    "session.hello": "First frame of a page. Opens the session or comes to it.",
    "session.resume": "First frame of a new socket of the same page.",
    "session.ack": "Every event up to `seq` has arrived. May be a notification.",
    "session.take": "Take the phone, and with it the media of the calls.",
    "session.mute": "Which calls are muted, for the other pages to show and to keep.",
    "session.close": "Sign out.",
    "ping": "Is the server there? May be a notification, which gets no answer.",
    "registration.retry": "Try to register the phone account now.",
    "call.create": "Dial.",
    "call.join": "Come to the meeting of the invite; calls the host, or waits while it "
    "rings, or enters at once. The only call that guests may make.",
    "call.answer": "Answer.",
    "call.reject": "Decline.",
    "call.hangup": "End, or cancel while it rings there.",
    "call.dtmf": "Send digits.",
    "call.media": "Offer media: at first, after a reload or network change, as asked.",
    "call.trickle": "A late ICE candidate; not needed.",
    "call.choose_record": "Of several matches, this one.",
    "call.hold": "Put a call on hold.",
    "call.retrieve": "Take a call back from hold; others that are active are held.",
    "call.transfer": "Hand the other party over, to a number or to another call.",
    "call.merge": "Make one conference of several calls.",
    "call.split": "Take a call out of its conference, on hold.",
    "presence.set": "Ring, or do not disturb.",
    "work.change": "Notes, disposition and what a call is about, also afterwards.",
    "work.save": "End wrap-up: the activity is written.",
    "work.visit": "The rep has opened a record.",
    "activity.retry": "Try again to write an activity that failed.",
    "directory.search": "Colleagues, favourites and CRM records to call.",
    "favourite.set": "Remember a number to call, or forget it.",
    "contact.create": "Create a CRM contact.",
    "record.search": "People in the CRM by name or e-mail.",
    "history.list": "Ended calls, newest first.",
    "invite.create": "Make a video invite and mail it to its guests.",
    "invite.change": "Change it; guests get the change by mail.",
    "invite.cancel": "Cancel it; guests are told by mail.",
    "invite.resend": "Mail the invitation again.",
    "invite.extend": "Let it end later.",
    "invite.link": "A guest's link, to hand over by another way.",
    "invite.list": "The invites to come, or those that are over.",
}

EVENTS: dict[str, str] = {
    "registration.state": "The phone account is registered, or why not.",
    "call.incoming": "It rings, and is on record. `match` may still be `searching`.",
    "call.ringing": "It rings at the far end.",
    "call.early_media": "The far end sends sound before it answers.",
    "call.answered": "The call is answered, here or there, or has entered a meeting.",
    "call.media": "What to do about media, or that it flows.",
    "call.dtmf": "The far end pressed a key.",
    "call.updated": "Anything else of the call changed.",
    "call.ended": "The call is over; `end_reason` says why. "
    "Without `call.incoming` when the caller gave up at once, or was not to disturb.",
    "presence.changed": "Whether calls ring here.",
    "invite.updated": "An invite changed, or how far its mail, guests or event are.",
    "invite.ending": "The invite's time ends soon.",
    "session.owner": "Another page has the phone now, or what is muted has changed.",
    "session.superseded": "Another page has taken over. The socket closes.",
    "server.notice": "`drain`: the gateway will shut down.",
}

HTTP: dict[str, str] = {
    "/v1/sign-in": "Proves who the user is: CRM assertion, the sign-in window's code, "
    "phone account, or name and password.",
    "/v1/sign-in/refresh": "New tokens for the newest refresh token.",
    "/v1/sign-out": "Ends a sign-in: its tokens, its session, its calls.",
    "/v1/sessions": "A ticket for one `session.hello`. Needs the access token.",
    "/v1/turn": "STUN and TURN servers with credentials. Needs the access token.",
    "/v1/join": "What an invite's link leads to, and whether one may come in.",
    "/v1/join/session": "Come in as a guest. Gives an access token.",
    "/v1/join/calendar": "The invite as a calendar file.",
    "/v1/ice-test": "Can the page reach the gateway at all?",
}
