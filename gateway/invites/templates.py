"""A company's own words for its mails: Jinja2 templates in a folder.

``invitation.en.html`` is the HTML of an invitation in English, ``invitation.html``
that of every language without one of its own; ``.txt`` is the plain text,
``.subject.txt`` the subject. What there is no file for is said in our own words. Files
that begin with ``_`` are for ``{% extends %}`` and ``{% include %}``.

The environment is a sandbox, escapes in HTML, and knows no way around that. Each
template is tried with samples when it is read, so that a mistake is found before a mail
is due.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jinja2 import (
    FunctionLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gateway.invites.model import MailContent, MailKind
from gateway.invites.moments import when
from gateway.invites.text import one_line
from gateway.invites.words import LANGUAGES

logger = logging.getLogger(__name__)

MAX_FILES = 100
MAX_TEMPLATE_BYTES = 64 * 1024
MAX_RENDERED_CHARS = 256 * 1024
MAX_SUBJECT_CHARS = 200

HTML, TEXT, SUBJECT = "html", "txt", "subject.txt"
_NAME = re.compile(
    rf"(?P<kind>{'|'.join(MailKind)})(\.(?P<language>{'|'.join(sorted(LANGUAGES))}))?"
    rf"\.(?P<part>{HTML}|{TEXT}|{re.escape(SUBJECT)})"
)
# What would let typed text be markup, or the same mail differ from one try to the next.
_NO_FILTERS = ("safe", "urlize", "xmlattr", "striptags", "random", "pprint")
_NO_GLOBALS = ("lipsum",)

_LINK = "https://calls.example/join/0123456789abcdefghijklmnopqrstuv"
# Breaks out of text, of a quoted and of an unquoted attribute, and is told from others.
_NASTY = 'Zq9<b title="a">&amp;\' onx=1'
_HARMLESS = re.sub(r"[^\w ]", "x", _NASTY)
_TYPED = ("guest_name", "host_name", "company", "subject", "text")


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """``line`` counts from 1, 0 where it is the whole file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f", line {self.line}" if self.line else ""
        return f"{self.file}{place}: {self.message}"


