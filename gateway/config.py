"""The configuration file: what may be in it, and what is wrong with one, by line.

YAML, checked against the models below. Every secret is written as ``{env: NAME}``
or ``{file: PATH}`` (relative to the configuration file), or plainly for a trial.
:func:`load` raises :class:`ConfigError` with every problem found, not only the first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    IPvAnyAddress,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from gateway.config_base import Section
from gateway.config_people import CallerKeySection, PopsSection
from gateway.identity.sealing import check_key
from gateway.identity.tokens import SigningKey
from gateway.invites.design import ACCENT, read_logo
from gateway.invites.draft import check_email
from gateway.invites.return_path import MAX_LOCAL_CHARS, TAG_CHARS
from gateway.invites.templates import read_templates
from sip import SipError, Uri

MAX_CONFIG_BYTES = 4 * 1024 * 1024

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
BindPort = Annotated[int, Field(ge=0, le=65535)]
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\s/]+$")]


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an origin such as https://acme.lightning.force.com")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must be an origin: no path, query or fragment")
    return f"{parts.scheme}://{parts.netloc}"


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("must be an http or https URL")
    return value.rstrip("/")


def _sip_uri(value: str) -> str:
    try:
        uri = Uri.parse(value)
    except SipError as error:
        raise ValueError(f"is no SIP URI: {error}") from None
    if uri.scheme not in ("sip", "sips"):
        raise ValueError("must be a sip: or sips: URI")
    return value


def _secret(value: object, info: ValidationInfo) -> object:
    if isinstance(value, SecretStr):
        return value
    if isinstance(value, str | int):
        return SecretStr(str(value))
    if isinstance(value, Mapping) and len(value) == 1:
        context: Mapping[str, Any] = info.context or {}
        ((how, where),) = value.items()
        if how == "env" and isinstance(where, str):
            environment: Mapping[str, str] = context.get("environment", os.environ)
            if where not in environment:
                raise ValueError(f"environment variable {where} is not set")
            return SecretStr(environment[where])
        if how == "file" and isinstance(where, str):
            path = Path(context.get("directory", ".")) / where
            try:
                return SecretStr(path.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError):
                raise ValueError(f"cannot read the secret file {where}") from None
    raise ValueError("must be text, {env: NAME} or {file: PATH}")


def _email(value: str) -> str:
    if not value:
        return value
    try:
        return check_email(value)
    except ValueError as error:
        raise ValueError(f"is no e-mail address: {error}") from None


Days = Annotated[int, Field(ge=0, le=36500)]


def _beside(value: object, info: ValidationInfo) -> object:
    """A path is meant from the configuration file."""
    if not isinstance(value, str) or not value:
        return value
    context: Mapping[str, Any] = info.context or {}
    return str(Path(context.get("directory", ".")) / value)


def _templates(value: str) -> str:
    if value:
        read_templates(Path(value))
    return value


def _logo(value: str) -> str:
    if value:
        read_logo(Path(value))
    return value


Secret = Annotated[SecretStr, BeforeValidator(_secret)]
Origin = Annotated[str, AfterValidator(_origin)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
SipUri = Annotated[str, AfterValidator(_sip_uri)]
Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
# Of a mailbox: names outside ASCII are written in an encoding of their own there.
_FOLDER = r'^[^\x00-\x1f\x7f-\U0010ffff"\\*%&]{0,120}$'
Folder = Annotated[str, Field(min_length=1, pattern=_FOLDER)]


class HttpSection(Section):
    """Where browsers reach the gateway. ``public_url`` is what they see.

    ``proxies`` are the addresses of our own reverse proxies: of their requests the
    last entry of ``X-Forwarded-For`` is the client.
    """

    host: Host = "127.0.0.1"
    port: BindPort = 8080
    public_url: HttpUrl = "http://127.0.0.1:8080"
    proxies: tuple[IPvAnyAddress, ...] = ()


class SipSection(Section):
    """Our SIP address; ``advertised_*`` when others see another than we bind."""

    bind_host: Host = "127.0.0.1"
    bind_port: BindPort = 5060
    advertised_host: Host | None = None
    advertised_port: Port | None = None
    transports: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")


class MediaSection(Section):
    """Media workers. Worker *n* takes browsers on UDP ``browser_port`` + *n*.

    Ports of 0 are ephemeral. A finished call's ports rest ``quiet_s`` seconds.
    """

    bind_host: Host = "127.0.0.1"
    advertised_host: Host | None = None
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    browser_port: BindPort = 8443
    rtp_port_min: BindPort = 20000
    rtp_port_max: BindPort = 29999
    symmetric_rtp: Literal["off", "auto", "on"] = "auto"
    quiet_s: Annotated[float, Field(ge=0, le=600)] = 30.0

    @model_validator(mode="after")
    def _ports(self) -> MediaSection:
        if self.rtp_port_max == self.rtp_port_min == 0:
            return self
        if self.rtp_port_max - self.rtp_port_min < 3:
            raise ValueError("rtp_port_max must be at least rtp_port_min + 3")
        return self


class StorageSection(Section):
    """``url`` as SQLAlchemy writes it; ``spool`` takes records if it is away."""

    url: str = "sqlite+aiosqlite:///ringbridge.db"
    spool: str = "ringbridge.spool"


class RetentionSection(Section):
    """How many days what is over is kept; 0: for ever. What is open, to be sent, or
    not in the CRM yet stays. ``mail_bodies_days``: what invitations said, and to whom;
    that they were sent is kept with the invite."""

    calls_days: Days = 90
    invites_days: Days = 90
    mail_bodies_days: Days = 30


class TurnSection(Section):
    """TURN servers handed to browsers, with time-limited HMAC credentials."""

    urls: tuple[str, ...] = ()
    secret: Secret | None = None
    ttl_s: Annotated[int, Field(ge=60, le=3600)] = 600


class CallSection(Section):
    """Limits and times of calls."""

    max_per_user: Annotated[int, Field(ge=1, le=20)] = 6
    no_answer_s: Annotated[float, Field(ge=5, le=600)] = 90.0
    ring_while_away_s: Annotated[float, Field(ge=0, le=120)] = 10.0
    resume_window_s: Annotated[float, Field(ge=1, le=3600)] = 120.0


class SignInSection(Section):
    """How long a sign-in lasts, in seconds.

    ``access_s``: an access token, until the page prolongs it. ``idle_s``: without any
    page that does. ``absolute_s``: in all; a call that goes on is not cut off.
    """

    access_s: Annotated[int, Field(ge=300, le=86400)] = 3600
    idle_s: Annotated[int, Field(ge=300, le=30 * 86400)] = 8 * 3600
    absolute_s: Annotated[int, Field(ge=300, le=90 * 86400)] = 12 * 3600

    @model_validator(mode="after")
    def _order(self) -> SignInSection:
        if not self.access_s <= self.idle_s <= self.absolute_s:
            raise ValueError("access_s, idle_s and absolute_s must not get shorter")
        return self


class SalesforceSignInSection(Section):
    """ "Sign in with Salesforce", in a window of its own.

    ``organizations`` are the ids of those whose users may come in. ``consumer_key`` is
    the app's; without it, the one that CRM calls use. ``client_secret`` only if the app
    requires one. ``fields`` of the CRM user are read for somebody who is not known yet.
    """

    organizations: Annotated[
        tuple[
            Annotated[str, Field(pattern=r"^00D[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$")], ...
        ],
        Field(min_length=1, max_length=20),
    ]
    consumer_key: Secret | None = None
    client_secret: Secret | None = None
    fields: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,79}$")], ...],
        Field(max_length=20),
    ] = ()


class SalesforceSection(Section):
    """A tenant's Salesforce organisation.

    ``my_domain`` is where REST calls go, ``lightning`` the origin of its pages.
    ``consumer_key`` and ``private_key`` are the JWT bearer app's; CRM calls run as
    the user's ``salesforce.username``, or as ``integration_username`` when given.
    ``identity_issuer`` and ``identity_key`` verify the page's sign-in assertion;
    ``ca_file`` holds certificates to trust instead of the public ones; ``proxy``
    is the URL of a forward proxy, which may hold a password.
    """

    my_domain: HttpUrl
    lightning: Origin
    login_url: HttpUrl = "https://login.salesforce.com"
    token_url: HttpUrl | None = None
    consumer_key: Secret
    private_key: Secret
    integration_username: str = ""
    external_id_field: Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,79}$")] = (
        "Ringbridge_Key__c"
    )
    api_version: Annotated[str, Field(pattern=r"^\d{2,3}\.0$")] = "66.0"
    ca_file: str = ""
    proxy: Secret | None = None
    identity_issuer: str = ""
    identity_key: Secret | None = None
    sign_in: SalesforceSignInSection | None = None


class SipAccountSection(Section):
    """How the rep's browser registers at the application server."""

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Secret
    auth_username: str | None = None


