"""The composition root: builds the service from its configuration, and ends it.

Everything that the service has is made here and handed to whom it concerns. The order
of :meth:`Gateway.start` is that of dependence; closing goes back: first nobody new
comes in, then calls end and are recorded, then what carried them goes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from pydantic import SecretStr

import sip
from gateway import pages
from gateway.activities.composer import compose, links
from gateway.activities.record import CallRecord
from gateway.activities.recovery import recover
from gateway.activities.writer import ActivityChange, ActivityWriter
from gateway.calls.ports import CallLimits, Services
from gateway.calls.service import CallService, TenantLine
from gateway.config import Config, SipAccountSection, TenantSection, UserSection
from gateway.crm.connector import Activity, Connector
from gateway.crm.numbers import to_show
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.phone_users import (
    AccountsWithPhones,
    PhoneTenant,
    PhoneUsers,
)
from gateway.identity.provider_http import ProviderHttp
from gateway.identity.salesforce import Provider, SalesforceSignIn
from gateway.identity.sign_ins import Lifetimes
from gateway.identity.tokens import SigningKey
from gateway.identity.turn import TurnConfig
from gateway.identity.users import User, UserKey
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
    SignInTable,
    Spool,
)
from gateway.storage.housekeeping import Housekeeping, KeepFor
from gateway.storage.retention import Retention
from sip.transport import is_numeric

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
        self._users = {user.key: user for user in _users(config.tenants)}
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
            compose=lambda call, user: self._compose(call, user, connectors),
            links=links,
            number_to_show=self._number_to_show,
            on_committed=writer.wake,
            now=self._now,
            rng=self._rng,
        )
        await journal.replay()
        await recover(
            calls_table,
            lambda call: self._compose(
                call,
                # A user who was removed meanwhile: the call was theirs all the same.
                self._users.get(call.owner) or User(call.owner, call.owner.user, ""),
                connectors,
            ),
            self._now(),
        )
        self._run("activities", writer.run())
        stack.push_async_callback(journal.close)
        self._run("journal", journal.run())

        engine = RelayEngine(_relay_config(config))
        await engine.start()
        stack.push_async_callback(engine.stop)

        agent = sip.UserAgent(_agent_config(config), rng=self._rng)
        # Who there is: reps by the configuration, guests while they are here.
        phones = PhoneUsers(
            InMemoryUserDirectory(map(_identity, config.tenants), self._users.values()),
            {t.id: self._phones_of(t) for t in config.tenants if t.phone_sign_in},
            agent.prove,
        )
        book = GuestBook(phones)
        salesforce = self._salesforce_sign_in(book)
        door = self._door(book, phones, salesforce, database)
        events = new_events(door)
        calls = self._calls(engine, agent, journal, events, connectors, phones)
        agent.on_invite = calls.on_invite
        await agent.start()
        stack.push_async_callback(agent.close)
        self._run("calls", calls.run(), stop=calls.close)
        invites = self._invites(database, outbox, writer, book, events, calls)
        calls.use_invites(invites.admission)
        tell.append(lambda change: _tell_activity(calls, invites, change))
        stack.push_async_callback(invites.close)
        self._run("mails", invites.sender.run(), stop=invites.sender.close)
        self._run("bounces", invites.bounces.run())

        app = web.Application()
        services = new_http_services(door)
        sessions = add_routes(
            app, invites.backend(calls), door, events=events, services=services
        )
        invites.serve(app, services, sessions)
        await invites.start()
        services.sign_ins.on_end = phones.ended
        self._run("sign-ins", services.sign_ins.run())
        pages.add_routes(app, self._host_origins(), self._ways_to_sign_in())
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

    def _connectors(self, stack: AsyncExitStack) -> dict[str, Connector]:
        connectors: dict[str, Connector] = {}
        for tenant in self._tenants.values():
            if tenant.salesforce is not None:
                connector = SalesforceConnector(
                    _salesforce_config(tenant), rng=self._rng, wall=self._now
                )
                connectors[tenant.id] = connector
                stack.push_async_callback(connector.close)
        return connectors

    def _compose(
        self,
        call: CallRecord,
        user: User,
        connectors: dict[str, Connector],
    ) -> Activity | None:
        """None too for a tenant without CRM, and for one who is not in it."""
        if user.key.tenant not in connectors:
            return None
        crm = self._tenants[user.key.tenant].salesforce
        if crm and user.is_by_phone and not crm.integration_username:
            return None
        return compose(call, user)

    def _number_to_show(self, user: UserKey, number: str, e164: str) -> str:
        return to_show(number, e164, self._tenants[user.tenant].country)

    def _calls(
        self,
        engine: RelayEngine,
        agent: sip.UserAgent,
        journal: JournalWriter,
        events: SessionEvents,
        connectors: dict[str, Connector],
        phones: PhoneUsers,
    ) -> CallService:
        loop = asyncio.get_running_loop()
        limits = self._config.calls
        return CallService(
            services=Services(
                engine=engine,
                publisher=events,
                journal=journal,
                limits=CallLimits(
                    max_per_user=limits.max_per_user,
                    no_answer_s=limits.no_answer_s,
                    ring_while_away_s=limits.ring_while_away_s,
                ),
                now=self._now,
                later=loop.call_later,
            ),
            telephony=agent,
            accounts=AccountsWithPhones(
                {
                    UserKey(tenant.id, user.id): _account(tenant, user)
                    for tenant in self._tenants.values()
                    for user in tenant.users
                },
                phones,
            ),
            tenants={
                tenant.id: TenantLine(
                    domain=tenant.application_server.domain,
                    country=tenant.country,
                    crm_name="Salesforce" if tenant.salesforce else "",
                    connector=connectors.get(tenant.id),
                    guest_account=_guest_account(tenant),
                )
                for tenant in self._tenants.values()
            },
            rng=self._rng,
        )

    def _invites(
        self,
        database: Database,
        outbox: Outbox,
        writer: ActivityWriter,
        book: GuestBook,
        events: SessionEvents,
        calls: CallService,
    ) -> Invites:
        crm = InviteEvents(
            database,
            outbox,
            user_of=self._users.get,
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

    def _phones_of(self, tenant: TenantSection) -> PhoneTenant:
        sections = {user.sip.username.casefold(): user for user in tenant.users}

        def owner(username: str) -> User | None:
            section = sections.get(username)
            return self._users[UserKey(tenant.id, section.id)] if section else None

        def account(username: str, password: sip.Secret) -> sip.Account:
            section = sections.get(username.casefold())
            return _line(
                tenant,
                SipAccountSection(
                    username=username,
                    password=SecretStr(password.reveal()),
                    auth_username=section.sip.auth_username if section else None,
                ),
            )

        return PhoneTenant(tenant.company, tenant.country, account, owner)

    def _salesforce_sign_in(self, book: GuestBook) -> SalesforceSignIn | None:
        providers, asks = {}, {}
        for tenant in self._tenants.values():
            section, crm = tenant.salesforce_sign_in, tenant.salesforce
            if section is None or crm is None:
                continue
            providers[tenant.id] = Provider(
                tenant=tenant.id,
                my_domain=crm.my_domain,
                client_id=(section.consumer_key or crm.consumer_key).get_secret_value(),
                client_secret=section.client_secret.get_secret_value()
                if section.client_secret
                else "",
                organizations=frozenset(section.organizations),
                redirect_uri=f"{self._config.http.public_url}{oauth.CALLBACK}",
                fields=section.fields,
                api_version=crm.api_version,
            )
            asks[tenant.id] = ask = ProviderHttp(
                ca_file=crm.ca_file,
                proxy=crm.proxy.get_secret_value() if crm.proxy else "",
            )
            self._stack.push_async_callback(ask.close)
        if not providers:
            return None
        return SalesforceSignIn(
            providers,
            asks,
            users=book,
            provisioner=None,
            clock=time.monotonic,
            wall_clock=self._now,
            random_bytes=secrets.token_bytes,
        )

    def _lifetimes(self, tenant: str) -> Lifetimes:
        section = self._tenants[tenant].sign_in or self._config.sign_in
        return Lifetimes(section.access_s, section.idle_s, section.absolute_s)

    def _ways_to_sign_in(self) -> dict[str, tuple[str, ...]]:
        return {
            tenant.id: (
                *(("salesforce",) if tenant.salesforce_sign_in else ()),
                *(("phone",) if tenant.phone_sign_in else ()),
                *(("password",) if any(u.password_hash for u in tenant.users) else ()),
            )
            for tenant in self._tenants.values()
        }

    def _door(
        self,
        book: GuestBook,
        phones: PhoneUsers,
        salesforce: SalesforceSignIn | None,
        database: Database,
    ) -> Door:
        config = self._config
        return Door(
            sign_ins=SignInTable(database),
            lifetimes=self._lifetimes,
            phones=phones,
            salesforce=salesforce,
            users=book,
            public_url=config.http.public_url,
            signing_keys=(
                SigningKey("1", "HS256", config.signing_key.get_secret_value()),
            ),
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
    calls: CallService, invites: Invites, change: ActivityChange
) -> None:
    if change.invite_id:
        invites.event_changed(change.user.tenant, change.invite_id)
        return
    calls.activity_changed(
        change.user,
        change.call_id,
        ActivityView(
            state=change.state,
            record_id=change.record_id,
            url=change.url,
            problem=change.problem[:255],
        ),
    )


def _users(tenants: Iterable[TenantSection]) -> Iterable[User]:
    for tenant in tenants:
        for user in tenant.users:
            yield User(
                key=UserKey(tenant.id, user.id),
                name=user.name,
                number=user.number or user.sip.username,
                company=tenant.company,
                country=tenant.country,
                crm_user_id=user.salesforce.user_id if user.salesforce else "",
                crm_username=user.salesforce.username if user.salesforce else "",
                email=user.email,
                password_hash=user.password_hash,
            )


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


def _account(tenant: TenantSection, user: UserSection) -> sip.Account:
    return replace(
        _line(tenant, user.sip),
        display_name=user.name,
        # Stable over restarts, so that a binding is replaced and not added.
        instance_id=uuid.uuid5(uuid.NAMESPACE_OID, f"{tenant.id}/{user.id}").urn,
    )


def _guest_account(tenant: TenantSection) -> sip.Account | None:
    """By which guests call; each attempt has a name of its own in it."""
    if tenant.invites is None:
        return None
    # Without an account the application server knows us by our address.
    return _line(
        tenant,
        tenant.invites.sip
        or SipAccountSection(username="guests", password=SecretStr("")),
    )


def _line(tenant: TenantSection, account: SipAccountSection) -> sip.Account:
    server = tenant.application_server
    registrar = sip.Uri.parse(server.registrar)
    proxy = sip.Uri.parse(server.proxy) if server.proxy else registrar
    # Calls come from the application server and from nobody else. Where it has a
    # name, `trusted` must list its addresses: DNS may name others tomorrow.
    trusted = server.trusted or tuple(
        uri.host for uri in (registrar, proxy) if is_numeric(uri.host)
    )
    return sip.Account(
        aor=sip.Uri("sip", user=account.username, host=server.domain),
        username=account.auth_username or account.username,
        password=sip.Secret(account.password.get_secret_value()),
        registrar=registrar,
        outbound_proxies=(proxy,),
        transport=server.transport,
        trusted_sources=trusted,
        expires_s=server.expires_s,
    )


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