class TemplatesUnusable(ValueError):
    """With every problem that was found; a ValueError for the configuration's sake."""

    def __init__(self, problems: list[TemplateProblem]) -> None:
        super().__init__("\n    ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Look:
    """``accent``: a colour as ``#0b5cab``; ``logo``: the address of the picture inside
    the mail, "" without one."""

    accent: str
    logo: str = ""


class MailTemplates:
    """The templates of a folder, good ones; see :func:`read_templates`."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = dict(sources)
        self._environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(self._source),
            # Whatever is not plainly text.
            autoescape=lambda name: not (name or "").endswith(".txt"),
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        for name in _NO_FILTERS:
            self._environment.filters.pop(name, None)
        for name in _NO_GLOBALS:
            self._environment.globals.pop(name, None)

    def _source(self, name: str) -> tuple[str, str, None] | None:
        # With its name as a file's, so that errors can tell the line.
        source = self._sources.get(name)
        return None if source is None else (source, name, None)

    def name_for(self, kind: MailKind, language: str, part: str) -> str | None:
        for name in (f"{kind}.{language}.{part}", f"{kind}.{part}"):
            if name in self._sources:
                return name
        return None

    def render(
        self, kind: MailKind, content: MailContent, part: str, *, link: str, look: Look
    ) -> str | None:
        """None where there is no such template, or it fails after all: a mail in our
        words is better than none."""
        name = self.name_for(kind, content.language, part)
        if name is None:
            return None
        try:
            return self.rendered(name, values_of(kind, content, link, look))
        except Exception as error:
            # Whatever a template can do wrong; what was typed is not for the log.
            logger.error(
                "template %s, line %d: %s",
                name,
                self._line(error),
                type(error).__name__,
            )
            return None

    def rendered(self, name: str, values: Mapping[str, Any]) -> str:
        """Raises whatever a template can raise."""
        parts: list[str] = []
        length = 0
        for part in self._environment.get_template(name).generate(values):
            length += len(part)
            if length > MAX_RENDERED_CHARS:
                raise ValueError(f"makes more than {MAX_RENDERED_CHARS} characters")
            parts.append(part)
        text = "".join(parts)
        if not name.endswith(SUBJECT):
            return text
        return one_line(text)[:MAX_SUBJECT_CHARS]

    # Checks -------------------------------------------------------------------------

    def problems(self) -> Iterator[TemplateProblem]:
        """What is wrong with each template, by trying it."""
        for name in sorted(self._sources):
            if name.startswith("_"):
                continue
            try:
                yield from self._problems_of(name)
            except TemplateSyntaxError as error:
                yield TemplateProblem(
                    error.name or name, error.lineno, error.message or "is no template"
                )
            except TemplateNotFound as error:
                yield self._problem(name, error, f"there is no file {error.name}")
            except TemplateError as error:
                yield self._problem(name, error, error.message or "")
            except Exception as error:
                # A template is a program: whatever it raises is its own mistake.
                yield self._problem(name, error, f"{type(error).__name__}: {error}")

    def _problem(self, name: str, error: Exception, message: str) -> TemplateProblem:
        file, line = self._place(error)
        return TemplateProblem(file or name, line, message or type(error).__name__)

    def _problems_of(self, name: str) -> Iterator[TemplateProblem]:
        match = _NAME.fullmatch(name)
        assert match is not None
        kind, part = MailKind(match["kind"]), match["part"]
        languages = [match["language"]] if match["language"] else sorted(LANGUAGES)
        for content, look in _samples(languages):
            text = self.rendered(name, values_of(kind, content, _LINK, look))
            problem = ""
            if not text.strip():
                problem = "makes nothing"
            elif kind is not MailKind.CANCELLATION and part == TEXT:
                if not re.search(rf"(?<!\S){re.escape(_LINK)}(?!\S)", text):
                    problem = "has no {{ link }} that stands alone"
            elif part == HTML:
                problem = self._html_problem(name, kind, content, look, text)
            if problem:
                yield TemplateProblem(name, 0, problem)
                return

    def _html_problem(
        self, name: str, kind: MailKind, content: MailContent, look: Look, text: str
    ) -> str:
        page = _outline(text)
        if kind is not MailKind.CANCELLATION and _LINK not in page.links:
            return 'has no <a href="{{ link }}">'
        changes: dict[str, Any] = {
            field: getattr(content, field).replace(_HARMLESS, _NASTY)
            for field in _TYPED
        }
        nasty = replace(content, **changes)
        values = values_of(kind, nasty, _LINK, look)
        tried = _outline(self.rendered(name, values))
        if tried.tags != page.tags:
            return "lets what people type become HTML; quote every attribute"
        if tried.has_typed_code:
            return "puts what people type into a link, a style or a script"
        return ""

    def _place(self, error: BaseException) -> tuple[str, int]:
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename in self._sources:
                return frame.filename, frame.lineno or 0
        return "", 0

    def _line(self, error: BaseException) -> int:
        return self._place(error)[1]


def read_templates(folder: Path) -> MailTemplates:
    """The templates of a folder, each tried out.

    Raises:
        TemplatesUnusable: what is wrong with them.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    except OSError as error:
        raise _unusable("", f"cannot be read: {error.strerror}") from None
    if len(paths) > MAX_FILES:
        raise _unusable("", f"are more than {MAX_FILES}")
    sources: dict[str, str] = {}
    problems: list[TemplateProblem] = []
    for path in paths:
        name = path.name
        if not _NAME.fullmatch(name) and not name.startswith("_"):
            problems.append(
                TemplateProblem(
                    name, 0, "is no template: they are named as invitation.en.html"
                )
            )
            continue
        try:
            data = path.read_bytes()
            if len(data) > MAX_TEMPLATE_BYTES:
                raise ValueError("is larger than 64 KiB")
            sources[name] = data.decode("utf-8")
        except UnicodeDecodeError:
            problems.append(TemplateProblem(name, 0, "is not UTF-8 text"))
        except (OSError, ValueError) as error:
            problems.append(TemplateProblem(name, 0, str(error)))
    templates = MailTemplates(sources)
    problems += templates.problems()
    if problems:
        raise TemplatesUnusable(problems)
    return templates


def values_of(
    kind: MailKind, content: MailContent, link: str, look: Look
) -> dict[str, Any]:
    """What templates know. A cancellation has no link: it leads nowhere any more."""
    values = {
        "guest": content.guest_name,
        "host": content.host_name,
        "host_email": content.host_email,
        "company": content.company,
        "subject": content.subject,
        "text": content.text,
        "lines": content.text.split("\n") if content.text else [],
        "when": when(content),
        "minutes_early": content.opens_before_s // 60,
        "language": content.language,
        "accent": look.accent,
        "logo": look.logo,
    }
    if kind is not MailKind.CANCELLATION:
        values["link"] = link
    return values


def _samples(languages: list[str]) -> Iterator[tuple[MailContent, Look]]:
    """Everything there, and all that may be missing missing."""
    for language in languages:
        full = MailContent(
            guest_name=f"Ana {_HARMLESS}",
            guest_email="ana@customer.example",
            host_name=f"Robin {_HARMLESS}",
            host_email="robin@acme.example",
            company=f"Acme {_HARMLESS}",
            subject=f"Your offer {_HARMLESS}",
            text=f"See you there. {_HARMLESS}\nBring it. {_HARMLESS}",
            starts_at=1_796_137_200.0,
            ends_at=1_796_139_000.0,
            opens_before_s=600,
            time_zone="Europe/Berlin",
            language=language,
            sequence=0,
        )
        yield full, Look("#0b5cab", "cid:logo@calls.example")
        bare = replace(full, host_email="", company="", text="", opens_before_s=0)
        yield bare, Look("#0b5cab")


def _unusable(file: str, message: str) -> TemplatesUnusable:
    return TemplatesUnusable([TemplateProblem(file or "the templates", 0, message)])


class _Outline(HTMLParser):
    """Tags with their attributes' names, links, and whether typed text is code."""

    _CODE = frozenset(
        {"href", "src", "srcset", "style", "action", "formaction", "background"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.links: set[str] = set()
        self.has_typed_code = False
        self._in_code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self._in_code += tag in ("script", "style")
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.add(value or "")
            is_code = name in self._CODE or name.startswith("on")
            self.has_typed_code |= is_code and "Zq9" in (value or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_code -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        self.has_typed_code |= self._in_code > 0 and "Zq9" in data

    def handle_comment(self, data: str) -> None:
        # Outlook reads conditional comments.
        self.has_typed_code |= "Zq9" in data


def _outline(html: str) -> _Outline:
    outline = _Outline()
    outline.feed(html)
    outline.close()
    return outline
