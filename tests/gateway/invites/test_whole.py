"""The service as a whole: a rep invites, a mail arrives, its link leads back."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import vobject

from gateway.app import Gateway
from gateway.config import Config
from gateway.sessions import wire
from gateway.sessions.wire import InviteState, MailState
from tests.gateway.invites import reports
from tests.gateway.invites.dovecot import PASSWORD as MAILBOX_PASSWORD
from tests.gateway.invites.dovecot import Dovecot
from tests.gateway.invites.mail_server import MailServer, Received, mail_server
from tests.gateway.invites.samples import a_draft
from tests.gateway.sessions.client import WireClient
from tests.gateway.test_app import PASSWORD, config


def with_invites(folder: Path, server: MailServer) -> Config:
    values: dict[str, Any] = config(folder).model_dump()
    values["signing_key"] = "k" * 32
    (tenant,) = values["tenants"]
    tenant["company"] = "Acme Corp"
    tenant["users"][0]["email"] = "robin@acme.example"
    tenant["users"][0]["sip"]["password"] = "x"
    tenant["invites"] = {
        "mail": {
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",
            "sender": "invites@acme.example",
        }
    }
    return Config.model_validate(values)


async def rep(gateway: Gateway, http: aiohttp.ClientSession) -> WireClient:
    client = WireClient(http, gateway.url)
    await client.sign_in_by_password("acme", "robin", PASSWORD)
    await client.hello()
    return client


async def create(client: WireClient, name: str, **changes: Any) -> wire.InviteView:
    values = {"at": time.time()} | changes
    answer = await client.request(
        "invite.create",
        op_id=name,
        invite_id=name,
        invite=a_draft(**values).model_dump(),
    )
    assert isinstance(answer, wire.InviteResult)
    return answer.invite


def link_in(mail: Received) -> str:
    body = mail.message.get_body(("plain",))
    assert body is not None
    (link,) = re.findall(r"http://127.0.0.1:1/join/([\w-]+)", body.get_content())
    return str(link)


async def mailed(client: WireClient) -> wire.InviteView:
    """The invite, once its mail is sent."""
    while True:
        event = await client.event("invite.updated")
        view: wire.InviteView = event.invite
        if view.guests[0].mail is MailState.SENT:
            return view


async def join(
    http: aiohttp.ClientSession, gateway: Gateway, path: str, **body: str
) -> tuple[int, Any]:
    body = {"browser": "phone"} | body
    async with http.post(gateway.url + path, json=body) as response:
        return response.status, await response.json()


async def test_from_the_dialog_to_the_link_and_over_a_restart(tmp_path: Path) -> None:
    async with mail_server() as server, aiohttp.ClientSession() as http:
        settings = with_invites(tmp_path, server)
        async with Gateway(settings) as gateway:
            client = await rep(gateway, http)
            assert client.snapshot is not None
            assert client.snapshot.user.invites_from == "invites@acme.example"
            view = await create(client, "invite-1")
            assert view.state is InviteState.OPEN
            assert (await mailed(client)).invite_id == "invite-1"
            (mail,) = server.inbox
            token = link_in(mail)
            status, told = await join(http, gateway, "/v1/join", token=token)
            assert (status, told["state"], told["company"]) == (
                200,
                "open",
                "Acme Corp",
            )
            status, signed_in = await join(
                http, gateway, "/v1/join/session", token=token, name="Ana"
            )
            assert (status, signed_in["user"]["role"]) == (200, "guest")
            status, file = await join(http, gateway, "/v1/join/calendar", token=token)
            assert vobject.readOne(file["text"]).vevent.summary.value == "Your offer"
            async with http.get(gateway.url + "/metrics") as response:
                text = await response.text()
            for line in (
                "ringbridge_invites 1.0",
                "ringbridge_guests 1.0",
                "ringbridge_guests_in_call 0.0",
                "ringbridge_mails_waiting 0.0",
                'ringbridge_mail_events_total{kind="sent"} 1.0',
                'ringbridge_forgotten_total{kind="invites"} 0.0',
                'ringbridge_invite_events_total{kind="created"} 1.0',
                'ringbridge_invite_events_total{kind="guests_entered"} 1.0',
            ):
                assert f"\n{line}\n" in text
            assert token not in text
            await client.close()

        async with Gateway(settings) as gateway:
            _, told = await join(http, gateway, "/v1/join", token=token)
            assert told["state"] == "open"
            # Guests come in by their link again.
            headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
            sessions = gateway.url + "/v1/sessions"
            async with http.post(sessions, headers=headers) as response:
                assert response.status == 401
            client = await rep(gateway, http)
            listed = await client.request("invite.list")
            assert isinstance(listed, wire.InviteListResult)
            assert [v.invite_id for v in listed.invites] == ["invite-1"]
            assert listed.invites[0].guests[0].mail is MailState.SENT
            assert len(server.inbox) == 1
            result = await client.request(
                "invite.cancel", op_id="c", invite_id="invite-1"
            )
            assert isinstance(result, wire.InviteResult)
            assert result.invite.state is InviteState.CANCELLED
            await server.until(lambda s: len(s.inbox) == 2)
            assert server.inbox[1].message["Subject"] == "Cancelled: Your offer"
            _, told = await join(http, gateway, "/v1/join", token=token)
            assert told["state"] == "cancelled"
            await client.close()


@pytest.mark.system
@pytest.mark.needs("dovecot")
async def test_a_mail_that_comes_back_is_shown_to_the_rep(
    tmp_path: Path, dovecot: Dovecot
) -> None:
    async with mail_server() as server, aiohttp.ClientSession() as http:
        settings = with_invites(tmp_path, server)
        values = settings.model_dump()
        values["signing_key"] = "k" * 32
        values["tenants"][0]["users"][0]["sip"]["password"] = "x"
        values["tenants"][0]["invites"]["mail"]["bounces"] = {
            "host": "localhost",
            "port": dovecot.tls_port,
            "username": "whole",
            "password": MAILBOX_PASSWORD,
            "handled_folder": "Handled",
            "ca_file": str(dovecot.ca_file),
        }
        settings = Config.model_validate(values)
        async with Gateway(settings) as gateway:
            client = await rep(gateway, http)
            await create(client, "invite-1")
            await mailed(client)
            await client.close()
        (mail,) = server.inbox
        assert re.fullmatch(r"invites\+[a-z2-7]{24}@acme\.example", mail.sender)
        assert mail.message["From"].addresses[0].addr_spec == "invites@acme.example"
        assert mail.sender not in mail.data.decode()
        dovecot.append("whole", reports.postfix(mail.sender))

        async with Gateway(settings) as gateway:
            client = await rep(gateway, http)
            listed = await client.request("invite.list")
            assert isinstance(listed, wire.InviteListResult)
            (view,) = listed.invites
            while view.guests[0].mail is not MailState.BOUNCED:
                view = (await client.event("invite.updated")).invite
            problem = view.guests[0].mail_problem
            assert problem.startswith("There is no such address. (550 5.1.1")
            async with http.get(gateway.url + "/metrics") as response:
                text = await response.text()
            assert '\nringbridge_bounce_events_total{kind="bounced"} 1.0\n' in text
            await client.close()
        assert dovecot.flags("whole") == []
        assert len(dovecot.flags("whole", "Handled")) == 1