class BounceSection(Section):
    """The mailbox that mail servers report failed deliveries to, by IMAP.

    Each mail goes out under an address of its own in front of ``address`` (by default
    the sender): ``invites+…@office.example``. The mail server must deliver those to
    the mailbox of ``username``; ``separator`` is its sign for that. Reports that were
    dealt with are marked as seen, and moved to ``handled_folder`` where one is named.
    """

    host: Host
    port: Port = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    username: Annotated[str, Field(min_length=1, max_length=120)]
    password: Secret
    address: Email = ""
    separator: Annotated[str, Field(pattern=r"^[+=_-]$")] = "+"
    folder: Folder = "INBOX"
    handled_folder: Annotated[str, Field(pattern=_FOLDER)] = ""
    every_s: Annotated[float, Field(ge=10, le=3600)] = 60.0
    ca_file: str = ""

    @model_validator(mode="after")
    def _safe(self) -> BounceSection:
        if self.security == "none" and self.ca_file:
            raise ValueError("ca_file means nothing with security: none")
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                "security: none would send the password in the clear; "
                "use tls or starttls"
            )
        if self.handled_folder and self.handled_folder == self.folder:
            raise ValueError("handled_folder must be another than folder")
        return self


class MailSection(Section):
    """Where invitations are handed in. ``sender`` must be an address that this server
    may send for (SPF, DKIM); ``security`` is ``tls`` from the first byte, usually on
    port 465, or ``starttls``; ``none`` sends passwords and invites in the clear.
    ``templates`` is a folder of one's own words, ``logo`` a PNG or JPEG, ``accent`` a
    colour; both paths are meant from the configuration file."""

    host: Host
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Secret | None = None
    sender: Annotated[Email, Field(min_length=3)]
    ca_file: str = ""
    templates: Annotated[str, BeforeValidator(_beside), AfterValidator(_templates)] = ""
    logo: Annotated[str, BeforeValidator(_beside), AfterValidator(_logo)] = ""
    accent: Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")] = ACCENT
    bounces: BounceSection | None = None

    @model_validator(mode="after")
    def _account(self) -> MailSection:
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password belong together")
        if self.security == "none" and self.ca_file:
            raise ValueError("ca_file means nothing with security: none")
        if self.security == "none" and self.username and not is_loopback(self.host):
            raise ValueError(
                "security: none would send the password in the clear; "
                "use starttls or tls"
            )
        if self.bounces is not None:
            local, _, _ = (self.bounces.address or self.sender).rpartition("@")
            if len(local) + 1 + TAG_CHARS > MAX_LOCAL_CHARS:
                raise ValueError(
                    "bounces: the name in front of the @ is too long: mails add "
                    f"{TAG_CHARS + 1} characters, and {MAX_LOCAL_CHARS} may be in all"
                )
        return self


