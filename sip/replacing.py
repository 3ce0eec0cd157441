"""Which call of ours an INVITE with Replaces is to take the place of (RFC 3891 3)."""

from __future__ import annotations

from collections.abc import Mapping

from sip.account import Account
from sip.call import Call
from sip.dialog import DialogId, DialogState, EndedDialogs
from sip.errors import ParseError
from sip.message import Request
from sip.refer import Unfit
from sip.replaces import Replaces
from sip.session import Session


def find_replaced(
    request: Request,
    account: Account | None,
    sessions: Mapping[DialogId, Session],
    ended: EndedDialogs,
    now: float,
) -> Call | Unfit | None:
    """The call that an INVITE to ``account`` replaces; None when it replaces none.

    ``account`` None: it is to nobody we know.

    A dialog of another account is as unknown as one that never was: who may call one
    user must not end the calls of others.
    """
    try:
        replaces = Replaces.of_headers(request.headers)
    except ParseError as error:
        return Unfit(400, error.detail)
    if replaces is None:
        return None
    dialog = named_dialog(replaces, sessions)
    session = sessions.get(dialog)
    if session is None:
        is_over = ended.knows(dialog, now)
        return Unfit(603, "it has ended") if is_over else Unfit(481, "no such dialog")
    call = session.user
    if (
        account is None
        or not isinstance(call, Call)
        or not account.serves(call.account.aor)
    ):
        return Unfit(481, "no such dialog")
    if session.is_ended or call.is_ended:
        return Unfit(603, "it has ended")
    is_early = session.dialog.state is DialogState.EARLY
    if is_early and not session.dialog.is_caller:
        return Unfit(481, "a call that rings here cannot be replaced")
    if replaces.early_only and not is_early:
        return Unfit(486, "it has been answered")
    return call


def named_dialog(replaces: Replaces, sessions: Mapping[DialogId, Session]) -> DialogId:
    """The dialog as we call it; a tag of zero stands for none too (RFC 3891 3)."""
    exact = DialogId(replaces.call_id, replaces.to_tag, replaces.from_tag)
    if replaces.from_tag == "0" and exact not in sessions:
        return DialogId(replaces.call_id, replaces.to_tag, "")
    return exact
