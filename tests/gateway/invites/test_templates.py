"""A company's own words and looks: used where they are good, refused where not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings

from gateway.invites.design import MAX_LOGO_BYTES, Design, Logo, on, read_logo, readable
from gateway.invites.mail import as_html, as_text, compose
from gateway.invites.model import MailContent, MailKind
from gateway.invites.templates import (
    MAX_TEMPLATE_BYTES,
    Look,
    MailTemplates,
    TemplatesUnusable,
    read_templates,
)
from tests.gateway.invites.samples import content
from tests.gateway.invites.test_mail import (
    ENVELOPE,
    EXPECTED_HEADERS,
    LINK,
    _Tags,
    contents,
    parsed,
    parts,
)

SAMPLE = Path(__file__).parents[3] / "sample_configs" / "mail-templates"
PNG = b"\x89PNG\r\n\x1a\n and so on"
GOOD_HTML = '<p>{{ guest }}</p><a href="{{ link }}">{{ host }}</a>'


def folder(path: Path, **files: str) -> Path:
    """``_`` is for the dots of a name, ``__`` for one at its beginning."""
    for name, text in files.items():
        dotted = re.sub(r"(?<!^)_", ".", name.replace("__", "_"))
        (path / dotted).write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(TemplatesUnusable) as caught:
        read_templates(path)
    assert isinstance(caught.value, ValueError)
    return [str(problem) for problem in caught.value.problems]


def test_the_sample_is_good_and_only_what_it_has_is_its() -> None:
    design = Design(templates=read_templates(SAMPLE))
    mail = content(text="One <two>\nthree")
    own = parsed(compose(MailKind.INVITATION, mail, ENVELOPE, design))
    assert own["Subject"] == "Talk by video: Your offer"
    text, page = (
        parts(own)[f"text/{kind}"].get_content() for kind in ("plain", "html")
    )
    text = text.replace("\r\n", "\n")
    assert text.startswith("Dear Ana Ruiz,\n")
    assert "One <two>\nthree" in text
    assert "One &lt;two&gt;<br>three" in page
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert f'href="{LINK}"' in page
    assert f"\n{LINK}\n" in text
    # Whatever there is no file for stays as it was.
    german = content(language="de")
    for kind, other in (
        (MailKind.CHANGE, content()),
        (MailKind.CANCELLATION, content()),
        (MailKind.INVITATION, german),
    ):
        with_own = compose(kind, other, ENVELOPE, design)
        assert with_own == compose(kind, other, ENVELOPE)


def test_one_for_all_languages_and_one_for_its_own(tmp_path: Path) -> None:
    templates = read_templates(
        folder(
            tmp_path,
            change_txt="all: {{ link }}",
            change_fr_txt="français : {{ link }}",
            cancellation_subject_txt="Off:\n {{ subject }}",
        )
    )
    design = Design(templates=templates)

    def text(language: str) -> str:
        message = compose(MailKind.CHANGE, content(language=language), ENVELOPE, design)
        return str(parts(parsed(message))["text/plain"].get_content()).strip()

    assert text("en") == f"all: {LINK}"
    assert text("fr") == f"français : {LINK}"
    gone = parsed(compose(MailKind.CANCELLATION, content(), ENVELOPE, design))
    assert gone["Subject"] == "Off: Your offer"
    assert LINK not in gone.as_string()


def test_the_same_bytes_at_each_attempt() -> None:
    design = Design("#aa0011", Logo("png", PNG), read_templates(SAMPLE))
    first = compose(MailKind.INVITATION, content(), ENVELOPE, design)
    assert first == compose(MailKind.INVITATION, content(), ENVELOPE, design)
    assert first.isascii()


# What is wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("change.txt", "a\n{{ gest }} {{ link }}", "line 2: 'gest' is undefined"),
        ("change.txt", "a\n\n{% if link %}", "line 3: Unexpected end of template"),
        ("change.txt", "{{ link }}\n{{ guest|nope }}", "line 2: No filter named"),
        ("change.txt", "Hello {{ guest }}", "has no {{ link }} that stands alone"),
        ("change.txt", "<{{ link }}>", "has no {{ link }} that stands alone"),
        ("change.txt", "{% if company %}{{ link }}{% endif %}", "makes nothing"),
        ("change.txt", "{{ link }}{{ company[0].x.y }}", "line 1: "),
        ("change.txt", "{{ link }}\n{{ 1 // 0 }}", "line 2: ZeroDivisionError"),
        ("change.txt", "{{ link }}{{ ().__class__ }}", "line 1: "),
        ("change.txt", "{{ link }}{% include 'x.txt' %}", "there is no file x.txt"),
        ("change.txt", "{{ link }} {{ 'a' * 999999 }}", "makes more than"),
        ("change.txt", "{{ link }}{{ lipsum() }}", "'lipsum' is undefined"),
        ("change.html", "<p>{{ link }}</p>", 'has no <a href="{{ link }}">'),
        ("change.html", GOOD_HTML + "{{ text|safe }}", "No filter named 'safe'"),
        ("change.html", GOOD_HTML + "{{ text|urlize }}", "No filter named 'urlize'"),
        ("change.html", GOOD_HTML + "<p title={{ subject }}>", "quote every attribute"),
        (
            "change.html",
            GOOD_HTML + "{% autoescape false %}{{ text }}{% endautoescape %}",
            "lets what people type become HTML",
        ),
        (
            "change.html",
            GOOD_HTML + '<a href="{{ text }}">x</a>',
            "into a link, a style or a script",
        ),
        (
            "change.html",
            GOOD_HTML + '<p style="color:{{ subject }}">x</p>',
            "into a link, a style or a script",
        ),
        (
            "change.html",
            GOOD_HTML + "<script>var a = '{{ subject }}'</script>",
            "into a link, a style or a script",
        ),
        ("cancellation.txt", "{{ link }}", "line 1: 'link' is undefined"),
        ("change.subject.txt", "{{ company }}", "makes nothing"),
        ("change.xx.txt", "{{ link }}", "is no template: they are named as"),
        ("readme.md", "", "is no template: they are named as"),
        ("change.txt", "x" * (MAX_TEMPLATE_BYTES + 1), "is larger than 64 KiB"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, name: str, source: str, expected: str
) -> None:
    (tmp_path / name).write_text(source, encoding="utf-8")
    (problem,) = problems(tmp_path)
    assert problem.startswith(name)
    assert expected in problem


def test_a_mistake_in_what_is_included_is_said_there(tmp_path: Path) -> None:
    (tmp_path / "_end.txt").write_text("\n{{ nobody }}")
    (tmp_path / "change.txt").write_text("{{ link }}\n{% include '_end.txt' %}")
    (problem,) = problems(tmp_path)
    assert problem == "_end.txt, line 2: 'nobody' is undefined"


def test_all_problems_at_once(tmp_path: Path) -> None:
    for name in ("change.txt", "invitation.txt"):
        (tmp_path / name).write_text("no link")
    (tmp_path / "change.en.txt").write_bytes(b"\xff")
    assert len(problems(tmp_path)) == 3
    (problem,) = problems(tmp_path / "nowhere")
    assert "cannot be read" in problem


def test_one_that_fails_after_all_is_said_in_our_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Good for the samples, which have text of two lines.
    source = "{{ link }}\n{% if lines %}{{ lines[1].upper() }}{% endif %}"
    templates = MailTemplates({"change.txt": source})
    assert list(templates.problems()) == []
    mail = content(text="secret")
    message = compose(MailKind.CHANGE, mail, ENVELOPE, Design(templates=templates))
    assert message == compose(MailKind.CHANGE, mail, ENVELOPE)
    assert "template change.txt, line 2: UndefinedError" in caplog.text
    assert "secret" not in caplog.text


# Injection --------------------------------------------------------------------------

TRICKY = MailTemplates(
    {
        "invitation.html": (
            "<p title=\"{{ subject }}\" class='{{ guest }}'>{{ text }}</p>"
            "{% for line in lines %}<i>{{ line|upper|truncate(20) }}</i>{% endfor %}"
            "{% set name = host ~ company %}{{ name|replace('x', '<b>') }}"
            "{{ '%s'|format(text) }}{{ [guest, host]|join('<br>') }}"
            '<a href="{{ link }}">{{ company }}</a>'
        ),
        "invitation.txt": "{{ subject }}\n{{ text }}\n{{ link }}\n{{ guest }}",
        "invitation.subject.txt": "{{ guest }}: {{ subject }} {{ text }}",
    }
)


@settings(max_examples=120, deadline=None)
@given(contents())
def test_nothing_that_people_type_becomes_a_header_or_html(mail: MailContent) -> None:
    assert list(TRICKY.problems()) == []
    design = Design("#aa0011", Logo("png", PNG), TRICKY)
    data = compose(MailKind.INVITATION, mail, ENVELOPE, design)
    message = parsed(data)
    assert sorted(message.keys()) == sorted(EXPECTED_HEADERS)
    assert b"\n" not in data.replace(b"\r\n", b"")
    page = _Tags()
    page.feed(parts(message)["text/html"].get_content())
    assert set(page.tags) <= {"p", "i", "a"}
    assert page.attributes <= {"title", "class", "href"}
    assert page.links == [LINK]
    kinds = [part.get_content_type() for part in message.walk()]
    # No place for the logo in this one.
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "application/ics",
    ]


# Looks ------------------------------------------------------------------------------


@pytest.mark.parametrize("has_templates", [False, True])
def test_the_logo_is_in_the_mail_and_named(has_templates: bool) -> None:
    templates = read_templates(SAMPLE) if has_templates else None
    design = Design("#aa0011", Logo("png", PNG), templates)
    message = parsed(compose(MailKind.INVITATION, content(), ENVELOPE, design))
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "text/calendar",
        "application/ics",
    ]
    picture = parts(message)["image/png"]
    assert picture.get_content() == PNG
    assert picture.get_content_disposition() == "inline"
    page = parts(message)["text/html"].get_content()
    cid = picture["Content-ID"].strip("<>")
    assert re.search(rf'<img src="cid:{re.escape(cid)}" alt="Acme Corp"', page)
    assert "#aa0011" in page
    assert "#0b5cab" not in page


def test_a_colour_is_read_on_and_read_as(tmp_path: Path) -> None:
    assert (on("#0b5cab"), readable("#0b5cab")) == ("#ffffff", "#0b5cab")
    assert (on("#ffe000"), readable("#ffe000")) == ("#000000", "#0b5cab")
    page = as_html(MailKind.INVITATION, content(), LINK, Look("#ffe000"))
    assert "background:#ffe000;color:#000000" in page
    assert "<img" not in page
    assert "color:#ffe000;word" not in page
    assert LINK in as_text(MailKind.INVITATION, content(), LINK)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither PNG nor JPEG"),
        (b"GIF89a", "neither PNG nor JPEG"),
        (b"", "neither PNG nor JPEG"),
        (PNG + b"x" * MAX_LOGO_BYTES, "larger than 200 KiB"),
    ],
)
def test_pictures_that_are_refused(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "logo.png"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=expected):
        read_logo(path)


def test_pictures_that_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "logo"
    path.write_bytes(PNG)
    assert read_logo(path) == Logo("png", PNG)
    path.write_bytes(b"\xff\xd8\xff\xe0")
    assert read_logo(path).subtype == "jpeg"
    with pytest.raises(ValueError, match="cannot be read"):
        read_logo(tmp_path / "nowhere")