class InviteSection(Section):
    """Video invites; a tenant without this section has none.

    ``sip`` is the account at the application server by which guests call; their From
    is ``guest-…`` in the tenant's domain. Without a password the application server
    must take such calls from our address. Guests may come in ``open_before_s``
    before the start.
    """

    mail: MailSection | None = None
    sip: SipAccountSection | None = None
    open_before_s: Annotated[int, Field(ge=0, le=3600)] = 600
    max_per_user_and_day: Annotated[int, Field(ge=1, le=1000)] = 100
    language: Literal["en", "de", "es", "fr"] = "en"


class SalesforceUserSection(Section):
    user_id: Annotated[str, Field(pattern=r"^(005[A-Za-z0-9]{12}([A-Za-z0-9]{3})?)?$")]
    username: str = ""


class RuleSection(Section):
    """One way from a CRM user to a SIP account.

    ``table``: the row of the database with that CRM username; ``email``: the row with
    that address; ``field``: a field of the CRM user (Salesforce: of User). With
    ``sip_username`` the account of that name: ``{value}`` is the field's text, or what
    stands before the @ of the e-mail.
    """

    by: Literal["table", "email", "field"]
    field: Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,79}$")] = "Extension"
    sip_username: Annotated[str, Field(max_length=120)] = ""

    @model_validator(mode="after")
    def _pattern(self) -> RuleSection:
        if self.by == "table" and self.sip_username:
            raise ValueError("by: table has no sip_username; the table has it")
        if self.by != "field" and "field" in self.model_fields_set:
            raise ValueError("field belongs to by: field")
        if self.sip_username and self.sip_username.count("{value}") != 1:
            raise ValueError("sip_username must contain {value} once")
        if set(self.sip_username.replace("{value}", "")) & set("{} @:;<>/\\"):
            raise ValueError("sip_username has characters that no SIP username has")
        return self


