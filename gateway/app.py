"""The composition root: builds the service from its configuration, and ends it.

Everything that the service has is made here and handed to whom it concerns. The order
of :meth:`Gateway.start` is that of dependence; closing goes back: first nobody new
comes in, then calls end and are recorded, then what carried them goes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from pydantic import SecretStr

import sip
from gateway import pages
from gateway.activities.composer import compose_next_step, links
from gateway.activities.org_facts import OrgFacts
from gateway.activities.record import CallRecord
from gateway.activities.recovery import recover
from gateway.activities.writer import ActivityChange, ActivityWriter
from gateway.calls.caller_key import NO_KEY, CallerKeyRule
from gateway.calls.callers import IsColleague
from gateway.calls.desk_phones import DeskPhones, DeskTenant, MadeLegs
from gateway.calls.directory import Directory
from gateway.calls.people_backend import PeopleBackend
from gateway.calls.ports import CallLimits, Services
from gateway.calls.referrals import TransfersFromOutside
from gateway.calls.service import CallService, TenantLine
from gateway.config import Config, PicklistSection, SipAccountSection, TenantSection
from gateway.crm.connector import Connector, CrmUser
from gateway.crm.numbers import to_show
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.identity.accounts import line
from gateway.identity.assembly import People
from gateway.identity.directory import TenantIdentity
from gateway.identity.live import LiveUsers
from gateway.identity.phone_users import AccountsWithPhones, PhoneUsers
from gateway.identity.salesforce import SalesforceSignIn
from gateway.identity.turn import TurnConfig
from gateway.identity.users import User, UserKey
from gateway.identity.ways import WaysToSignIn
from gateway.invites.assembly import Invites
from gateway.invites.crm import InviteEvents
from gateway.invites.guests import GuestBook
from gateway.media.relay import RelayConfig, RelayEngine
from gateway.media.relay.config import SymmetricRtp
from gateway.operations import routes as operations
from gateway.operations.metrics import Metrics
from gateway.operations.readings import ServiceReadings
from gateway.pages import HostOrigin
from gateway.sessions import oauth
from gateway.sessions.backend import Backend
from gateway.sessions.directory import SessionDirectory, SessionLimits
from gateway.sessions.routes import (
    Door,
    add_routes,
    new_events,
    new_http_services,
)
from gateway.sessions.session import SessionEvents
from gateway.sessions.wire import ActivityView
from gateway.storage import (
    CallJournal,
    Database,
    JournalWriter,
    Outbox,
    OutboxKind,
    SignInTable,
    Spool,
)
from gateway.storage.favourites import FavouriteTable
from gateway.storage.housekeeping import Housekeeping, KeepFor
from gateway.storage.presences import PresenceTable
from gateway.storage.retention import Retention
from gateway.work_rules import WorkOfTenants, compose_in

logger = logging.getLogger(__name__)

HTTP_SHUTDOWN_S = 2.0
NODE = "main"


class Gateway:
    """The whole service. ``async with Gateway(config) as gateway: ...``

    ``now`` gives Unix seconds. Starting raises OSError when a port is taken and
    ``StorageError`` when the database cannot be opened.
    """

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._config = config
        self._now = now
        self._rng = rng or random.SystemRandom()
        self._tenants = {tenant.id: tenant for tenant in config.tenants}
        self._stack = AsyncExitStack()
        self._port = 0
        # Set, with the reason logged, when a part failed that nothing works without.
        self.broken = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where it listens, as an address of this machine."""
        return f"http://{self._config.http.host}:{self._port}"

    async def _start(self) -> None:
        config, stack = self._config, self._stack

        database = Database(config.storage.url)
        stack.push_async_callback(database.close)
        await database.open()
        connectors = self._connectors(stack)
        people = People.build(
            config,
            database,
            map(_identity, config.tenants),
            fields_of=connectors.get,
        )
        await people.users.refresh()
        users = people.users
        facts = OrgFacts(connectors, lambda tenant: self._crm_user(tenant, users))
        work = WorkOfTenants(config.tenants, facts)
        self._run("facts", facts.run())
        calls_table = CallJournal(database, node=NODE)
        # The same name at every start: what a crash left claimed is ours again.
        outbox = Outbox(database, owner=NODE)

        # Whom the news of activities concern exists only after what writes them.
        tell: list[Callable[[ActivityChange], None]] = []
        writer = ActivityWriter(
            outbox,
            connectors.get,
            on_state=lambda change: _tell_all(tell, change),
            now=self._now,
            rng=self._rng,
        )
        journal = JournalWriter(
            calls_table,
            spool=Spool(Path(config.storage.spool)),
            compose=lambda call, user: compose_in(work, call, user),
            links=links,
            number_to_show=self._number_to_show,
            on_committed=writer.wake,
            now=self._now,
            rng=self._rng,
            compose_next_step=lambda call, user: compose_next_step(
                call, user, work.of(user.key.tenant).logging
            ),
            about_kinds=lambda tenant: work.of(tenant).logging.about_kinds,
        )
        await journal.replay()
        await recover(
            calls_table,
            lambda call: compose_in(work, call, _owner(call, users)),
            self._now(),
            compose_next_step=lambda call: compose_next_step(
                call, _owner(call, users), work.of(call.user.tenant).logging
            ),
            wrap_up_s=lambda tenant: work.of(tenant).wrap_up_s,
        )
        self._run("activities", writer.run())
        stack.push_async_callback(journal.close)
        self._run("journal", journal.run())

        engine = RelayEngine(_relay_config(config))
        await engine.start()
        stack.push_async_callback(engine.stop)

        agent = sip.UserAgent(_agent_config(config), rng=self._rng)
        made = MadeLegs(agent)
        # Who there is: reps, and guests while they are here.
        ways = WaysToSignIn(
            config, people.users, f"{config.http.public_url}{oauth.CALLBACK}"
        )
        phones = PhoneUsers(people.users, ways.phones(), agent.prove)
        book = GuestBook(phones)
        salesforce, asks = ways.salesforce(
            book, people.provisioner, wall_clock=self._now
        )
        for ask in asks:
            stack.push_async_callback(ask.close)
        door = self._door(book, ways, phones, salesforce, database)
        events = new_events(door)
        accounts = AccountsWithPhones(people.users.accounts, phones)
        call_services = self._call_services(engine, journal, events)
        calls = self._calls(
            made,
            call_services,
            connectors,
            accounts,
            work,
            users.has_sip_user,
            PresenceTable(database),
        )
        desk_phones = self._desk_phones(
            calls, made, call_services, connectors, accounts, users.has_sip_user
        )
        calls.board.on_call_over = lambda call: desk_phones.call_over(call.user.key)
        agent.on_invite = desk_phones.on_invite
        await agent.start()
        stack.push_async_callback(agent.close)
        self._run("calls", calls.run(), stop=calls.close)
        self._run("desk phones", desk_phones.run(), stop=desk_phones.close)
        backend = self._people_backend(
            desk_phones, calls, FavouriteTable(database), connectors, people.users
        )
        stack.push_async_callback(backend.close)
        invites = self._invites(
            database, outbox, writer, book, events, calls, people.users
        )
        calls.use_invites(invites.admission)
        tell.append(lambda change: _tell_activity(calls, desk_phones, invites, change))
        stack.push_async_callback(invites.close)
        self._run("mails", invites.sender.run(), stop=invites.sender.close)
        self._run("bounces", invites.bounces.run())

        app = web.Application()
        services = new_http_services(door)
        sessions = add_routes(
            app, invites.backend(backend), door, events=events, services=services
        )
        people.users.on_gone = sessions.expel
        self._run("users", people.users.run())
        invites.serve(app, services, sessions)
        await invites.start()
        services.sign_ins.on_end = phones.ended
        self._run("sign-ins", services.sign_ins.run())
        pages.add_routes(app, self._host_origins(), ways.names())
        keep = config.retention
        housekeeping = Housekeeping(
            Retention(database),
            KeepFor(keep.calls_days, keep.invites_days, keep.mail_bodies_days),
            now=self._now,
        )
        self._run("housekeeping", housekeeping.run())
        readings = ServiceReadings(
            calls=calls,
            sessions=sessions,
            engine=engine,
            agent=agent,
            journal=journal,
            writer=writer,
            invites=invites,
            housekeeping=housekeeping,
            crms=connectors,
        )
        operations.add_routes(
            app,
            metrics=Metrics(readings.read),
            problems=lambda: self._problems(engine, sessions),
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, config.http.host, config.http.port).start()
        self._port = runner.addresses[0][1]

    # Parts ------------------------------------------------------------------------

    def _run(
        self,
        name: str,
        work: Coroutine[Any, Any, None],
        *,
        stop: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """Own a task that runs as long as the service; ``stop`` ends it politely."""
        task = asyncio.create_task(work, name=name)

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.critical("%s stopped working", name, exc_info=error)
                self.broken.set()

        async def end() -> None:
            if stop is None:
                task.cancel()
            elif not task.done():
                await stop()
            await asyncio.wait({task})

        task.add_done_callback(done)
        self._stack.push_async_callback(end)

    def _connectors(self, stack: AsyncExitStack) -> dict[str, SalesforceConnector]:
        connectors: dict[str, SalesforceConnector] = {}
        for tenant in self._tenants.values():
            if tenant.salesforce is not None:
                connector = SalesforceConnector(
                    _salesforce_config(tenant), rng=self._rng, wall=self._now
                )
                connectors[tenant.id] = connector
                stack.push_async_callback(connector.close)
        return connectors

    def _crm_user(self, tenant: str, users: LiveUsers) -> CrmUser | None:
        """As whom to ask a tenant's CRM about itself."""
        crm = self._tenants[tenant].salesforce
        for key, user in users.merged.users.items():
            if key.tenant == tenant and (
                user.crm_username or (crm and crm.integration_username)
            ):
                return CrmUser(tenant, user.crm_user_id, user.crm_username)
        return None

    def _number_to_show(self, user: UserKey, number: str, e164: str) -> str:
        return to_show(number, e164, self._tenants[user.tenant].country)

    def _call_services(
        self, engine: RelayEngine, journal: JournalWriter, events: SessionEvents
    ) -> Services:
        limits = self._config.calls
        return Services(
            engine=engine,
            publisher=events,
            journal=journal,
            limits=CallLimits(
                max_per_user=limits.max_per_user,
                no_answer_s=limits.no_answer_s,
                ring_while_away_s=limits.ring_while_away_s,
            ),
            now=self._now,
            later=asyncio.get_running_loop().call_later,
        )

    def _desk_phones(
        self,
        calls: CallService,
        made: MadeLegs,
        services: Services,
        connectors: Mapping[str, Connector],
        accounts: Mapping[UserKey, sip.Account],
        is_colleague: IsColleague,
    ) -> DeskPhones:
        config = self._config
        return DeskPhones(
            calls,
            services=services,
            made=made,
            accounts=accounts,
            tenants={
                tenant.id: DeskTenant(
                    domain=tenant.application_server.domain,
                    country=tenant.country,
                    connector=connectors.get(tenant.id),
                )
                for tenant in self._tenants.values()
                if tenant.application_server.desk_phones
            },
            host=config.media.advertised_host or config.media.bind_host,
            is_colleague=is_colleague,
        )

    def _calls(
        self,
        made: MadeLegs,
        services: Services,
        connectors: Mapping[str, Connector],
        accounts: Mapping[UserKey, sip.Account],
        work: WorkOfTenants,
        is_colleague: IsColleague,
        presences: PresenceTable,
    ) -> CallService:
        return CallService(
            services=services,
            telephony=made,
            accounts=accounts,
            tenants={
                tenant.id: TenantLine(
                    domain=tenant.application_server.domain,
                    country=tenant.country,
                    crm_name="Salesforce" if tenant.salesforce else "",
                    connector=connectors.get(tenant.id),
                    guest_account=_guest_account(tenant),
                    caller_key=_caller_key(tenant),
                    transfers_from_outside=TransfersFromOutside(
                        tenant.transfers_from_outside
                    ),
                    work=partial(work.of, tenant.id),
                )
                for tenant in self._tenants.values()
            },
            presences=presences,
            rng=self._rng,
            is_colleague=is_colleague,
        )

    def _people_backend(
        self,
        behind: Backend,
        calls: CallService,
        favourites: FavouriteTable,
        connectors: Mapping[str, Connector],
        users: LiveUsers,
    ) -> PeopleBackend:
        def colleagues(tenant: str) -> Iterable[User]:
            return (
                user for key, user in users.merged.users.items() if key.tenant == tenant
            )

        directory = Directory(
            favourites=favourites,
            colleagues=colleagues,
            connectors=connectors,
            state_of=calls.phone_state,
            now=self._now,
        )
        pops = {tenant.id: tenant.pops.rules() for tenant in self._tenants.values()}
        return PeopleBackend(behind, directory, pops=pops, connectors=connectors)

    def _invites(
        self,
        database: Database,
        outbox: Outbox,
        writer: ActivityWriter,
        book: GuestBook,
        events: SessionEvents,
        calls: CallService,
        users: LiveUsers,
    ) -> Invites:
        crm = InviteEvents(
            database,
            outbox,
            user_of=users.user,
            has_crm=lambda tenant: self._tenants[tenant].salesforce is not None,
            location=f"{self._config.http.public_url}/widget/",
            now=self._now,
        )
        return Invites(
            self._config,
            database,
            book,
            events,
            node=NODE,
            now=self._now,
            later=asyncio.get_running_loop().call_later,
            rng=self._rng,
            end_calls=lambda key: calls.end_invite(key.tenant, key.invite_id),
            move_calls=lambda key, ends_at: calls.invite_moved(
                key.tenant, key.invite_id, ends_at
            ),
            meeting_changed=crm.changed,
            on_committed=writer.wake,
            event_views=crm.views,
        )

    def _door(
        self,
        book: GuestBook,
        ways: WaysToSignIn,
        phones: PhoneUsers,
        salesforce: SalesforceSignIn | None,
        database: Database,
    ) -> Door:
        config = self._config
        return Door(
            sign_ins=SignInTable(database),
            lifetimes=ways.lifetimes,
            phones=phones,
            salesforce=salesforce,
            users=book,
            public_url=config.http.public_url,
            signing_keys=config.token_keys,
            turn=TurnConfig(
                urls=config.turn.urls,
                secret=config.turn.secret.get_secret_value()
                if config.turn.secret
                else "",
                ttl_s=config.turn.ttl_s,
            ),
            limits=SessionLimits(resume_window_s=config.calls.resume_window_s),
            client_address=self._client_address,
        )

    def _client_address(self, request: web.Request) -> str:
        proxies = {str(proxy) for proxy in self._config.http.proxies}
        if request.remote in proxies:
            forwarded = request.headers.get("X-Forwarded-For", "")
            return forwarded.rpartition(",")[2].strip() or request.remote
        return request.remote or ""

    def _host_origins(self) -> dict[str, HostOrigin]:
        return {
            tenant.salesforce.lightning: HostOrigin(
                tenant.id, tenant.salesforce.api_version
            )
            for tenant in self._tenants.values()
            if tenant.salesforce is not None
        }

    def _problems(
        self, engine: RelayEngine, sessions: SessionDirectory
    ) -> tuple[str, ...]:
        problems = []
        if self.broken.is_set():
            problems.append("a part of the service has failed; see the log")
        if engine.counters()["workers_alive"] == 0:
            problems.append("no media worker is running")
        return tuple(problems)


def _tell_all(
    listeners: Iterable[Callable[[ActivityChange], None]], change: ActivityChange
) -> None:
    for hear in listeners:
        hear(change)


def _tell_activity(
    calls: CallService,
    desk_phones: DeskPhones,
    invites: Invites,
    change: ActivityChange,
) -> None:
    if change.invite_id:
        invites.event_changed(change.user.tenant, change.invite_id)
        return
    news = ActivityView(
        state=change.state,
        record_id=change.record_id,
        url=change.url,
        problem=change.problem[:255],
    )
    if change.kind is OutboxKind.NEXT_STEP:
        calls.next_step_changed(change.user, change.call_id, news)
    elif not desk_phones.activity_changed(change.user, change.call_id, news):
        calls.activity_changed(change.user, change.call_id, news)


def _owner(call: CallRecord, users: LiveUsers) -> User:
    """One who was removed meanwhile: the call was theirs all the same."""
    return users.user(call.owner) or User(call.owner, call.owner.user, "")


def _identity(tenant: TenantSection) -> TenantIdentity:
    crm = tenant.salesforce
    return TenantIdentity(
        tenant=tenant.id,
        assertion_issuer=crm.identity_issuer if crm else "",
        assertion_key=crm.identity_key.get_secret_value()
        if crm and crm.identity_key
        else "",
        allowed_origins=frozenset(tenant.origins),
    )


def _guest_account(tenant: TenantSection) -> sip.Account | None:
    """By which guests call; each attempt has a name of its own in it."""
    if tenant.invites is None:
        return None
    # Without an account the application server knows us by our address.
    return line(
        tenant,
        tenant.invites.sip
        or SipAccountSection(username="guests", password=SecretStr("")),
    )


def _caller_key(tenant: TenantSection) -> CallerKeyRule:
    section = tenant.application_server.caller_key
    if section is None:
        return NO_KEY
    return CallerKeyRule(section.header, section.encoding, dict(section.fields))


def _salesforce_config(tenant: TenantSection) -> SalesforceConfig:
    crm = tenant.salesforce
    assert crm is not None
    return SalesforceConfig(
        tenant=tenant.id,
        my_domain=crm.my_domain,
        lightning=crm.lightning,
        login_url=crm.login_url,
        token_url=crm.token_url or "",
        consumer_key=crm.consumer_key.get_secret_value(),
        private_key=crm.private_key.get_secret_value(),
        integration_username=crm.integration_username,
        key_field=crm.external_id_field,
        disposition_field=tenant.dispositions.picklist
        if isinstance(tenant.dispositions, PicklistSection)
        and tenant.dispositions.picklist != "CallDisposition"
        else "",
        api_version=crm.api_version,
        country=tenant.country,
        ca_file=crm.ca_file,
        proxy=crm.proxy.get_secret_value() if crm.proxy else "",
    )


def _relay_config(config: Config) -> RelayConfig:
    media = config.media
    return RelayConfig(
        workers=media.workers,
        bind_host=media.bind_host,
        advertised_host=media.advertised_host or "",
        browser_port=media.browser_port,
        rtp_port_min=media.rtp_port_min,
        rtp_port_max=media.rtp_port_max,
        symmetric_rtp=SymmetricRtp(media.symmetric_rtp),
        port_quarantine_s=media.quiet_s,
    )


def _agent_config(config: Config) -> sip.AgentConfig:
    return sip.AgentConfig(
        bind_host=config.sip.bind_host,
        bind_port=config.sip.bind_port,
        advertised_host=config.sip.advertised_host,
        advertised_port=config.sip.advertised_port,
        transports=config.sip.transports,
    )
