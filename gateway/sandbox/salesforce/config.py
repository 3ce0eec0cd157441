"""What a simulated org can be set up to be."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from gateway.sandbox.salesforce.assumptions import ID_TOKEN_LIFE_S
from gateway.sandbox.salesforce.customisation import (
    DuplicateAction,
    Profile,
    RecordType,
    ValidationRule,
)
from gateway.sandbox.salesforce.schema import Field


class MicrophoneMode(enum.StrEnum):
    """How the page treats the softphone's frame (salesforce facts, 2.9).

    DELEGATED: ``allow="microphone; camera; autoplay; clipboard-write"``.
    NONE: no ``allow`` attribute. BLOCKED: ``Permissions-Policy: microphone=()``.
    """

    DELEGATED = "delegated"
    NONE = "none"
    BLOCKED = "blocked"


class PhoneIndexing(enum.StrEnum):
    """How the search engine cuts up a stored phone number. Neither is verified.

    SUFFIXES: the runs between punctuation, and every tail joined, so that
    "(646) 555-0175" is found by 0175, 5550175 and 6465550175 (as Salesforce's help
    on searching for phone numbers has it). TOKENS: only the runs between
    punctuation, the harshest reading; a phrase "646 555 0175" still finds it.
    """

    SUFFIXES = "suffixes"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """A consumer of the org's API: who it is, and what an administrator decided.

    Attributes:
        public_key_pem: verifies its assertions (JWT bearer); "" for none.
        users: usernames that an administrator approved; empty means all.
        scope: all it may ask for, with spaces.
        pre_authorised: users are not asked. Else each has to consent once, and JWT
            bearer works for those who did.
        redirect_uris: compared as they are, character by character.
        secret_required: at the token endpoint (web server flow and refresh).
        session_lifetime_s: life of its access tokens; None for the org's.
        refresh_token_lifetime_s: None until revoked.
        run_as: username of the client credentials flow; "" if it is off.
    """

    consumer_key: str
    public_key_pem: str = ""
    consumer_secret: str = field(default="ringbridge-sandbox", repr=False)
    users: frozenset[str] = frozenset()
    scope: str = "api refresh_token id"
    label: str = "Ringbridge"
    pre_authorised: bool = True
    redirect_uris: tuple[str, ...] = ()
    pkce_required: bool = False
    secret_required: bool = True
    rotates_refresh_tokens: bool = False
    session_lifetime_s: float | None = None
    refresh_token_lifetime_s: float | None = None
    id_token_lifetime_s: float = ID_TOKEN_LIFE_S
    run_as: str = ""


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Everything about the org that a test or the demo may want to differ.

    Attributes:
        adapter_url: page of the widget; its origin is the only one heard.
        gateway_url: audience of the identity tokens that ``runApex`` makes.
        api_version: newest version served; 43.0 and up are accepted.
        index_lag_s: seconds before a new record can be found by SOSL.
        session_lifetime_s: life of an access token, in seconds.
        daily_api_limit: calls until ``REQUEST_LIMIT_EXCEEDED``.
        duplicate_status: 400 or 300; both have been seen (facts, 3.3).
        custom_fields: by object; one with the name of a field that is there takes its
            place (``{"Task": (Field("Type", "picklist", values=("A", "B")),)}``).
        profiles: by username; whoever has none may do everything.
        multiday_events: Events may last longer than a day (an activity setting).
        state_file: records and sessions are kept here if given.
        identity_key_pem: the org's own signing key; made at random if "".
        standby_url: loaded if the adapter never says it is ready, "" for never.
    """

    adapter_url: str = "http://127.0.0.1:8081/widget/sf"
    gateway_url: str = "http://127.0.0.1:8081"
    apps: tuple[ConnectedApp, ...] = ()
    audiences: frozenset[str] = frozenset(
        {"https://login.salesforce.com", "https://test.salesforce.com"}
    )
    api_version: float = 66.0
    activity_external_id_fields: tuple[str, ...] = ("Ringbridge_Key__c",)
    index_lag_s: float = 0.0
    phone_indexing: PhoneIndexing = PhoneIndexing.SUFFIXES
    session_lifetime_s: float = 7200.0
    daily_api_limit: int = 100_000
    query_batch_size: int = 2000
    duplicate_rules: bool = True
    duplicate_action: DuplicateAction = DuplicateAction.ALERT
    duplicate_status: int = 400
    multiday_events: bool = True
    person_accounts: bool = False
    shared_activities: bool = False
    record_types: tuple[RecordType, ...] = ()
    custom_fields: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)
    validation_rules: tuple[ValidationRule, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    microphone: MicrophoneMode = MicrophoneMode.DELEGATED
    softphone_label: str = "Ringbridge"
    softphone_height_px: int = 480
    softphone_width_px: int = 340
    standby_url: str = ""
    adapter_timeout_ms: int = 10_000
    call_center_settings: Mapping[str, str] = field(default_factory=dict)
    signed_in_username: str = "robin.reyes@acme.example"
    seed_demo_data: bool = True
    state_file: Path | None = None
    identity_key_pem: str = field(default="", repr=False)

    @property
    def adapter_origin(self) -> str:
        parts = urlsplit(self.adapter_url)
        return f"{parts.scheme}://{parts.netloc}"