class ProvisioningSection(Section):
    """What becomes of somebody who signs in with the CRM and is not known here.

    The first of ``rules`` that finds an account decides. ``domains``: only people with
    an e-mail address there; none: everybody. ``sip_password``: of the accounts that a
    rule's ``sip_username`` makes, all the same; without it, only accounts that were
    imported are given out.
    """

    rules: Annotated[tuple[RuleSection, ...], Field(min_length=1, max_length=20)]
    domains: tuple[Annotated[Host, AfterValidator(str.lower)], ...] = ()
    sip_password: Secret | None = None


class UserSection(Section):
    id: Name
    name: Annotated[str, Field(min_length=1, max_length=120)]
    number: str = ""
    email: Email = ""
    sip: SipAccountSection
    salesforce: SalesforceUserSection | None = None
    password_hash: str = ""


class ApplicationServerSection(Section):
    """The tenant's registrar and forking proxy.

    ``trusted`` are the addresses that may send us calls for this tenant, besides
    the proxy's own; ``domain`` is the host part of every address of record.
    ``caller_key`` says by which header it passes on what callers have typed.
    ``desk_phones``: it tells which calls a rep has on other devices (RFC 4235), and
    reps may dial by their desk phone.
    """

    domain: Host
    registrar: SipUri
    proxy: SipUri | None = None
    transport: Literal["udp", "tcp"] = "udp"
    expires_s: Annotated[int, Field(ge=30, le=86400)] = 600
    trusted: tuple[Host, ...] = ()
    caller_key: CallerKeySection | None = None
    desk_phones: bool = False


class PicklistSection(Section):
    """A picklist of the organisation's Tasks, by the API name of its field."""

    picklist: Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,79}$")]


class LoggingSection(Section):
    """Which calls become activities; all of them, unless something is said here.

    Answered calls shorter than ``at_least_s`` and missed ones are left out as noise,
    and logged nevertheless when the rep has written something about them.
    ``voicemail``: numbers as they are dialled, or in E.164.
    """

    internal: bool = True
    consult: bool = True
    missed: bool = True
    at_least_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    voicemail: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()
    do_not_disturb: bool = True
    desk_phone: bool = True


Disposition = Annotated[str, Field(min_length=1, max_length=120)]


class TenantSection(Section):
    """A customer organisation. ``sign_in`` in place of the gateway's own.

    ``phone_sign_in``: whoever has an account at the application server may sign in with
    its user name and password, known here or not.
    ``wrap_up_s``: how long a rep has for notes before the activity is written; 0: it is
    written at once, and corrected afterwards. ``dispositions``: a list, or ``{picklist:
    Field}`` of the organisation's Tasks. ``disposition_required``: the rep cannot end
    wrap-up without one; by itself it ends all the same.
    ``transfers_from_outside``: who may transfer the rep to somebody else, by a call on
    the rep's account: nobody (``refuse``), ``colleagues``, anybody (``allow``).
    """

    id: Name
    company: str = ""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    application_server: ApplicationServerSection
    salesforce: SalesforceSection | None = None
    invites: InviteSection | None = None
    pops: PopsSection = PopsSection()
    wrap_up_s: Annotated[int, Field(ge=0, le=3600)] = 0
    dispositions: (
        Annotated[tuple[Disposition, ...], Field(max_length=200)] | PicklistSection
    ) = ()
    disposition_required: bool = False
    transfers_from_outside: Literal["refuse", "colleagues", "allow"] = "refuse"
    logging: LoggingSection = LoggingSection()
    sign_in: SignInSection | None = None
    phone_sign_in: bool = False
    origins: tuple[Origin, ...] = ()
    provisioning: ProvisioningSection | None = None
    # Those of the database come beside them.
    users: tuple[UserSection, ...] = ()

    @property
    def salesforce_sign_in(self) -> SalesforceSignInSection | None:
        return self.salesforce.sign_in if self.salesforce else None

    @model_validator(mode="after")
    def _unique_users(self) -> TenantSection:
        _refuse_repeats("user id", (user.id for user in self.users))
        _refuse_repeats("SIP username", (user.sip.username for user in self.users))
        return self

    @model_validator(mode="after")
    def _dispositions(self) -> TenantSection:
        if isinstance(self.dispositions, PicklistSection):
            if self.salesforce is None:
                raise ValueError("dispositions: a picklist needs salesforce")
        else:
            _refuse_repeats("disposition", self.dispositions)
            if self.disposition_required and not self.dispositions:
                raise ValueError("disposition_required needs dispositions")
        return self


