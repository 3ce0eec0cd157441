"""The people and companies of the demo; all numbers are of the fictional range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.store import Store
from gateway.sandbox.salesforce.values import Value

ROBIN = "robin.reyes@acme.example"
SAM = "sam.okafor@acme.example"
LONG_NAME = "Maximiliana-Theodora Featherstonehaugh-Cholmondeley von Berg"


def seed_users(store: Store) -> tuple[Record, Record]:
    """Robin and Sam, always the org's first two users."""
    common: dict[str, Value] = {
        "TimeZoneSidKey": "America/New_York",
        "LocaleSidKey": "en_US",
        "IsActive": True,
    }
    robin = store.seed(
        "User",
        {
            **common,
            "FirstName": "Robin",
            "LastName": "Reyes",
            "Username": ROBIN,
            "Email": ROBIN,
            "Alias": "rreyes",
            "Extension": "1001",
        },
    )
    sam = store.seed(
        "User",
        {
            **common,
            "FirstName": "Sam",
            "LastName": "Okafor",
            "Username": SAM,
            "Email": SAM,
            "Alias": "sokafor",
            "Extension": "1002",
        },
    )
    return robin, sam


def seed_demo(store: Store, *, owner: Record, now: float) -> None:
    """Accounts, contacts, a lead, an opportunity, a case and some history."""

    def add(kind: str, **values: Value) -> Record:
        return store.seed(kind, {**values, "OwnerId": owner.id})

    today = datetime.fromtimestamp(now, UTC).date()
    acme = add(
        "Account",
        Name="Acme Corp",
        Phone="(646) 555-0170",
        Website="https://acme-corp.example",
        Industry="Manufacturing",
        Type="Customer",
    )
    globex = add(
        "Account",
        Name="Globex",
        Phone="(415) 555-0120",
        Website="https://globex.example",
        Industry="Energy",
        Type="Customer",
    )
    initech = add(
        "Account", Name="Initech", Phone="+1 512-555-0134", Industry="Technology"
    )
    nordwind = add(
        "Account", Name="Nordwind Maschinenbau GmbH", Phone="+1 312 555 0160"
    )
    ana = add(
        "Contact",
        FirstName="Ana",
        LastName="Ruiz",
        Title="Head of Purchasing",
        AccountId=acme.id,
        Phone="(646) 555-0175",
        MobilePhone="+1 917 555 0118",
        Email="ana.ruiz@acme-corp.example",
    )
    add(
        "Contact",
        FirstName="Ben",
        LastName="Hartmann",
        Title="Plant Manager",
        AccountId=globex.id,
        Phone="(415) 555-0120",
        Email="ben.hartmann@globex.example",
    )
    add(
        "Contact",
        FirstName="Chloe",
        LastName="Nakamura",
        Title="Procurement Lead",
        AccountId=globex.id,
        Phone="415.555.0120",
        MobilePhone="(415) 555-0121",
        Email="chloe.nakamura@globex.example",
    )
    first, last = LONG_NAME.split(" ", 1)
    add(
        "Contact",
        FirstName=first,
        LastName=last,
        Title="Executive Vice President, Global Partnerships",
        AccountId=initech.id,
        Phone="+15125550134",
        Email="m.vonberg@initech.example",
    )
    add(
        "Contact",
        FirstName="ليلى",
        LastName="الحسيني",
        Title="مديرة المشتريات",
        AccountId=acme.id,
        Phone="+1 (646) 555-0188",
        Email="layla@acme-corp.example",
    )
    add(
        "Contact",
        FirstName="Jörg",
        LastName="Größmann-Schäfer",
        Title="Kundendienstleiter",
        AccountId=nordwind.id,
        Phone="+1 312 555 0161",
        Email="joerg@nordwind.example",
    )
    add(
        "Contact",
        FirstName="Dana",
        LastName="Whitfield",
        Title="Controller",
        AccountId=initech.id,
        Email="dana@initech.example",
    )
    add(
        "Lead",
        FirstName="Priya",
        LastName="Venkataraman",
        Company="Solstice Labs",
        Title="Founder",
        Phone="(206) 555-0143",
        Email="priya@solstice.example",
    )
    quote = add(
        "Opportunity",
        Name="Acme Corp: Q4 renewal",
        AccountId=acme.id,
        StageName="Negotiation",
        CloseDate=(today + timedelta(days=30)).isoformat(),
        Amount=48_000.0,
    )
    add(
        "Case",
        Subject="Delivery 4711 arrived incomplete",
        AccountId=acme.id,
        ContactId=ana.id,
        Status="Working",
    )
    add(
        "Task",
        Subject="Renewal quote",
        WhoId=ana.id,
        WhatId=quote.id,
        Status="Completed",
        TaskSubtype="Call",
        CallType="Outbound",
        CallDurationInSeconds=372,
        CallDisposition="Answered",
        Description="Sent the revised quote; she wants an answer by Friday.",
        ActivityDate=(today - timedelta(days=8)).isoformat(),
    )
