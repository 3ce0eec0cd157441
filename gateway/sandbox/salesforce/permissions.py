"""The schema as one user sees it: object permissions and field-level security."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.sandbox.salesforce.customisation import Profile
from gateway.sandbox.salesforce.schema import Field, SObject

# Fields of calls are not subject to field-level security (facts, 3.5).
_ALWAYS_THERE = frozenset(
    {
        "task.calltype",
        "task.calldurationinseconds",
        "task.calldisposition",
        "task.callobject",
    }
)


def view(schema: Mapping[str, SObject], profile: Profile) -> Mapping[str, SObject]:
    """Only what the profile lets a user read, and write where it lets them write.

    Required fields and the id can be neither hidden nor locked, as in Salesforce.
    """
    seen: dict[str, SObject] = {}
    for key, kind in schema.items():
        if not profile.may(kind.name, "read"):
            continue
        fields = {
            name: shown
            for name, f in kind.fields.items()
            if (shown := _field(kind, f, profile)) is not None
        }
        seen[key] = replace(
            kind,
            fields=fields,
            createable=kind.createable and profile.may(kind.name, "create"),
            updateable=kind.updateable and profile.may(kind.name, "edit"),
            deletable=kind.deletable and profile.may(kind.name, "delete"),
        )
    return seen


def _field(kind: SObject, f: Field, profile: Profile) -> Field | None:
    path = f"{kind.name}.{f.name}".lower()
    if path in _ALWAYS_THERE or f.required or f.type == "id":
        return f
    if path in {name.lower() for name in profile.hidden}:
        return None
    if path in {name.lower() for name in profile.read_only}:
        return replace(f, createable=False, updateable=False)
    return f