class SigningKeySection(Section):
    """A key of access tokens: ``private_key`` is Ed25519 in PEM (EdDSA), ``secret``
    32 characters or more (HS256). From ``not_before`` on it signs, if no key in front
    of it does."""

    kid: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    private_key: Secret | None = None
    secret: Secret | None = None
    not_before: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_key(self) -> SigningKeySection:
        if (self.private_key is None) == (self.secret is None):
            raise ValueError("needs private_key (EdDSA) or secret (HS256), one of them")
        self.key()
        return self

    def key(self) -> SigningKey:
        """As tokens need it; raises ValueError when it is none."""
        not_before = self.not_before.timestamp() if self.not_before else 0.0
        if self.private_key is not None:
            pem = self.private_key.get_secret_value()
            try:
                return SigningKey(self.kid, "EdDSA", pem, not_before)
            except ValueError as error:
                raise ValueError(f"private_key {error}") from None
        assert self.secret is not None
        secret = self.secret.get_secret_value()
        return SigningKey(self.kid, "HS256", secret, not_before)


def _secrets_key(value: SecretStr) -> SecretStr:
    check_key(value.get_secret_value())
    return value


class Config(Section):
    """The whole file.

    ``signing_keys`` sign access tokens; ``signing_key``, at least 32 characters, is
    the simple form: the last of them, with the kid ``1``. The links of invites are
    made from it. ``secrets_keys`` seal what the database keeps secret: the first
    seals, all open.
    """

    signing_key: Secret | None = None
    signing_keys: Annotated[tuple[SigningKeySection, ...], Field(max_length=20)] = ()
    secrets_keys: Annotated[
        tuple[Annotated[Secret, AfterValidator(_secrets_key)], ...],
        Field(max_length=20),
    ] = ()
    http: HttpSection = HttpSection()
    sip: SipSection = SipSection()
    media: MediaSection = MediaSection()
    storage: StorageSection = StorageSection()
    retention: RetentionSection = RetentionSection()
    turn: TurnSection = TurnSection()
    calls: CallSection = CallSection()
    sign_in: SignInSection = SignInSection()
    tenants: Annotated[tuple[TenantSection, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        _refuse_repeats("tenant id", (tenant.id for tenant in self.tenants))
        if (
            self.signing_key is not None
            and len(self.signing_key.get_secret_value()) < 32
        ):
            raise ValueError("signing_key must have at least 32 characters")
        keys = self.token_keys
        if not keys:
            raise ValueError("signing_key is missing")
        _refuse_repeats("signing key", (key.kid for key in keys))
        if all(key.not_before for key in keys):
            raise ValueError("one of signing_keys must be without not_before")
        with_invites = [t.id for t in self.tenants if t.invites is not None]
        if with_invites and self.signing_key is None:
            raise ValueError(
                f"signing_key is missing: tenant {with_invites[0]!r} has invites, and "
                "their links are made from it"
            )
        url = urlsplit(self.http.public_url)
        if (
            with_invites
            and url.scheme == "http"
            and not is_loopback(url.hostname or "")
        ):
            raise ValueError(
                f"http.public_url must be https, since tenant {with_invites[0]!r} has "
                "invites: browsers give no camera to other pages"
            )
        with_sign_in = [t.id for t in self.tenants if t.salesforce_sign_in is not None]
        if (
            with_sign_in
            and url.scheme == "http"
            and not is_loopback(url.hostname or "")
        ):
            raise ValueError(
                f"http.public_url must be https, since tenant {with_sign_in[0]!r} has "
                "sign-in with Salesforce"
            )
        return self

    @property
    def token_keys(self) -> tuple[SigningKey, ...]:
        """Of access tokens, in the order in which they are asked to sign."""
        keys = tuple(section.key() for section in self.signing_keys)
        if self.signing_key is None:
            return keys
        return (*keys, SigningKey("1", "HS256", self.signing_key.get_secret_value()))

    @property
    def link_secret(self) -> str:
        """From which links of invites and addresses of their bounces are made."""
        if self.signing_key is not None:
            return self.signing_key.get_secret_value()
        # There are no invites.
        return self.token_keys[-1].secret


def is_loopback(host: str) -> bool:
    """This machine, by name or address."""
    return host in ("localhost", "::1") or host.startswith("127.")


def _refuse_repeats(what: str, names: Any) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} is there twice")
        seen.add(name)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: ``line`` counts from 1, 0 when the file has no such place."""

    line: int
    where: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return (
            f"{place}{self.where}: {self.message}"
            if self.where
            else (f"{place}{self.message}")
        )


class ConfigError(Exception):
    """The file cannot be used; ``problems`` in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load(path: Path, *, environment: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: with every problem and its line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            (Problem(0, "", f"cannot read {path}: {error.strerror}"),)
        ) from None
    return parse(data, directory=path.parent, environment=environment)


def parse(
    data: bytes,
    *,
    directory: Path = Path(),
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Check the bytes of a configuration file; see :func:`load`."""
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError((Problem(0, "", "the file is larger than 4 MiB"),))
    try:
        text = data.decode("utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            raise ConfigError((Problem(1, "", "the file is empty"),))
        lines: dict[tuple[str | int, ...], int] = {}
        problems: list[Problem] = []
        _map_lines(root, (), lines, problems, depth=0)
        if problems:
            raise ConfigError(tuple(problems))
        values = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise ConfigError((Problem(0, "", "the file is not UTF-8 text"),)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ConfigError(
            (Problem(mark.line + 1 if mark else 0, "", f"{error.problem}"),)
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError((Problem(0, "", f"no YAML: {error}"),)) from None
    context: dict[str, Any] = {"directory": directory}
    if environment is not None:
        context["environment"] = environment
    try:
        return Config.model_validate(values, context=context)
    except ValidationError as error:
        items = error.errors(include_input=False, include_url=False)
        found = [
            Problem(_line_of(item["loc"], lines), _path(item["loc"]), _words(item))
            for item in items
            if not _follows_from_others(item, items)
        ]
        raise ConfigError(
            tuple(sorted(found, key=lambda problem: problem.line))
        ) from None


def _map_lines(
    node: yaml.Node,
    path: tuple[str | int, ...],
    lines: dict[tuple[str | int, ...], int],
    problems: list[Problem],
    *,
    depth: int,
) -> None:
    if depth > 20:
        problems.append(Problem(node.start_mark.line + 1, "", "nested too deeply"))
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                problems.append(
                    Problem(key.start_mark.line + 1, name, "is there twice")
                )
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _map_lines(value, (*path, name), lines, problems, depth=depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _map_lines(value, (*path, index), lines, problems, depth=depth + 1)


def _line_of(
    location: tuple[str | int, ...], lines: Mapping[tuple[str | int, ...], int]
) -> int:
    while location:
        if location in lines:
            return lines[location]
        location = location[:-1]
    return lines.get((), 0)


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _follows_from_others(item: Any, items: Iterable[Any]) -> bool:
    """A list is "too short" when it is only that none of its entries was good."""
    depth = len(item["loc"])
    return item["type"] == "too_short" and any(
        len(other["loc"]) > depth and other["loc"][:depth] == item["loc"]
        for other in items
    )


def _words(item: Any) -> str:
    match item["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no setting that ringbridge knows"
        case "value_error":
            return str(item["ctx"]["error"])
        case _:
            message = str(item["msg"])
            return message[:1].lower() + message[1:]
