"""``application/dialog-info+xml``: which calls somebody has (RFC 4235).

``parse_dialog_info`` reads one document, :class:`DialogTable` puts full and partial
ones together. Both are pure. What is read comes from a server that passes on what
phones wrote: sizes are limited, entities and document types are refused.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import ParseError as XmlError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sip.errors import InvalidValue, ParseError
from sip.replaces import Replaces
from sip.uri import Uri

MEDIA_TYPE = "application/dialog-info+xml"
MAX_BYTES = 60_000
MAX_DIALOGS = 64
#: Of one identifier, tag, name or URI.
MAX_TEXT = 512

Direction = Literal["initiator", "recipient"]
_DIRECTIONS: Mapping[str, Direction] = MappingProxyType(
    {"initiator": "initiator", "recipient": "recipient"}
)
_NAMESPACE = "{urn:ietf:params:xml:ns:dialog-info}"
# xs:nonNegativeInteger has no end; no server counts so far.
_NUMBER = re.compile(r"\s*\+?(\d{1,15})\s*", re.ASCII)


class DialogInfoError(ParseError):
    """No document that can be used."""


class WatchedState(enum.StrEnum):
    """Of a dialog (RFC 4235 3.7.1)."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a dialog; what was not said is None or empty.

    Attributes:
        identity: the address that stands for a person.
        target: the device, as its Contact was.
    """

    identity: Uri | None = None
    display_name: str = ""
    target: Uri | None = None


@dataclass(frozen=True, slots=True)
class WatchedDialog:
    """One call that the watched address has; ``local`` is its own side.

    Attributes:
        id: of this dialog in the documents of one subscription.
        direction: ``initiator``: the watched side calls; None when it was not said.
        event: why it is in its state, e.g. ``cancelled``, ``replaced``; ``""``.
        code: the response that led to its state.
        duration_s: since when it lasts.
    """

    id: str
    state: WatchedState
    call_id: str = ""
    local_tag: str = ""
    remote_tag: str = ""
    direction: Direction | None = None
    event: str = ""
    code: int | None = None
    duration_s: int | None = None
    local: Party = Party()
    remote: Party = Party()

    @property
    def as_replaces(self) -> Replaces | None:
        """For an INVITE to the watched device that takes this call over (RFC 3891).

        None: the server keeps the identifiers to itself, or they are none.
        """
        replaces = Replaces(self.call_id, self.local_tag, self.remote_tag)
        try:
            str(replaces)
        except InvalidValue:
            return None
        return replaces


@dataclass(frozen=True, slots=True)
class DialogInfo:
    """One document; ``is_full``: what it does not name does not exist."""

    version: int
    is_full: bool
    entity: str
    dialogs: tuple[WatchedDialog, ...]


def parse_dialog_info(body: bytes) -> DialogInfo:
    """Read a document. Of a dialog that cannot be read, the others are kept.

    Raises:
        DialogInfoError: no dialog-info document, or beyond a limit.
    """
    if len(body) > MAX_BYTES:
        raise DialogInfoError("dialog-info exceeds the limit")
    try:
        root = fromstring(
            body, forbid_dtd=True, forbid_entities=True, forbid_external=True
        )
    except (XmlError, DefusedXmlException, ValueError, LookupError):
        # ValueError and LookupError: an encoding that nobody knows.
        raise DialogInfoError("dialog-info is no plain XML") from None
    if root.tag != f"{_NAMESPACE}dialog-info":
        raise DialogInfoError("the document is no dialog-info")
    version = _number(root.get("version"))
    state = root.get("state")
    if version is None or state not in ("full", "partial"):
        raise DialogInfoError("dialog-info without version or state")
    elements = root.findall(f"{_NAMESPACE}dialog")
    if len(elements) > MAX_DIALOGS:
        raise DialogInfoError("too many dialogs")
    dialogs = tuple(
        dialog for element in elements if (dialog := _dialog(element)) is not None
    )
    return DialogInfo(version, state == "full", _short(root.get("entity")), dialogs)


class DialogTable:
    """What is known of one address by one subscription (RFC 4235 4.3)."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._dialogs: dict[str, WatchedDialog] = {}

    @property
    def dialogs(self) -> Mapping[str, WatchedDialog]:
        """All dialogs by id; never terminated ones."""
        return MappingProxyType(self._dialogs)

    @property
    def version(self) -> int | None:
        """Of the newest document; None before the first."""
        return self._version

    def reset(self) -> None:
        """A new subscription: versions begin anew, what was known is void."""
        self._version = None
        self._dialogs.clear()

    def apply(self, info: DialogInfo) -> bool:
        """Take a document over.

        Returns:
            Whether something is missing: then the whole state is to be fetched. What
            could be taken over was.
        """
        version = self._version
        if version is not None and info.version <= version:
            # late or repeated
            return False
        is_missing = not info.is_full and (
            version is None or info.version != version + 1
        )
        self._version = info.version
        if info.is_full:
            self._dialogs.clear()
        for dialog in info.dialogs:
            if dialog.state is WatchedState.TERMINATED:
                self._dialogs.pop(dialog.id, None)
            elif dialog.id in self._dialogs or len(self._dialogs) < MAX_DIALOGS:
                self._dialogs[dialog.id] = dialog
        return is_missing


def _dialog(element: Element) -> WatchedDialog | None:
    identifier = _short(element.get("id"))
    state_element = element.find(f"{_NAMESPACE}state")
    if not identifier or state_element is None:
        return None
    try:
        state = WatchedState(_text(state_element).lower())
    except ValueError:
        return None
    return WatchedDialog(
        id=identifier,
        state=state,
        call_id=_short(element.get("call-id")),
        local_tag=_short(element.get("local-tag")),
        remote_tag=_short(element.get("remote-tag")),
        direction=_DIRECTIONS.get(element.get("direction") or ""),
        event=_short(state_element.get("event")),
        code=_number(state_element.get("code")),
        duration_s=_number(_child_text(element, "duration")),
        local=_party(element.find(f"{_NAMESPACE}local")),
        remote=_party(element.find(f"{_NAMESPACE}remote")),
    )


def _party(element: Element | None) -> Party:
    if element is None:
        return Party()
    identity = element.find(f"{_NAMESPACE}identity")
    target = element.find(f"{_NAMESPACE}target")
    return Party(
        identity=None if identity is None else _uri(_text(identity)),
        display_name="" if identity is None else _short(identity.get("display")),
        target=None if target is None else _uri(target.get("uri") or ""),
    )


def _child_text(element: Element, name: str) -> str:
    child = element.find(f"{_NAMESPACE}{name}")
    return "" if child is None else _text(child)


def _text(element: Element) -> str:
    return _short((element.text or "").strip())


def _short(text: str | None) -> str:
    """A text within the limit; a longer one is as good as none: it names nothing."""
    return text if text is not None and len(text) <= MAX_TEXT else ""


def _uri(text: str) -> Uri | None:
    if not text or len(text) > MAX_TEXT:
        return None
    try:
        return Uri.parse(text.strip())
    except ParseError:
        return None


def _number(text: str | None) -> int | None:
    match = _NUMBER.fullmatch(text or "")
    return None if match is None else int(match[1])
