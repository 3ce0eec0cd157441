"""What the page asks the org on behalf of a softphone (Open CTI, server part)."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from gateway.sandbox.salesforce.config import SimulatorConfig
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.org import Org
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.sosl import parse_term

IDENTITY_CLASS = "RingbridgeIdentity"
MIN_SEARCH_LENGTH = 3
_SEARCHED = ("Contact", "Lead", "Account")


class OpenCtiError(Exception):
    """A failed call; becomes one element of ``errors`` (facts, 2.4)."""

    def __init__(self, code: str, description: str, details: object = None) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.details = details

    def as_json(self) -> dict[str, object]:
        return {
            "code": self.code,
            "description": self.description,
            "details": self.details,
        }


def call_center_settings(config: SimulatorConfig) -> dict[str, str]:
    """The flat map with slash keys that ``getCallCenterSettings`` returns."""
    general = {
        "reqInternalName": ("InternalName", "Ringbridge"),
        "reqDisplayName": ("Display Name", config.softphone_label),
        "reqAdapterUrl": ("CTI Adapter URL", config.adapter_url),
        "reqUseApi": ("Use CTI API", "true"),
        "reqSoftphoneHeight": ("Softphone Height", str(config.softphone_height_px)),
        "reqSoftphoneWidth": ("Softphone Width", str(config.softphone_width_px)),
        "reqSalesforceCompatibilityMode": (
            "Salesforce Compatibility Mode",
            "Lightning",
        ),
    }
    settings: dict[str, str] = {}
    for order, (name, (label, value)) in enumerate(general.items()):
        path = f"/reqGeneralInfo/{name}"
        settings |= {
            path: value,
            f"{path}/label": label,
            f"{path}/sortOrder": str(order),
        }
    settings["/reqGateway/reqGatewayUrl"] = config.gateway_url
    return settings | dict(config.call_center_settings)


def softphone_layout() -> dict[str, object]:
    """The administrator's layout: open one match, search several, offer a contact."""
    objects = {
        "Contact": [
            {"displayName": "Name", "apiName": "Name"},
            {"displayName": "Phone", "apiName": "Phone"},
        ],
        "Account": [{"displayName": "Account Name", "apiName": "Name"}],
        "Lead": [{"displayName": "Name", "apiName": "Name"}],
    }
    fields = ["ANI", "DNIS", "SEGMENT", "QUEUE"]
    return {
        "Internal": {
            "callRelatedFields": fields,
            "objects": objects,
            "screenPopSettings": {},
        },
        "Inbound": {
            "callRelatedFields": fields,
            "objects": objects,
            "screenPopSettings": {
                "screenPopsOpenWithin": "ExistingWindow",
                "NoMatch": {
                    "screenPopType": "PopToEntity",
                    "screenPopData": "Contact",
                },
                "SingleMatch": {"screenPopType": "PopToDetails"},
                "MultipleMatches": {"screenPopType": "PopToSearch"},
            },
        },
        "Outbound": {
            "callRelatedFields": fields,
            "objects": objects,
            "screenPopSettings": {},
        },
    }


def find_records(org: Org, text: str) -> list[Record]:
    """People and companies that a search term finds, phone numbers by their digits."""
    digits = "".join(c for c in text if c.isdigit())
    words = "".join(c if c.isalnum() or c.isspace() else " " for c in text).split()
    wanted = [w for w in words if w.upper() not in ("AND", "OR", "NOT")]
    found: dict[str, Record] = {}
    if len(digits) >= MIN_SEARCH_LENGTH and len(digits) >= len(text.strip()) / 2:
        variants = sorted({digits, digits[-10:], digits[-7:]})
        if len(digits) >= 10:
            variants = sorted({digits, digits[-10:]})
        term = parse_term(" OR ".join(variants))
        for kind in _SEARCHED:
            for record in org.engine.find(term, kind, group="PHONE"):
                found[record.id] = record
    elif wanted:
        term = parse_term(" ".join(f"{w}*" for w in wanted))
        for kind in _SEARCHED:
            for record in org.engine.find(term, kind, group="ALL"):
                found[record.id] = record
    return list(found.values())


