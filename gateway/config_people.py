"""Sections of a tenant that say who calls, and what is shown of a call."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from gateway.config_base import Section
from gateway.sessions.wire import PopAction, PopsByCallType, PopWhen

# One request asks for all of them.
MAX_KEY_FIELDS = 5
MAX_TARGET_CHARS = 255
PLACEHOLDERS = frozenset({"number", "key", "call", "record"})

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_URL_CHARACTERS = re.compile(r"[!-~]+")

ApiName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
HeaderName = Annotated[str, Field(pattern=r"(?i)^(User-to-User|X-[A-Za-z0-9-]{1,60})$")]


class CallerKeySection(Section):
    """Where INVITEs carry what the caller typed into an IVR, and what it is a key of.

    ``header`` is ``User-to-User`` (RFC 7433) or one that begins with ``X-``;
    ``encoding`` is that of a User-to-User value that names none. ``fields`` has one
    text field for each kind of record, looked into in this order and before numbers.
    """

    header: HeaderName
    encoding: Literal["auto", "hex", "text"] = "auto"
    fields: Annotated[
        dict[ApiName, ApiName], Field(min_length=1, max_length=MAX_KEY_FIELDS)
    ]


def _action(value: object) -> object:
    """``single: record`` for ``single: {action: record}``."""
    return {"action": value} if isinstance(value, str) else value


class PopSection(Section):
    """``target``: of ``url`` the URL, https and with ``{number}``, ``{key}``,
    ``{call}`` and ``{record}`` where these are to be, of ``flow`` its API name, of
    ``new_record`` the kind of record; nothing of all others."""

    action: PopAction = PopAction.NOTHING
    target: Annotated[str, Field(max_length=MAX_TARGET_CHARS)] = ""

    @model_validator(mode="after")
    def _target(self) -> PopSection:
        match self.action:
            case PopAction.URL:
                _check_template(self.target)
            case PopAction.FLOW | PopAction.NEW_RECORD:
                if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", self.target) is None:
                    raise ValueError(f"{self.action} needs an API name as its target")
            case _:
                if self.target:
                    raise ValueError(f"{self.action} takes no target")
        return self


Pop = Annotated[PopSection, BeforeValidator(_action)]


class PopRulesSection(Section):
    """For one type of call, by how many records match."""

    when: PopWhen = PopWhen.ANSWERED
    single: Pop = PopSection()
    several: Pop = PopSection()
    none: Pop = PopSection()

    @model_validator(mode="after")
    def _never_one_of_several(self) -> PopRulesSection:
        for name in ("several", "none"):
            if getattr(self, name).action is PopAction.RECORD:
                raise ValueError(f"{name}: there is no one record to show")
        return self


class InboundPopsSection(PopRulesSection):
    """Of calls from outside."""

    single: Pop = PopSection(action=PopAction.RECORD)


class PopsSection(Section):
    """What pops when: by default the record of a caller whom exactly one matches, when
    the call is answered, and nothing else."""

    inbound: InboundPopsSection = InboundPopsSection()
    outbound: PopRulesSection = PopRulesSection()
    internal: PopRulesSection = PopRulesSection()
    consult: PopRulesSection = PopRulesSection()

    def rules(self) -> PopsByCallType:
        """As the browser protocol has them."""
        return PopsByCallType.model_validate(self.model_dump())


def _check_template(text: str) -> None:
    if not text:
        raise ValueError("url needs an address as its target")
    if unknown := set(_PLACEHOLDER.findall(text)) - PLACEHOLDERS:
        known = ", ".join(f"{{{name}}}" for name in sorted(PLACEHOLDERS))
        raise ValueError(f"{{{min(unknown)}}} is none of {known}")
    filled = _PLACEHOLDER.sub("x", text)
    if "{" in filled or "}" in filled:
        raise ValueError("a brace stands alone")
    if _URL_CHARACTERS.fullmatch(filled) is None or "\\" in filled:
        raise ValueError("a URL has no such characters")
    # A caller's word must not choose the server that the page goes to.
    server, where = urlsplit(text), urlsplit(filled)
    if where.scheme != "https" or not where.hostname:
        raise ValueError("must be an https URL")
    if server.netloc != where.netloc or server.scheme != where.scheme:
        raise ValueError("placeholders may stand after the host alone")
    if where.username is not None or where.password is not None:
        raise ValueError("must not contain a password")
