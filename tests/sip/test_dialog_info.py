"""Documents of application/dialog-info+xml, and their table (RFC 4235)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from sip.dialog_info import (
    MAX_BYTES,
    MAX_DIALOGS,
    MAX_TEXT,
    DialogInfo,
    DialogInfoError,
    DialogTable,
    Party,
    WatchedDialog,
    WatchedState,
    parse_dialog_info,
)

RINGING = """\
<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="3" state="partial"
    entity="sip:rep@example.com">
  <!-- a comment, and things of others -->
  <dialog id="as7d900as8" call-id="a84b4c76e66710" local-tag="1928301774"
      remote-tag="fs7s" direction="recipient">
    <x:more xmlns:x="urn:example:x">x</x:more>
    <state event="replaced" code="180"> Early </state>
    <duration>145</duration>
    <local>
      <identity>sip:rep@example.com</identity>
      <target uri="sip:rep@192.0.2.5:5062"/>
    </local>
    <remote>
      <identity display="Ana &amp; Ruiz">sip:+15550123@carrier.example</identity>
      <target uri="sip:192.0.2.9"><param pname="x" pval="y"/></target>
    </remote>
  </dialog>
</dialog-info>
"""


def document(
    version: object = 0,
    state: str = "full",
    inside: str = "",
    *,
    namespace: str = "urn:ietf:params:xml:ns:dialog-info",
    before: str = "",
) -> bytes:
    return (
        f'{before}<dialog-info xmlns="{namespace}" version="{version}" '
        f'state="{state}" entity="sip:rep@example.com">{inside}</dialog-info>'
    ).encode()


def dialog(identifier: str = "a", state: str = "confirmed", more: str = "") -> str:
    return f'<dialog id="{identifier}" {more}><state>{state}</state></dialog>'


def test_a_whole_document() -> None:
    info = parse_dialog_info(RINGING.encode())
    assert (info.version, info.is_full, info.entity) == (
        3,
        False,
        "sip:rep@example.com",
    )
    (read,) = info.dialogs
    assert read == WatchedDialog(
        id="as7d900as8",
        state=WatchedState.EARLY,
        call_id="a84b4c76e66710",
        local_tag="1928301774",
        remote_tag="fs7s",
        direction="recipient",
        event="replaced",
        code=180,
        duration_s=145,
        local=Party(
            sip.Uri.parse("sip:rep@example.com"),
            "",
            sip.Uri.parse("sip:rep@192.0.2.5:5062"),
        ),
        remote=Party(
            sip.Uri.parse("sip:+15550123@carrier.example"),
            "Ana & Ruiz",
            sip.Uri.parse("sip:192.0.2.9"),
        ),
    )
    assert read.as_replaces == sip.Replaces("a84b4c76e66710", "1928301774", "fs7s")


def test_as_little_as_there_may_be() -> None:
    (read,) = parse_dialog_info(document(inside=dialog())).dialogs
    assert read == WatchedDialog("a", WatchedState.CONFIRMED)
    assert read.as_replaces is None
    assert parse_dialog_info(document()).dialogs == ()


def test_identifiers_that_cannot_be_written() -> None:
    more = 'call-id="a&#10;X: y" local-tag="b" remote-tag="c"'
    (read,) = parse_dialog_info(document(inside=dialog(more=more))).dialogs
    assert read.as_replaces is None


def test_what_cannot_be_read_costs_only_itself() -> None:
    inside = "".join(
        [
            dialog("a", "sleeping"),
            '<dialog id="b"/>',
            "<dialog><state>early</state></dialog>",
            dialog("x" * (MAX_TEXT + 1)),
            '<dialog id="c" direction="up" call-id="1"><state code="x">early</state>'
            "<remote><identity>nonsense</identity><target/></remote></dialog>",
            dialog("d"),
        ]
    )
    info = parse_dialog_info(document(inside=inside))
    assert [each.id for each in info.dialogs] == ["c", "d"]
    assert info.dialogs[0] == WatchedDialog("c", WatchedState.EARLY, call_id="1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"<dialog-info/>",
        document(namespace="urn:other"),
        document("x"),
        document("9" * 100),
        document("-1"),
        document(state="half"),
        document(before='<!DOCTYPE x [<!ENTITY a "b">]>'),
        document(before='<!DOCTYPE dialog-info SYSTEM "http://192.0.2.1/x.dtd">'),
        document(before='<?xml version="1.0" encoding="nobody-knows"?>'),
        document(inside=dialog() * (MAX_DIALOGS + 1)),
        document(inside=f"<!--{' ' * MAX_BYTES}-->"),
        document(inside="\x01"),
    ],
)
def test_no_documents(body: bytes) -> None:
    with pytest.raises(DialogInfoError):
        parse_dialog_info(body)


def test_a_billion_laughs() -> None:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(10)
    )
    body = document(before=f"<!DOCTYPE lol [{entities}]>", inside="&k;")
    with pytest.raises(DialogInfoError):
        parse_dialog_info(body)


def test_deep_nesting() -> None:
    depth = 5_000
    inside = dialog() + "<x>" * depth + "</x>" * depth
    assert len(parse_dialog_info(document(inside=inside)).dialogs) == 1


PIECES = ["<", ">", "&", "&#0;", '"', "<dialog", "</", "<![CDATA[", "\0", "é", "<?x?>"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    text = RINGING
    for _ in range(draw(st.integers(1, 6))):
        position = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 10))
        piece = draw(st.sampled_from(PIECES) | st.text(max_size=6))
        text = text[:position] + piece + text[position + length :]
    return text.encode("utf-8", "surrogatepass")


@given(mutated() | st.binary(max_size=200))
def test_any_body(body: bytes) -> None:
    table = DialogTable()
    try:
        info = parse_dialog_info(body)
    except DialogInfoError:
        return
    table.apply(info)
    assert len(table.dialogs) <= MAX_DIALOGS
    for each in info.dialogs:
        assert len(each.id) <= MAX_TEXT
        text = str(each.as_replaces)
        assert "\r" not in text
        assert "\n" not in text


def info(version: int, *dialogs: tuple[str, str], full: bool = False) -> DialogInfo:
    return DialogInfo(
        version,
        full,
        "sip:rep@example.com",
        tuple(WatchedDialog(name, WatchedState(state)) for name, state in dialogs),
    )


def states(table: DialogTable) -> dict[str, str]:
    return {name: each.state.value for name, each in table.dialogs.items()}


def test_full_then_partial() -> None:
    table = DialogTable()
    assert not table.apply(info(7, ("a", "early"), ("b", "confirmed"), full=True))
    assert not table.apply(info(8, ("a", "confirmed")))
    assert states(table) == {"a": "confirmed", "b": "confirmed"}
    assert not table.apply(info(9, ("b", "terminated"), ("c", "trying")))
    assert states(table) == {"a": "confirmed", "c": "trying"}
    assert not table.apply(info(20, ("d", "early"), full=True))
    assert states(table) == {"d": "early"}


def test_late_and_repeated_documents_change_nothing() -> None:
    table = DialogTable()
    table.apply(info(7, ("a", "confirmed"), full=True))
    assert not table.apply(info(7, ("a", "early")))
    assert not table.apply(info(6, full=True))
    assert states(table) == {"a": "confirmed"}


def test_a_gap_asks_for_the_whole() -> None:
    table = DialogTable()
    assert table.apply(info(0, ("a", "early")))
    table.reset()
    table.apply(info(0, ("a", "early"), full=True))
    assert table.apply(info(2, ("b", "early")))
    # what is known is still shown meanwhile
    assert states(table) == {"a": "early", "b": "early"}
    assert not table.apply(info(3, ("b", "early"), full=True))
    assert states(table) == {"b": "early"}


def test_a_new_subscription_begins_anew() -> None:
    table = DialogTable()
    table.apply(info(7, ("a", "early"), full=True))
    table.reset()
    assert not table.dialogs
    assert not table.apply(info(0, ("b", "early"), full=True))
    assert states(table) == {"b": "early"}


def test_no_more_dialogs_than_the_limit() -> None:
    table = DialogTable()
    table.apply(info(0, full=True))
    for version in range(1, 3 * MAX_DIALOGS):
        table.apply(info(version, (str(version), "early")))
    assert len(table.dialogs) == MAX_DIALOGS
