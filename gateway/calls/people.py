"""What a rep asks the CRM about people, and who a caller is."""

from __future__ import annotations

import asyncio
import logging

from gateway.crm.connector import (
    Connector,
    ContactDraft,
    CrmDuplicateFound,
    CrmError,
    CrmLimitExceeded,
    CrmRecord,
    CrmUser,
)
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, Match, MatchState

logger = logging.getLogger(__name__)

CRM_TIMEOUT_S = 15.0


async def create_contact(
    connector: Connector, user: User, params: wire.ContactCreate
) -> wire.Record:
    """Raises RequestError: not allowed, there already, or the CRM is away."""
    draft = ContactDraft(
        last_name=params.last_name,
        first_name=params.first_name,
        phone=params.phone,
        company=params.company,
        email=params.email,
    )
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            found = await connector.create_contact(_crm_user(user), draft)
    except CrmDuplicateFound as error:
        raise RequestError(
            ErrorKind.CRM_DUPLICATE,
            str(error),
            records=tuple(wire_record(record) for record in error.records),
        ) from None
    except (CrmError, TimeoutError) as error:
        raise _crm_failed(error) from None
    return wire_record(found)


async def find_people(
    connector: Connector, user: User, text: str
) -> tuple[wire.Record, ...]:
    """By name or e-mail. Raises RequestError: the CRM is away, or refuses."""
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            found = await connector.find_people(_crm_user(user), text)
    except (CrmError, TimeoutError) as error:
        raise _crm_failed(error) from None
    return tuple(map(wire_record, found))


async def find_caller(connector: Connector, user: User, e164: str) -> Match:
    """Who has this number, as ``user`` may see them; a failure is an answer too."""
    try:
        async with asyncio.timeout(CRM_TIMEOUT_S):
            records = await connector.find_by_number(_crm_user(user), e164)
    except (CrmError, TimeoutError) as error:
        logger.warning("no caller match for %s: %s", user.key, error)
        return Match(state=MatchState.FAILED)
    return Match(
        state=MatchState.FOUND if records else MatchState.NONE,
        records=tuple(wire_record(record) for record in records),
    )


def wire_record(record: CrmRecord) -> wire.Record:
    return wire.Record(
        id=record.id,
        kind=record.kind,
        name=record.name[:255],
        url=record.url,
        company=record.company[:255],
        phone=record.phone[:255],
        email=record.email[:255],
        certainty=record.certainty.value,
    )


def _crm_user(user: User) -> CrmUser:
    return CrmUser(
        tenant=user.key.tenant, id=user.crm_user_id, username=user.crm_username
    )


def _crm_failed(error: CrmError | TimeoutError) -> RequestError:
    if isinstance(error, CrmLimitExceeded):
        return RequestError(ErrorKind.CRM_LIMIT, str(error), retryable=True)
    retryable = isinstance(error, TimeoutError) or error.retryable
    return RequestError(
        ErrorKind.CRM_UNAVAILABLE if retryable else ErrorKind.CRM_REFUSED,
        str(error) or "The CRM did not answer in time.",
        retryable=retryable,
    )