def search_and_screen_pop(org: Org, args: Mapping[str, object]) -> dict[str, object]:
    """Matches, and what should pop: ``{"matches": {…}, "pop": {…} or None}``.

    Raises:
        OpenCtiError: INVALID_PARAM.
    """
    text = str(args.get("searchParams") or "")
    call_type = str(args.get("callType") or "").lower()
    if len(text) < MIN_SEARCH_LENGTH:
        raise OpenCtiError(
            "INVALID_PARAM",
            "An invalid value was passed to the parameter searchParams. At least "
            f"{MIN_SEARCH_LENGTH} characters were expected.",
        )
    if call_type not in ("inbound", "outbound", "internal"):
        raise OpenCtiError(
            "INVALID_PARAM",
            "An invalid value was passed to the parameter callType. "
            f"A call type was expected, but {call_type or 'undefined'} was found "
            "instead.",
        )
    records = find_records(org, text)
    matches: dict[str, object] = {
        record.id: {
            "Id": record.id,
            "Name": record.display_name,
            "RecordType": record.object.name,
            "LastModifiedDate": record.values.get("LastModifiedDate"),
            "Phone": record.values.get("Phone"),
        }
        for record in records
    }
    pop: dict[str, object]
    if len(records) == 1:
        pop = {"type": "sobject", "params": {"recordId": records[0].id}}
    elif records:
        pop = {"type": "search", "params": {"searchString": text}}
    else:
        defaults = args.get("defaultFieldValues")
        pop = {
            "type": "newRecord",
            "params": {
                "entityName": "Contact",
                "defaultFieldValues": defaults if isinstance(defaults, dict) else {},
            },
        }
    if args.get("deferred") is True:
        matches["SCREEN_POP_DATA"] = pop
        return {"matches": matches, "pop": None}
    return {"matches": matches, "pop": pop if call_type == "inbound" else None}


def save_log(org: Org, user: Record, value: object) -> str:
    """Create or change a record as the signed-in user; its id.

    Raises:
        OpenCtiError: INVALID_PARAM, or SERVER_ERROR with the field's errors.
    """
    if not isinstance(value, dict):
        raise OpenCtiError(
            "INVALID_PARAM", "An invalid value was passed to the parameter value."
        )
    fields = {k: v for k, v in value.items() if k not in ("entityApiName", "Id")}
    try:
        if record_id := value.get("Id"):
            target = org.store.find(str(record_id))
            if target is None:
                raise OpenCtiError("SERVER_ERROR", "The record was not found.")
            record = org.store.update(
                target.object.name,
                target.id,
                fields,
                user_id=user.id,
                schema=org.view(user.id),
            )
        elif kind := value.get("entityApiName"):
            record = org.store.create(
                str(kind), fields, user_id=user.id, schema=org.view(user.id)
            )
        else:
            raise OpenCtiError(
                "INVALID_PARAM",
                "An invalid value was passed to the parameter value. entityApiName or "
                "Id was expected.",
            )
    except RestError as error:
        raise OpenCtiError(
            "SERVER_ERROR", "A problem occurred while saving.", [error.as_item()]
        ) from None
    return record.id


def run_apex(org: Org, user: Record, args: Mapping[str, object]) -> str:
    """The string that a global web service method returns.

    Raises:
        OpenCtiError: there is no such class or method.
    """
    name, method = str(args.get("apexClass")), str(args.get("methodName"))
    parameters = dict(parse_qsl(str(args.get("methodParams") or "")))
    if name != IDENTITY_CLASS:
        # Verified is the description, not the code (facts, 2.4).
        raise OpenCtiError("SERVER_ERROR", f"Could not load Apex class: {name}.")
    match method:
        case "token":
            return org.identity.token_for(user.id)
        case "language":
            return str(user.values.get("LocaleSidKey") or "en_US")
        case "echo":
            return parameters.get("text", "")
        case _:
            raise OpenCtiError("SERVER_ERROR", f"Could not find method: {method}.")
