"""One simulated org: everything it knows, put together, without HTTP."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from gateway.sandbox.salesforce import ids, seed
from gateway.sandbox.salesforce.apex_identity import IdentitySigner
from gateway.sandbox.salesforce.composite import answer_composite
from gateway.sandbox.salesforce.config import ConnectedApp, SimulatorConfig
from gateway.sandbox.salesforce.faults import ROW_PATH, FaultPlan
from gateway.sandbox.salesforce.features import (
    PERSON_ACCOUNT,
    build_schema,
    record_type_id,
    record_types,
)
from gateway.sandbox.salesforce.journal import Journal
from gateway.sandbox.salesforce.limits import ApiUsage
from gateway.sandbox.salesforce.oauth import TokenService
from gateway.sandbox.salesforce.openid import identity_url
from gateway.sandbox.salesforce.permissions import view
from gateway.sandbox.salesforce.record import Record, Schema, StoreRules
from gateway.sandbox.salesforce.rest import RestApi
from gateway.sandbox.salesforce.sosl import SearchEngine
from gateway.sandbox.salesforce.store import Store
from gateway.sandbox.salesforce.validation import Validations

ORGANIZATION_ID = ids.id_for("00D", 1)
APP_ID = ids.id_for("06m", 1)


class Org:
    """Records, tokens, faults and journal of one org.

    Args:
        clock: epoch seconds.
        rng: source of tokens, and of what probability decides.
    """

    def __init__(
        self,
        config: SimulatorConfig,
        *,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.config = config
        self.clock = clock
        self.rng = rng
        self.faults = FaultPlan(rng=rng)
        self.journal = Journal()
        self.usage = ApiUsage(clock=clock, allowed=config.daily_api_limit)
        self.store = Store(build_schema(config), clock=clock)
        self._views: dict[str, Schema] = {}
        self._set_up()
        self.engine = SearchEngine(
            self.store,
            clock=clock,
            lag_s=0.0,
            phone_indexing=config.phone_indexing,
        )
        self.tokens = TokenService(
            self.store,
            apps=config.apps,
            audiences=config.audiences,
            organization_id=ORGANIZATION_ID,
            lifetime_s=config.session_lifetime_s,
            clock=clock,
            rng=rng,
        )
        self.api = RestApi(
            self.store,
            self.engine,
            clock=clock,
            newest_version=config.api_version,
            batch_size=config.query_batch_size,
            limits=self.usage.as_json,
            identity_url=lambda own_url, user_id: identity_url(
                own_url, ORGANIZATION_ID, user_id
            ),
            views=self.view,
            composites=answer_composite,
            locks_row=lambda name: (
                self.faults.strike("POST", ROW_PATH + name) is not None
            ),
        )
        saved = self._read_state()
        self.identity = IdentitySigner(
            key_pem=config.identity_key_pem or str(saved.get("identity_key_pem", "")),
            issuer=ORGANIZATION_ID,
            audience=config.gateway_url,
            clock=clock,
            rng=rng,
        )
        if saved:
            self._restore(saved)
            self._list_record_types()
        else:
            self._seed()
        # What the org is born with was indexed long ago.
        self.engine.lag_s = config.index_lag_s
        self._saved_state: tuple[int, int, int] | None = None

    def reconfigure(self, **changes: object) -> None:
        """Change settings that may change while the org is up.

        Raises:
            TypeError: there is no such setting.
        """
        config = replace(self.config, **changes)  # type: ignore[arg-type]
        before = self.config
        self.config = config
        try:
            self._set_up()
        except ValueError:
            self.config = before
            self._set_up()
            raise
        self.usage.allowed = config.daily_api_limit
        self.tokens.sessions.lifetime_s = config.session_lifetime_s
        self.api.batch_size = config.query_batch_size
        self.engine.lag_s = config.index_lag_s
        self.engine.phone_indexing = config.phone_indexing
        self.identity.audience = config.gateway_url

    def _set_up(self) -> None:
        """Give the store the objects and rules of the configuration.

        Raises:
            ValueError: they contradict each other.
        """
        config = self.config
        schema = build_schema(config)
        self.store.replace_schema(schema)
        self._views.clear()
        self.store.rules = StoreRules(
            duplicate_rules=config.duplicate_rules,
            duplicate_action=config.duplicate_action,
            duplicate_status=config.duplicate_status,
            multiday_events=config.multiday_events,
            validate=Validations(
                self.store, config.validation_rules, clock=self.clock
            ).check,
        )
        self._list_record_types()

    def _list_record_types(self) -> None:
        wanted = {record_type_id(t): t for t in record_types(self.config)}
        for row in self.store.records("RecordType"):
            known = wanted.pop(row.id, None)
            row.values["IsActive"] = known is not None and known.is_active
        for type_id, kind in wanted.items():
            self.store.seed(
                "RecordType",
                {
                    "Name": kind.name,
                    "DeveloperName": kind.developer_name,
                    "SobjectType": kind.object,
                    "IsActive": kind.is_active,
                    "IsPersonType": kind.developer_name == PERSON_ACCOUNT,
                },
                record_id=type_id,
            )

    def view(self, user_id: str) -> Schema:
        """The schema as a user sees it."""
        if not self.config.profiles:
            return self.store.schema
        if user_id not in self._views:
            user = self.store.find(user_id)
            username = str(user.values.get("Username")) if user else ""
            profile = self.config.profiles.get(username)
            self._views[user_id] = (
                view(self.store.schema, profile) if profile else self.store.schema
            )
        return self._views[user_id]

    def register(self, app: ConnectedApp) -> None:
        self.config = replace(self.config, apps=(*self.config.apps, app))
        self.tokens.register(app)

    # -- users

    def user(self, reference: str) -> Record | None:
        """A user by id, username, or the name before the @."""
        found = self.store.find(reference)
        if found is not None and found.object.name == "User":
            return found
        for user in self.store.records("User"):
            username = str(user.values.get("Username"))
            if reference.lower() in (username.lower(), username.partition("@")[0]):
                return user
            first = str(user.values.get("FirstName"))
            if reference.lower() == first.lower():
                return user
        return None

    def default_user(self) -> Record:
        found = self.user(self.config.signed_in_username)
        return found or next(self.store.records("User"))

    # -- keeping

    def save_if_changed(self) -> None:
        """Write the state file if there is one and anything is new."""
        state = (
            self.store.version,
            self.tokens.sessions.version,
            self.tokens.keys.version,
        )
        path = self.config.state_file
        if path is None or state == self._saved_state:
            return
        content = {
            "store": self.store.dump(),
            "tokens": self.tokens.dump(),
            "identity_key_pem": self.identity.private_key_pem,
            "api_calls": self.usage.used,
        }
        _replace_file(path, json.dumps(content, ensure_ascii=False))
        self._saved_state = state

    def _read_state(self) -> dict[str, object]:
        path = self.config.state_file
        if path is None or not path.exists():
            return {}
        saved = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(saved, dict):
            raise ValueError(f"{path.name} is not the state of an org")
        return saved

    def _restore(self, saved: Mapping[str, object]) -> None:
        store, tokens = saved.get("store"), saved.get("tokens")
        if not isinstance(store, dict) or not isinstance(tokens, dict):
            raise ValueError("not the state of an org")
        self.store.load(store)
        self.tokens.load(tokens)
        self.usage.set_used(int(str(saved.get("api_calls", 0))))

    def _seed(self) -> None:
        robin, _ = seed.seed_users(self.store)
        if self.config.seed_demo_data:
            seed.seed_demo(self.store, owner=robin, now=self.clock())
        for kind in self.store.schema.values():
            for record in self.store.records(kind.name):
                record.changed_at = 0.0


def _replace_file(path: Path, text: str) -> None:
    """All of the new text or all of the old, whenever the process dies."""
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
