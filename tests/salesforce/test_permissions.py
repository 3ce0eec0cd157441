"""The permission set grants what the gateway asks for, and nothing else.

What it asks for is read from what it really sends: the connector does everything it
can do against the sandbox's Salesforce, and the requests are taken apart.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.crm.connector import (
    Activity,
    ActivityDirection,
    ContactDraft,
    CrmUser,
    Meeting,
    PersonKind,
)
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.sandbox.salesforce import (
    ConnectedApp,
    SalesforceSimulator,
    SimulatorConfig,
)
from tests.salesforce.package import SOURCE, read, tag, text

# Fields for which an organisation sets no access: ids and what the system keeps, names,
# what an object cannot be without, and (object reference) what is of a call.
WITHOUT_ACCESS = frozenset(
    [
        "Id",
        "Name",
        "FirstName",
        "LastName",
        "Company",
        "OwnerId",
        "CreatedDate",
        "LastActivityDate",
        "IsConverted",
        "Subject",
        "Status",
        "CallType",
        "CallDurationInSeconds",
        "CallDisposition",
        "CallObject",
    ]
)
# Of the standard fields of activities, people have access with the right to edit
# activities; for which of them more can be said is seen in an organisation only.
WITH_THE_ACTIVITY = frozenset(
    [
        "TaskSubtype",
        "ActivityDate",
        "StartDateTime",
        "EndDateTime",
        "Location",
        "ShowAs",
        "IsReminderSet",
    ]
)
ACTIVITIES = ("Task", "Event")
# A package that names these cannot be installed where there are no person accounts.
PERSON_ACCOUNTS = re.compile(r"Account\.Person|\w+\.IsPersonAccount$")
RETURNING = re.compile(r"(\w+)\(([^()]*?)(?:WHERE ([^()]*?))?(?:LIMIT \d+)?\)")
SOQL = re.compile(r"SELECT (.*?) FROM (\w+) WHERE (.*?)(?: ORDER BY .*)?(?: LIMIT.*)?$")


@dataclass
class Access:
    """``Object.Field``, and objects that are created or changed."""

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    objects: set[str] = field(default_factory=set)

    def look(self, kind: str, names: str) -> None:
        self.objects.add(kind)
        for name in (each.strip() for each in names.split(",")):
            parent, dot, of_parent = name.partition(".")
            if dot:
                self.read.add(f"{kind}.{parent}Id")
                self.look(parent, of_parent)
            else:
                self.read.add(f"{kind}.{name}")

    def write(self, kind: str, names: list[str]) -> None:
        self.objects.add(kind)
        self.created.add(kind)
        self.written |= {f"{kind}.{name}" for name in names}


@pytest.fixture
async def simulator() -> AsyncIterator[SalesforceSimulator]:
    config = SimulatorConfig(apps=(ConnectedApp("app", PUBLIC),))
    simulator = SalesforceSimulator(config, rng=random.Random(7))
    await simulator.start(tls_port=None)
    yield simulator
    await simulator.close()


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
).decode()
PUBLIC = (
    KEY.public_key()
    .public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    .decode()
)


async def everything(simulator: SalesforceSimulator) -> None:
    """Each of the connector's methods, with every field it can have."""
    config = SalesforceConfig(
        tenant="acme",
        my_domain=simulator.url,
        token_url=simulator.url + "/services/oauth2/token",
        consumer_key="app",
        private_key=PRIVATE,
    )
    user = simulator.user("Robin")
    robin = CrmUser("acme", user.id, str(user.values["Username"]))
    connector = SalesforceConnector(config, rng=random.Random(1))
    try:
        (ana,) = await connector.find_by_number(robin, "+16465550175")
        await connector.find_people(robin, "ana")
        await connector.find_callable(robin, "ana")
        drafts = (
            ContactDraft("Vega", "Lu", "+15125550199", "Globex", "lu@vega.example"),
            ContactDraft("Ode", "Ed", "+15125550188", "No Such Ltd", "ed@ode.example"),
            ContactDraft(
                *("Poe", "Al", "+15125550177", "Poe Ltd", "al@poe.example"),
                kind=PersonKind.LEAD,
            ),
        )
        for draft in drafts:
            await connector.create_contact(robin, draft)
        account = next(iter(simulator.store.records("Account")))
        at = datetime(2026, 11, 20, 12, tzinfo=UTC)
        activity = Activity(
            key="call:0c8e4f3a",
            user=robin,
            direction=ActivityDirection.OUTBOUND,
            subject="Call",
            outcome="Answered",
            description="Outgoing call",
            started_at=at,
            duration_s=65,
            number="+16465550175",
            who_id=ana.id,
            what_id=account.id,
        )
        assert (await connector.write_activity(activity)).created
        assert not (await connector.write_activity(activity)).created
        meeting = Meeting(
            key="meet:0c8e4f3a",
            user=robin,
            subject="Video call",
            description="Invited: Ana",
            starts_at=at,
            ends_at=at + timedelta(minutes=30),
            location="https://calls.acme.example/widget/",
            who_id=ana.id,
            what_id=account.id,
            is_cancelled=True,
        )
        assert (await connector.write_meeting(meeting)).created
    finally:
        await connector.close()


