"""The control API below ``/sandbox/``: orders for the org, and what it saw.

It answers loopback alone, and never a page of another origin.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import get_type_hints
from urllib.parse import quote

from aiohttp import web
from pydantic import TypeAdapter

from gateway.sandbox.salesforce.config import ConnectedApp, SimulatorConfig
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.faults import fault_from_json
from gateway.sandbox.salesforce.org import ORGANIZATION_ID, Org
from gateway.sandbox.salesforce.replies import json_reply, loads, refuse_strangers
from gateway.sandbox.salesforce.rest import as_mapping

_APP = TypeAdapter(ConnectedApp)

# What may be changed while the org is up, each read as its field is declared.
_SETTINGS: dict[str, TypeAdapter[object]] = {
    name: TypeAdapter(hint)
    for name, hint in get_type_hints(SimulatorConfig).items()
    if name
    in {
        *("adapter_url", "gateway_url", "standby_url", "adapter_timeout_ms"),
        *("index_lag_s", "phone_indexing", "microphone", "session_lifetime_s"),
        *("daily_api_limit", "query_batch_size", "multiday_events"),
        *("duplicate_rules", "duplicate_action", "duplicate_status"),
        *("person_accounts", "shared_activities", "record_types", "custom_fields"),
        *("validation_rules", "profiles"),
    }
}


class ControlShell:
    """Handlers of the control API."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/sandbox/{what:[a-z]+}", self._control)
        router.add_route("*", "/sandbox/{what:[a-z]+}/{which}", self._control)

    async def _control(self, request: web.Request) -> web.Response:
        refuse_strangers(request)
        which = request.match_info.get("which", "")
        raw = await request.read()
        try:
            match (request.method, request.match_info["what"]):
                case ("GET", "faults"):
                    return json_reply([f.as_json() for f in self._org.faults.faults])
                case ("POST", "faults"):
                    fault = self._org.faults.add(fault_from_json(loads(raw)))
                    return json_reply(fault.as_json(), 201)
                case ("DELETE", "faults"):
                    return self._delete_faults(which)
                case ("GET", "journal"):
                    found = self._org.journal.requests(
                        request.query.get("method", ""), request.query.get("path", "")
                    )
                    return json_reply([e.as_json() for e in found])
                case ("DELETE", "journal"):
                    self._org.journal.clear()
                    return web.Response(status=204)
                case ("GET", "records"):
                    kind = self._org.store.object_named(which)
                    rows = [r.values for r in self._org.store.records(kind.name)]
                    return json_reply(rows)
                case ("GET", "info"):
                    return json_reply(self._info())
                case ("DELETE", "sessions"):
                    count = self._org.tokens.sessions.expire_all()
                    return json_reply({"expired": count})
                case ("DELETE", "grants"):
                    if "consents" in request.query:
                        self._org.tokens.authorizer.forget_consents()
                    count = self._org.tokens.sessions.revoke_all()
                    return json_reply({"revoked": count})
                case ("POST", "keys"):
                    keep = as_mapping(loads(raw)).get("keep_old", True) is True
                    kid = self._org.tokens.keys.rotate(keep_old=keep)
                    return json_reply({"kid": kid}, 201)
                case ("PUT", "usage"):
                    used = _whole(as_mapping(loads(raw)).get("api_calls"))
                    self._org.usage.set_used(used)
                    return json_reply(self._info())
                case ("PATCH", "settings"):
                    self._change_settings(as_mapping(loads(raw)))
                    return json_reply(self._info())
                case ("POST", "apps"):
                    self._register(loads(raw))
                    return web.Response(status=204)
                case _:
                    raise web.HTTPNotFound
        except (ValueError, TypeError) as error:
            return json_reply({"error": str(error)}, 400)
        except RestError as error:
            return json_reply([error.as_item()], error.status)

    def _delete_faults(self, which: str) -> web.Response:
        if not which:
            self._org.faults.clear()
        elif not which.isdigit() or not self._org.faults.remove(int(which)):
            raise web.HTTPNotFound
        return web.Response(status=204)

    def _register(self, body: object) -> None:
        app = _APP.validate_python(body)
        if not (app.public_key_pem or app.redirect_uris or app.run_as):
            raise ValueError("public_key_pem, redirect_uris or run_as is needed")
        self._org.register(app)

    def _change_settings(self, body: Mapping[str, object]) -> None:
        unknown = sorted(set(body) - set(_SETTINGS))
        if unknown:
            raise ValueError(f"cannot be changed: {', '.join(unknown)}")
        changes = {
            name: _SETTINGS[name].validate_json(json.dumps(value), strict=True)
            for name, value in body.items()
        }
        for name, value in changes.items():
            if isinstance(value, int | float) and value < 0:
                raise ValueError(f"{name} is not less than 0")
        self._org.reconfigure(**changes)

    def _info(self) -> dict[str, object]:
        org = self._org
        return {
            "organization_id": ORGANIZATION_ID,
            "identity_public_key_pem": org.identity.public_key_pem,
            "adapter_url": org.config.adapter_url,
            "gateway_url": org.config.gateway_url,
            "users": [
                {
                    "id": u.id,
                    "username": u.values.get("Username"),
                    "name": u.display_name,
                    "login": f"/sandbox/login?user={quote(u.id)}",
                }
                for u in org.store.records("User")
            ],
            "api_calls": org.usage.used,
            "requests": org.journal.total,
        }


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0 is expected")
    return value
