"""The connector: what the gateway asks of Salesforce, in its event loop.

Each request runs in one of a few worker threads (simple-salesforce is blocking), with
a client that is made for it: direct mode, the user's token, the thread's own session.
A request's time is bounded in the thread (:mod:`.http`) and again here, so that a
caller never waits for a thread; when all threads are taken and the queue is full,
more requests fail at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any, TypeVar

from simple_salesforce.api import Salesforce, SFType
from simple_salesforce.exceptions import SalesforceMoreThanOneRecord
from simple_salesforce.format import format_external_id, format_soql

from gateway.crm.connector import (
    Activity,
    ActivityFacts,
    ContactDraft,
    CrmConflict,
    CrmError,
    CrmRecord,
    CrmRefused,
    CrmSignInFailed,
    CrmUnavailable,
    CrmUser,
    FoundByKey,
    Meeting,
    WrittenActivity,
)
from gateway.crm.numbers import NumberError, normalise
from gateway.crm.salesforce import (
    dialling,
    event,
    keys,
    organisation,
    people,
    person,
    search,
    task,
)
from gateway.crm.salesforce.assumptions import (
    CREATE_ONLY_FIELD,
    DESCRIBED_FOR_S,
    LEAD_PREFIX,
    MAX_EMAIL,
    NOT_ABOUT_CODE,
    NOT_ABOUT_NAMES,
)
from gateway.crm.salesforce.cache import FreshContacts, NumberCache
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.correction import correct
from gateway.crm.salesforce.errors import (
    MODIFIED,
    ReplyLost,
    SessionExpired,
    unreadable,
)
from gateway.crm.salesforce.http import ALLOW_DUPLICATE, SalesforceSession
from gateway.crm.salesforce.limits import Gate, Urgency
from gateway.crm.salesforce.org_setup import OrgSetup
from gateway.crm.salesforce.tokens import Token, TokenProvider

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Above connect + read + the body's deadline: the thread gives up first.
REQUEST_TIMEOUT_S = 30.0
DUPLICATE_VALUE_TRIES = 3
DUPLICATE_VALUE_PAUSE_S = 0.2
CORRECTION_TRIES = 3

FIELD_NAME = re.compile(r"[A-Za-z]\w{0,79}")
TASK = "Task"
EVENT = "Event"


class SalesforceConnector:
    """One tenant's organisation; implements :class:`gateway.crm.connector.Connector`.

    Args:
        clock: monotonic seconds.
        rng: for jitter.
        wall: Unix seconds, for the assertion's expiry.
    """

    def __init__(
        self,
        config: SalesforceConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Check the key; nothing is connected yet.

        Raises:
            ValueError: the private key is unusable.
        """
        self._config = config
        self._clock = clock
        self._rng = rng
        self._pool = ThreadPoolExecutor(
            config.workers, thread_name_prefix=f"crm-{config.tenant}"
        )
        self._of_thread = threading.local()
        self._sessions: list[SalesforceSession] = []
        self._sessions_lock = threading.Lock()
        self._waiting = 0
        # Work that can wait leaves half of the threads to callers' names.
        self._background = asyncio.Semaphore(max(1, config.workers // 2))
        self._tokens = TokenProvider(config, self._post_form, clock=clock, wall=wall)
        self._gate = Gate(rng)
        self._numbers = NumberCache(clock)
        self._fresh = FreshContacts(clock, config.country)
        self._setup = OrgSetup()
        # Fields that an administrator hides fail a whole search: which of the searches
        # for a purpose has worked, counted from the fullest.
        self._plainness: dict[str, int] = {}
        # What Tasks are like, and since when that is known.
        self._described: tuple[ActivityFacts, float] | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"SalesforceConnector({self._config.tenant!r})"

    @property
    def api_usage(self) -> float | None:
        """Share of the daily API allowance that is used, None if not known lately."""
        return self._gate.limits.usage(self._clock())

    @property
    def held_back(self) -> int:
        """Requests that were to wait because the allowance is nearly used up."""
        return self._gate.limits.held_back

    @property
    def is_circuit_open(self) -> bool:
        return self._gate.breaker.is_open

    # Connector -------------------------------------------------------------------

    async def find_by_number(self, user: CrmUser, e164: str) -> tuple[CrmRecord, ...]:
        """Records whose phone fields hold the number, best first; () if none."""
        username = self._username(user)
        try:
            wanted = normalise(e164, self._config.country)
        except NumberError:
            return ()
        if not wanted.e164:
            return ()
        found = self._numbers.get(username, wanted.e164)
        if found is None:
            reply = await self._callers(username, wanted.e164)
            ranked = search.rank(
                search.candidates(reply, wanted, config=self._config), owner_id=user.id
            )
            self._setup.learn(
                (one.record.id, one.contact_id) for one in ranked if one.contact_id
            )
            found = tuple(one.record for one in ranked)
            self._numbers.put(username, wanted.e164, found)
        fresh = self._fresh.matching(username, wanted)
        known = {record.id for record in found}
        return (*(record for record in fresh if record.id not in known), *found)

    async def find_people(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        """People whose name or e-mail begins so, new contacts first; at most ten."""
        username = self._username(user)
        words = people.words(text)
        if not words:
            return ()
        searches = (people.sosl(text), people.sosl(text, basic=True))
        reply = await self._asking_less(
            username, "people", searches, urgency=Urgency.WAITS
        )
        found = people.records(reply, config=self._config)
        return people.merged(self._fresh.named(username, words), found)

    async def find_by_key(
        self, user: CrmUser, key: str, fields: Mapping[str, str]
    ) -> FoundByKey:
        """What has exactly this in one of these fields; nothing if the key is none."""
        username = self._username(user)
        if not key or len(key) > keys.MAX_KEY:
            return FoundByKey()
        wanted = dict(list(fields.items())[: keys.MAX_OBJECTS])
        rows: dict[str, list[Any]] = {}
        for basic in (False, True):
            queries = {
                kind: keys.query(kind, field, key, basic=basic)
                for kind, field in wanted.items()
                if kind not in rows
            }
            if not queries:
                break
            body = keys.composite(queries, api_version=self._config.api_version)
            reply = await self._perform(username, partial(_composite, body=body))
            for kind, part in keys.parts(reply, tuple(queries)).items():
                if not isinstance(part, CrmError):
                    rows[kind] = part
                    continue
                # Not the words: they may quote the query, and so the key.
                logger.warning(
                    "tenant %s: no %s by its %s: %s",
                    *(self._config.tenant, kind, wanted[kind], part.code),
                )
                if part.code != "INVALID_FIELD":
                    rows[kind] = []
        in_order = {kind: rows[kind] for kind in wanted if kind in rows}
        return keys.found(in_order, config=self._config)

    async def find_callable(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        """Numbers of people and companies whose name, e-mail or number begins so."""
        username = self._username(user)
        country = self._config.country
        searches = tuple(
            dialling.sosl(text, country, basic=basic) for basic in (False, True)
        )
        if not searches[0]:
            return ()
        async with self._background:
            reply = await self._asking_less(
                username, "numbers to call", searches, urgency=Urgency.WAITS
            )
        return dialling.records(reply, text, config=self._config)

    async def create_contact(self, user: CrmUser, draft: ContactDraft) -> CrmRecord:
        """Create and return it; found by :meth:`find_by_number` at once afterwards."""
        username = self._username(user)
        kind = person.OBJECTS[draft.kind]
        fields = person.fields(draft)
        if self._config.integration_username and task.is_record_id(user.id):
            fields["OwnerId"] = user.id
        if draft.company and kind == "Contact":
            fields |= await self._employer(username, draft.company)
        headers = {"Sforce-Duplicate-Rule-Header": ALLOW_DUPLICATE}

        def create(client: Salesforce) -> Any:
            return _object(client, kind).create(
                fields, headers=headers if draft.allow_duplicate else None
            )

        try:
            record_id = _id_of(await self._perform(username, create))
        except ReplyLost as lost:
            record_id = await self._created_after_all(username, kind, fields, lost)
        except CrmRefused as error:
            error.field = person.NAMES.get(error.field, error.field)
            raise
        name = f"{draft.first_name[:40]} {draft.last_name[:80]}".strip()
        record = CrmRecord(
            id=record_id,
            kind=kind,
            name=name,
            url=self._config.record_url(kind, record_id),
            company=draft.company,
            phone=draft.phone,
            email=draft.email[:MAX_EMAIL],
        )
        self._numbers.forget_user(username)
        self._fresh.add(username, record)
        return record

    async def write_activity(
        self,
        activity: Activity,
        earlier: Sequence[Activity] = (),
        *,
        urgent: bool = True,
    ) -> WrittenActivity:
        """Upsert by ``activity.key``; safe to repeat after any failure.

        Of a Task that is there already only what differs from ``earlier`` is changed,
        and of that only what nobody else has changed. One that is there although
        nothing was ever sent is linked to ``who_id`` and ``what_id``, and left as it
        is besides.
        """
        username = self._username(activity.user)
        urgency = Urgency.WRITE if urgent else Urgency.WAITS
        async with self._background:
            activity = await self._with_person(username, activity)
            earlier = [await self._with_person(username, each) for each in earlier]
            facts = await self._facts_for(username, activity)
            if earlier:
                found = await self._task(username, activity.key, urgency=urgency)
                if found is not None:
                    return await self._correct(
                        username, activity, earlier, facts, found, urgency=urgency
                    )
            fields = self._task_fields(activity, facts)
            try:
                return await self._upsert(
                    username, TASK, activity.key, fields, urgency=urgency
                )
            except CrmRefused as error:
                if not _is_about(error, CREATE_ONLY_FIELD):
                    raise
            found = await self._task(username, activity.key, urgency=urgency)
            if found is None:
                # Refused although it is new: this organisation has no such field.
                del fields[CREATE_ONLY_FIELD]
                return await self._upsert(
                    username, TASK, activity.key, fields, urgency=urgency
                )
            if earlier:
                return await self._correct(
                    username, activity, earlier, facts, found, urgency=urgency
                )
            links = _new_links(task.links(activity.who_id, activity.what_id))
            if links:
                await self._upsert(username, TASK, activity.key, links, urgency=urgency)
            return self._written(TASK, _id_of(found, key="Id"), created=False)

    async def activity_facts(self, user: CrmUser) -> ActivityFacts:
        """What the organisation's Tasks are like; asked for once an hour."""
        return await self._facts(self._username(user))

    async def write_meeting(self, meeting: Meeting) -> WrittenActivity:
        """Upsert by ``meeting.key``, every field; safe to repeat after any failure."""
        username = self._username(meeting.user)
        async with self._background:
            who_id = await self._person(username, meeting.who_id)
            fields = event.fields(replace(meeting, who_id=who_id))
            return await self._upsert(username, EVENT, meeting.key, fields)

    def may_be_about(self, kind: str) -> bool:
        """Whether an activity may be about a record of this object."""
        return self._setup.may_be_about(kind)

    async def prepare(self, user: CrmUser) -> None:
        """Get the user's token, and describe the organisation if that is due."""
        try:
            username = self._username(user)
            if not self._setup.is_due(self._clock()):
                await self._tokens.get(username)
                return
            account, task = [
                await self._perform(
                    username, partial(_describe, kind=kind), urgency=Urgency.WAITS
                )
                for kind in ("Account", TASK)
            ]
            self._setup.described(self._clock(), account=account, task=task)
            self._described = organisation.facts(task), self._clock()
        except CrmError as error:
            logger.info("tenant %s is not described: %s", self._config.tenant, error)

    async def user_fields(
        self, user: CrmUser, names: tuple[str, ...]
    ) -> Mapping[str, str]:
        """Fields of the CRM user as text, "" for empty ones; {} for an unknown user."""
        username = self._username(user)
        if not all(FIELD_NAME.fullmatch(name) for name in names):
            raise ValueError("not the names of fields")
        query = format_soql(
            "SELECT {:literal} FROM User WHERE Id = {}", ", ".join(names), user.id
        )
        reply = await self._perform(username, lambda client: client.query(query))
        rows = _rows(reply)
        if not rows or not isinstance(rows[0], Mapping):
            return {}
        return {name: search.text_of(rows[0], name) for name in names}

    async def close(self) -> None:
        """Give up threads and connections; what is under way there is abandoned."""
        self._closed = True
        await self._tokens.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._sessions_lock:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            session.close()
        # The threads end with the request they are in, which is bounded in time.
        await asyncio.get_running_loop().run_in_executor(None, self._join)

    # Searching -------------------------------------------------------------------

    async def _callers(self, username: str, e164: str) -> Any:
        """The answer to the search for a number, with person accounts if there are."""
        setup = self._setup
        if setup.has_persons is not False:
            searches = search.searches(e164, persons=True)
            try:
                reply = await self._asking_less(username, "callers", searches)
            except CrmRefused as error:
                if not setup.is_persons(error.field):
                    raise
                setup.has_persons = False
            else:
                setup.has_persons = True
                return reply
        return await self._asking_less(username, "callers", search.searches(e164))

    async def _with_person(self, username: str, activity: Activity) -> Activity:
        return replace(activity, who_id=await self._person(username, activity.who_id))

    async def _person(self, username: str, who_id: str) -> str:
        """Whom an activity is to name for this record: of a person account, its
        contact."""
        setup = self._setup
        if setup.is_unknown(who_id) and task.is_record_id(who_id):
            query = format_soql(
                "SELECT PersonContactId FROM Account WHERE Id = {}", who_id
            )
            try:
                reply = await self._perform(
                    username, lambda client: client.query(query), urgency=Urgency.WRITE
                )
            except CrmRefused as error:
                if not setup.is_persons(error.field):
                    raise
                setup.has_persons = False
                return who_id
            contacts = [search.text_of(row, "PersonContactId") for row in _rows(reply)]
            setup.learn((who_id, contact) for contact in contacts)
        return setup.contact_of(who_id) or who_id

    async def _asking_less(
        self,
        username: str,
        purpose: str,
        searches: tuple[str, ...],
        *,
        urgency: Urgency = Urgency.LIVE,
    ) -> Any:
        """The first of these searches, fullest first, in which no field is hidden."""
        for place in range(self._plainness.get(purpose, 0), len(searches)):
            text = searches[place]
            try:
                reply = await self._perform(
                    username, partial(_search, text=text), urgency=urgency
                )
            except CrmRefused as error:
                if error.code != "INVALID_FIELD" or place == len(searches) - 1:
                    raise
                if self._setup.is_persons(error.field):
                    raise
                logger.warning(
                    "tenant %s: searching %s with fewer fields: %s",
                    self._config.tenant,
                    purpose,
                    error,
                )
                continue
            self._plainness[purpose] = place
            return reply
        raise AssertionError("there is a search")

    # Contacts --------------------------------------------------------------------

    async def _employer(self, username: str, company: str) -> dict[str, Any]:
        """The account of that name if there is one, else its name as a remark."""
        query = format_soql("SELECT Id FROM Account WHERE Name = {} LIMIT 2", company)
        reply = await self._perform(username, lambda client: client.query(query))
        rows = _rows(reply)
        if len(rows) == 1:
            return {"AccountId": _id_of(rows[0], key="Id")}
        return {"Description": f"Company: {company}"}

    async def _created_after_all(
        self, username: str, kind: str, fields: Mapping[str, Any], lost: ReplyLost
    ) -> str:
        """A create has no key: look for what it would have made, today and by us."""
        query = format_soql(
            "SELECT Id FROM {:literal} WHERE LastName = {} AND FirstName = {} AND"
            " Phone = {} AND CreatedDate = TODAY ORDER BY CreatedDate DESC LIMIT 1",
            kind,
            fields["LastName"],
            fields.get("FirstName"),
            fields.get("Phone"),
        )
        try:
            reply = await self._perform(username, lambda client: client.query(query))
            rows = _rows(reply)
        except CrmError:
            rows = []
        if not rows:
            raise lost
        return _id_of(rows[0], key="Id")

    # Tasks and Events ------------------------------------------------------------

    def _task_fields(
        self, activity: Activity, facts: ActivityFacts | None
    ) -> dict[str, Any]:
        return task.fields(
            activity, facts, disposition_field=self._config.disposition_field
        )

    async def _facts_for(
        self, username: str, activity: Activity
    ) -> ActivityFacts | None:
        """What must be known to write it, if that can be found out now."""
        extra = self._config.disposition_field and activity.disposition
        if not activity.contact_ids and not extra:
            return None
        try:
            return await self._facts(username)
        except CrmError as error:
            logger.info(
                "tenant %s: Tasks are not described: %s", self._config.tenant, error
            )
            return self._described and self._described[0]

    async def _facts(self, username: str) -> ActivityFacts:
        now = self._clock()
        if self._described and now - self._described[1] < DESCRIBED_FOR_S:
            return self._described[0]
        reply = await self._perform(
            username,
            lambda client: _object(client, TASK).describe(),
            urgency=Urgency.WAITS,
        )
        facts = organisation.facts(reply)
        self._described = facts, now
        return facts

    async def _task(
        self, username: str, key: str, *, urgency: Urgency
    ) -> Mapping[str, Any] | None:
        """The Task of this key, None if there is none; of several, none either."""
        address = format_external_id(self._config.key_field, key)
        try:
            reply = await self._perform(
                username,
                lambda client: _object(client, TASK).get(address),
                urgency=urgency,
            )
        except SalesforceMoreThanOneRecord:
            # The upsert that follows tells of them.
            return None
        except CrmRefused as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        if not isinstance(reply, Mapping):
            raise unreadable("no record")
        return reply

    async def _correct(
        self,
        username: str,
        activity: Activity,
        earlier: Sequence[Activity],
        facts: ActivityFacts | None,
        found: Mapping[str, Any],
        *,
        urgency: Urgency,
    ) -> WrittenActivity:
        """Change the Task that is there, unless somebody has done so meanwhile."""
        wanted = self._task_fields(activity, facts)
        before = [self._task_fields(each, facts) for each in earlier]
        for _ in range(CORRECTION_TRIES):
            record_id = _id_of(found, key="Id")
            change = correct(found, wanted, before)
            try:
                if change.updates:
                    await self._update(
                        username, record_id, change.updates, found, urgency=urgency
                    )
            except CrmUnavailable as error:
                if error.code != MODIFIED:
                    raise
                again = await self._task(username, activity.key, urgency=urgency)
                if again is None:
                    raise
                found = again
                continue
            if change.conflicts:
                raise CrmConflict(change.problem, code="CONFLICT")
            return self._written(TASK, record_id, created=False)
        raise CrmUnavailable("It is being changed in Salesforce", code=MODIFIED)

    async def _update(
        self,
        username: str,
        record_id: str,
        fields: Mapping[str, Any],
        read: Mapping[str, Any],
        *,
        urgency: Urgency,
    ) -> None:
        """Change a Task that nobody has changed since it was ``read``."""
        since = _http_date(read.get("LastModifiedDate"))
        headers = {"If-Unmodified-Since": since} if since else None

        def update(client: Salesforce) -> Any:
            return _object(client, TASK).update(
                record_id, dict(fields), headers=headers
            )

        await self._perform(username, update, urgency=urgency)

    async def _upsert(
        self,
        username: str,
        kind: str,
        key: str,
        fields: Mapping[str, Any],
        *,
        urgency: Urgency = Urgency.WAITS,
    ) -> WrittenActivity:
        address = format_external_id(self._config.key_field, key)

        def upsert(client: Salesforce) -> tuple[int, Any]:
            try:
                response = _object(client, kind).upsert(
                    address, dict(fields), raw_response=True
                )
            except SalesforceMoreThanOneRecord as several:
                return 300, several.content
            return response.status_code, _body(response)

        try:
            status, reply = await self._retrying_duplicates(username, upsert, urgency)
        except CrmRefused as error:
            if not (fields.get("WhatId") and _takes_no_activities(error)):
                raise
            # Better on the person alone than nowhere.
            logger.warning(
                "tenant %s: %s is written without what it is about: %s",
                *(self._config.tenant, key, error),
            )
            rest = {name: fields[name] for name in fields if name != "WhatId"}
            return await self._upsert(username, kind, key, rest, urgency=urgency)
        if status == 300:
            logger.warning(
                "tenant %s: several %ss have the key %s: the field %s is not unique",
                self._config.tenant,
                kind,
                key,
                self._config.key_field,
            )
            first = min(str(address) for address in reply)
            found = first.rstrip("/").rpartition("/")[2]
            return self._written(kind, found, created=False)
        if status == 204:
            found = await self._id_by_key(username, kind, key) or ""
            return self._written(kind, found, created=False)
        return self._written(kind, _id_of(reply), created=status == 201)

    async def _retrying_duplicates(
        self, username: str, work: Callable[[Salesforce], T], urgency: Urgency
    ) -> T:
        """Another create of the same key won the race: the next try finds its Task."""
        for tries in range(1, DUPLICATE_VALUE_TRIES):
            try:
                return await self._perform(username, work, urgency=urgency)
            except CrmUnavailable as error:
                if error.code != "DUPLICATE_VALUE":
                    raise
            await asyncio.sleep(
                DUPLICATE_VALUE_PAUSE_S * tries * self._rng.uniform(0.5, 1.5)
            )
        return await self._perform(username, work, urgency=urgency)

    async def _id_by_key(self, username: str, kind: str, key: str) -> str | None:
        address = format_external_id(self._config.key_field, key)
        try:
            reply = await self._perform(
                username, lambda client: _object(client, kind).get(address)
            )
        except CrmRefused as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        return _id_of(reply, key="Id")

    def _written(self, kind: str, record_id: str, *, created: bool) -> WrittenActivity:
        url = self._config.record_url(kind, record_id) if record_id else ""
        return WrittenActivity(record_id, url, created)

    # Requests --------------------------------------------------------------------

    def _username(self, user: CrmUser) -> str:
        if user.tenant != self._config.tenant:
            raise CrmRefused("This user is of another tenant.", code="OTHER_TENANT")
        username = self._config.integration_username or user.username
        if not username:
            raise CrmRefused(
                "This user has no Salesforce username.", code="NO_USERNAME"
            )
        return username

    async def _perform(
        self,
        username: str,
        work: Callable[[Salesforce], T],
        *,
        urgency: Urgency = Urgency.LIVE,
    ) -> T:
        """Do one request with the user's token; an expired one is renewed once."""
        self._gate.check(self._clock(), urgency=urgency, trial_s=REQUEST_TIMEOUT_S)
        try:
            result = await self._renewing(username, work)
        except CrmError as error:
            self._gate.outcome(self._clock(), error)
            raise
        self._gate.outcome(self._clock(), None)
        return result

    async def _renewing(self, username: str, work: Callable[[Salesforce], T]) -> T:
        token = await self._tokens.get(username)
        try:
            return await self._with_client(token, work)
        except SessionExpired:
            self._tokens.refuse(username, token)
        token = await self._tokens.get(username)
        try:
            return await self._with_client(token, work)
        except SessionExpired as error:
            self._tokens.refuse(username, token)
            code = error.code
        raise CrmSignInFailed(
            "Salesforce does not accept the token it has just issued", code=code
        )

    async def _with_client(self, token: Token, work: Callable[[Salesforce], T]) -> T:
        def run() -> T:
            client = Salesforce(
                session_id=token.value,
                instance_url=self._config.my_domain,
                version=self._config.api_version,
                session=self._session(),
            )
            try:
                return work(client)
            except CrmError:
                raise
            except ValueError as error:
                # Of the JSON decoder; its text quotes the reply, so only its kind.
                kind = type(error).__name__
            raise unreadable(kind)

        return await self._in_worker(run)

    async def _post_form(
        self, url: str, form: dict[str, str]
    ) -> tuple[int, bytes, Any]:
        def post() -> tuple[int, bytes, Any]:
            response = self._session().exchange("POST", url, data=form)
            return response.status_code, response.content, response.headers

        return await self._in_worker(post)

    async def _in_worker(self, run: Callable[[], T]) -> T:
        if self._closed:
            raise CrmUnavailable("The connector is closed", code="CLOSED")
        if self._waiting >= self._config.max_waiting:
            raise CrmUnavailable("Too many Salesforce requests wait", code="BUSY")
        self._waiting += 1
        future = self._pool.submit(run)
        loop = asyncio.get_running_loop()
        # Counted until the thread is free, not until the caller has lost patience.
        future.add_done_callback(lambda _: _tell(loop, self._done))
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise ReplyLost(
                "Salesforce does not answer in time", code="TIMEOUT"
            ) from None

    def _done(self) -> None:
        self._waiting -= 1

    def _session(self) -> SalesforceSession:
        session: SalesforceSession | None = getattr(self._of_thread, "session", None)
        if session is None:
            session = SalesforceSession(self._config, self._read_usage)
            self._of_thread.session = session
            with self._sessions_lock:
                self._sessions.append(session)
        return session

    def _read_usage(self, used: int, allowed: int) -> None:
        self._gate.limits.read_usage(used, allowed, self._clock())

    def _join(self) -> None:
        self._pool.shutdown(wait=True)


def _tell(loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(action)
    except RuntimeError:
        # The loop has been closed meanwhile: nobody counts any more.
        return


def _search(client: Salesforce, *, text: str) -> Any:
    try:
        return client.search(text)
    except TypeError:
        # simple-salesforce asks for the length of whatever came.
        raise unreadable("no list of records") from None


def _composite(client: Salesforce, *, body: Mapping[str, Any]) -> Any:
    return client.restful("composite", method="POST", json=body)


def _describe(client: Salesforce, *, kind: str) -> Any:
    return _object(client, kind).describe()


def _object(client: Salesforce, name: str) -> SFType:
    found = getattr(client, name)
    if not isinstance(found, SFType):
        raise TypeError(f"{name} is no object")
    return found


def _body(response: Any) -> Any:
    return response.json() if response.content else None


def _rows(reply: Any) -> list[Any]:
    rows = reply.get("records") if isinstance(reply, Mapping) else None
    if not isinstance(rows, list):
        raise unreadable("no list of records")
    return rows


def _id_of(reply: Any, *, key: str = "id") -> str:
    value = reply.get(key) if isinstance(reply, Mapping) else None
    if not isinstance(value, str) or not task.is_record_id(value):
        raise unreadable("no record id")
    return value


def _is_about(error: CrmError, field: str) -> bool:
    codes = {"INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_FIELD"}
    return error.code in codes and field in str(error)


def _takes_no_activities(error: CrmRefused) -> bool:
    """It was refused for what it is about, or for that object's taking none."""
    if error.code != NOT_ABOUT_CODE:
        return False
    return error.field == "WhatId" or any(n in str(error) for n in NOT_ABOUT_NAMES)


def _http_date(value: Any) -> str:
    """``2026-11-25T07:00:00.000+0000`` as HTTP writes it; "" if it is no such time."""
    try:
        at = datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return ""
    return format_datetime(at.astimezone(UTC), usegmt=True)


def _new_links(links: Mapping[str, str]) -> dict[str, str | None]:
    """For a Task that has others: what would contradict the new ones is emptied."""
    if "WhoId" not in links:
        return {"WhoId": None, **links} if links else {}
    if links["WhoId"].startswith(LEAD_PREFIX):
        return {**links, "WhatId": None}
    return dict(links)