def asked_for(simulator: SalesforceSimulator) -> Access:
    access = Access()
    for entry in simulator.journal.requests(path="/services/data/"):
        (q,) = parse_qs(entry.query).get("q", [""])
        parts = entry.path.split("/sobjects/")
        if "/search/" in entry.path:
            for kind, names, where in RETURNING.findall(q.partition("RETURNING")[2]):
                access.look(kind, names.strip().rstrip(","))
                if where:
                    access.look(kind, where.split()[0])
        elif q:
            matched = SOQL.match(q)
            assert matched is not None, q
            names, kind, where = matched.groups()
            access.look(kind, names)
            for condition in where.split(" AND "):
                access.look(kind, condition.split()[0])
        else:
            kind, *key = parts[1].strip("/").split("/")
            if entry.method in ("POST", "PATCH"):
                access.write(kind, [*json.loads(entry.body), *key[:1]])
            else:
                access.look(kind, key[0])
    return access


async def test_the_reps_may_do_what_the_gateway_does_and_no_more(
    simulator: SalesforceSimulator,
) -> None:
    await everything(simulator)
    asked = asked_for(simulator)
    assert {"Contact.HomePhone", "Lead.Email"} <= asked.read
    assert {"Task.Ringbridge_Key__c", "Event.Ringbridge_Key__c"} <= asked.written

    def settable(names: set[str]) -> set[str]:
        return {
            name
            for name in names
            if name.partition(".")[2] not in WITHOUT_ACCESS
            and not PERSON_ACCOUNTS.match(name)
            and not (
                name.partition(".")[0] in ACTIVITIES
                and name.partition(".")[2] in WITH_THE_ACTIVITY
            )
        }

    rep = read(SOURCE / "permissionsets" / "Ringbridge_Rep.permissionset-meta.xml")
    editable, readable = set(), set()
    for each in rep.iterfind(tag("fieldPermissions")):
        assert text(each, "readable") == "true"
        readable.add(text(each, "field"))
        if text(each, "editable") == "true":
            editable.add(text(each, "field"))
    assert editable == settable(asked.written)
    assert readable == settable(asked.read | asked.written)

    objects = {}
    for each in rep.iterfind(tag("objectPermissions")):
        rights = {
            right.tag.partition("}")[2]
            for right in each
            if (right.text or "") == "true"
        }
        objects[text(each, "object")] = rights
    # Rights to activities are the user's, not an object's.
    assert objects == {
        kind: {"allowRead"} | ({"allowCreate"} if kind in asked.created else set())
        for kind in asked.objects - set(ACTIVITIES)
    }
    rights = {text(each, "name") for each in rep.iterfind(tag("userPermissions"))}
    assert rights == {"ApiEnabled", "ActivitiesAccess", "EditTask", "EditEvent"}
    assert asked.objects >= set(ACTIVITIES)


def test_the_icons_show_no_field_that_a_rep_has_no_access_to() -> None:
    rep = read(SOURCE / "permissionsets" / "Ringbridge_Rep.permissionset-meta.xml")
    readable = {text(each, "field") for each in rep.iterfind(tag("fieldPermissions"))}
    source = (SOURCE / "lwc" / "ringbridgeReach" / "fields.js").read_text()
    shown = set()
    for kind, names in re.findall(r"(Contact|Lead|Account): \[(.*?)\]", source):
        for name in re.findall(r"'(\w+)'", names):
            # A person account's fields are its contact's, access to them too.
            if name.startswith("Person"):
                shown.add("Contact." + name.removeprefix("Person"))
            else:
                shown.add(f"{kind}.{name}")
    assert len(shown) == 9
    assert shown <= readable


@pytest.mark.parametrize(
    ("permission_set", "components"),
    [
        ("Ringbridge_Rep", ["ringbridgeReach"]),
        ("Ringbridge_Admin", ["ringbridgeReach", "ringbridgeSetup"]),
    ],
)
def test_whoever_sees_a_component_may_call_its_classes(
    permission_set: str, components: list[str]
) -> None:
    root = read(SOURCE / "permissionsets" / f"{permission_set}.permissionset-meta.xml")
    allowed = {
        text(each, "apexClass")
        for each in root.iterfind(tag("classAccesses"))
        if text(each, "enabled") == "true"
    }
    called = set()
    for name in components:
        for path in (SOURCE / "lwc" / name).glob("*.js"):
            called |= set(re.findall(r"@salesforce/apex/(\w+)\.", path.read_text()))
    assert called <= allowed
    assert allowed - called <= {"RingbridgeIdentity"}
