"""SOSL and the search engine behind it.

``FIND {terms} IN PHONE FIELDS RETURNING Contact(Id WHERE … LIMIT 5), Lead LIMIT 20``
Terms are words, "phrases", wildcards (* and ?, not in front), OR, AND, AND NOT and
parentheses; words side by side must all occur. The index is behind the store by a
lag, and how it cuts up phone numbers is one setting (see ``PhoneIndexing``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.sandbox.salesforce.config import PhoneIndexing
from gateway.sandbox.salesforce.errors import RestError, malformed_search
from gateway.sandbox.salesforce.evaluate import Evaluator
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.schema import Field, SObject
from gateway.sandbox.salesforce.soql import Condition, Order, Parser, tokenise
from gateway.sandbox.salesforce.store import Store

MAX_ROWS = 2000
_MAX_FIND_LENGTH = 10_000
_MAX_DEPTH = 40
_RESERVED = set("?&|!{}[]()^~*:\\\"'+-")
_GROUPS = ("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR")
_SEARCHED_TYPES = {
    "ALL": {"string", "phone", "email", "textarea", "combobox", "url"},
    "SIDEBAR": {"string", "phone", "email"},
    "PHONE": {"phone"},
    "EMAIL": {"email"},
}
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word; ``pattern`` is what a whole token has to match."""

    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that have to stand side by side."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Combined:
    """``AND``, ``OR`` of several, ``NOT`` of one."""

    operator: str
    terms: tuple[Term, ...]


Term = Word | Phrase | Combined


@dataclass(frozen=True, slots=True)
class Returning:
    object: str
    fields: tuple[str, ...] = ()
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Search:
    term: Term
    group: str = "ALL"
    returning: tuple[Returning, ...] = ()
    limit: int = MAX_ROWS


def tokens_of(text: str) -> list[str]:
    """The words of a text in order, lower case, without punctuation."""
    return [m[0].lower() for m in _WORD.finditer(text)]


def phone_tokens(text: str, indexing: PhoneIndexing) -> set[str]:
    """What one stored phone number can be found by as a single word."""
    runs = tokens_of(text)
    found = set(runs)
    if indexing is PhoneIndexing.SUFFIXES:
        tail = ""
        for run in reversed(runs):
            tail = run + tail
            found.add(tail)
    return found


# -- reading


class _TermParser:
    """The language between the braces of FIND."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> Term:
        term = self._any(0)
        self._space()
        if self._at < len(self._text):
            raise self._bad()
        return term

    def _bad(self) -> RestError:
        rest = self._text[self._at : self._at + 1] or "<EOF>"
        return malformed_search(f"unexpected token in search term: {rest}")

    def _space(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _keyword(self, *words: str) -> bool:
        self._space()
        pattern = r"\s+".join(words) + r"(?=[\s(\"]|$)"
        found = re.compile(pattern).match(self._text, self._at)
        if found is None:
            return False
        self._at = found.end()
        return True

    def _any(self, depth: int) -> Term:
        terms = [self._every(depth)]
        while self._keyword("OR"):
            terms.append(self._every(depth))
        return terms[0] if len(terms) == 1 else Combined("OR", tuple(terms))

    def _every(self, depth: int) -> Term:
        terms = [self._one(depth)]
        while True:
            if self._keyword("AND", "NOT"):
                terms.append(Combined("NOT", (self._one(depth),)))
                continue
            if self._keyword("AND"):
                terms.append(self._one(depth))
                continue
            before = self._at
            if self._keyword("OR"):
                self._at = before
                break
            self._space()
            if self._at >= len(self._text) or self._text[self._at] == ")":
                break
            terms.append(self._one(depth))
        return terms[0] if len(terms) == 1 else Combined("AND", tuple(terms))

    def _one(self, depth: int) -> Term:
        if depth > _MAX_DEPTH:
            raise malformed_search("search term is too deeply nested")
        self._space()
        head = self._text[self._at : self._at + 1]
        if head == "(":
            self._at += 1
            inner = self._any(depth + 1)
            self._space()
            if self._text[self._at : self._at + 1] != ")":
                raise self._bad()
            self._at += 1
            return inner
        if head == '"':
            return self._phrase()
        return self._word()

    def _phrase(self) -> Term:
        self._at += 1
        letters = []
        while True:
            c = self._text[self._at : self._at + 1]
            if not c:
                raise self._bad()
            self._at += 1
            if c == '"':
                break
            if c == "\\":
                c = self._text[self._at : self._at + 1]
                self._at += 1
            letters.append(c)
        words = tuple(tokens_of("".join(letters)))
        if not words:
            raise malformed_search("search term must be longer than one character")
        return Phrase(words)

    def _word(self) -> Term:
        pattern = ""
        plain = ""
        while self._at < len(self._text):
            c = self._text[self._at]
            if c == "\\" and self._at + 1 < len(self._text):
                plain += self._text[self._at + 1]
                pattern += re.escape(self._text[self._at + 1].lower())
                self._at += 2
                continue
            if c in "*?":
                if not plain:
                    raise malformed_search("search term begins with a wildcard")
                # A greedy run of stars would only cost time.
                if not (c == "*" and pattern.endswith(".*")):
                    pattern += ".*" if c == "*" else "."
            elif c.isspace() or c in _RESERVED:
                break
            else:
                plain += c
                pattern += re.escape(c.lower())
            self._at += 1
        if not plain:
            raise self._bad()
        words = tokens_of(plain)
        if len(words) != 1 or words[0] != plain.lower():
            # Punctuation inside a word cuts it, exactly as it cuts a stored text.
            if not words:
                raise malformed_search("search term must be longer than one character")
            return Phrase(tuple(words))
        if len(plain) < 2 and "*" not in pattern:
            raise malformed_search("search term must be longer than one character")
        return Word(re.compile(pattern))


def parse_term(text: str) -> Term:
    """The term between FIND's braces.

    Raises:
        RestError: 400 MALFORMED_SEARCH.
    """
    if len(text) > _MAX_FIND_LENGTH:
        raise malformed_search("search term is too long")
    if not text.strip():
        raise malformed_search("search term must be longer than one character")
    return _TermParser(text).parse()


def parse(text: str) -> Search:
    """Read one search.

    Raises:
        RestError: 400 MALFORMED_SEARCH, MALFORMED_QUERY inside RETURNING.
    """
    head = re.compile(r"\s*FIND\s*\{", re.IGNORECASE).match(text)
    if head is None:
        raise malformed_search("unexpected token: expecting FIND {…}")
    end = head.end()
    while end < len(text) and text[end] != "}":
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise malformed_search("unexpected token: <EOF>, expecting '}'")
    term = parse_term(text[head.end() : end])
    try:
        return _parse_rest(term, Parser(tokenise(text[end + 1 :])))
    except RestError as error:
        if error.code == "MALFORMED_QUERY":
            raise malformed_search(error.message) from None
        raise


def _parse_rest(term: Term, parser: Parser) -> Search:
    group = "ALL"
    if parser.accept_word("IN"):
        group = parser.take_word(*_GROUPS)
        parser.take_word("FIELDS")
    returning = []
    if parser.accept_word("RETURNING"):
        returning.append(_parse_returning(parser))
        while parser.accept_mark(","):
            returning.append(_parse_returning(parser))
    limit = parser.limit()
    if parser.token.kind != "end":
        raise parser.unexpected()
    return Search(
        term, group, tuple(returning), MAX_ROWS if limit is None else min(limit, 2000)
    )


def _parse_returning(parser: Parser) -> Returning:
    name = parser.take("word")
    if not parser.accept_mark("("):
        return Returning(name)
    fields = [parser.take("word")]
    while parser.accept_mark(","):
        fields.append(parser.take("word"))
    clause = Returning(
        name,
        tuple(fields),
        parser.where(),
        parser.order(),
        parser.limit(),
        parser.offset(),
    )
    parser.take_mark(")")
    return clause


# -- finding


class SearchEngine:
    """Finds rows by words, once the index has caught up with them."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        lag_s: float,
        phone_indexing: PhoneIndexing,
    ) -> None:
        self._store = store
        self._clock = clock
        self.lag_s = lag_s
        self.phone_indexing = phone_indexing

    def run(
        self,
        search: Search,
        *,
        base: str,
        schema: Mapping[str, SObject] | None = None,
    ) -> list[dict[str, object]]:
        """The reply's ``searchRecords``, of what the user sees in ``schema``."""
        seen = self._store.schema if schema is None else schema
        evaluator = Evaluator(self._store, now=self._clock(), base=base, schema=schema)
        clauses = search.returning or tuple(
            Returning(o.name)
            for o in seen.values()
            if o.searchable and o.name != "User"
        )
        rows: list[dict[str, object]] = []
        for clause in clauses:
            kind = evaluator.object_of(clause.object)
            if not kind.searchable:
                raise RestError(
                    400, "INVALID_TYPE", f"entity type {kind.name} is not searchable"
                )
            found = evaluator.select(
                kind,
                self.find(search.term, kind.name, group=search.group, seen=kind),
                where=clause.where,
                order=clause.order,
                limit=clause.limit,
                offset=clause.offset,
            )
            fields: Sequence[str] = clause.fields or ("Id",)
            for field in fields:
                evaluator.check_field(kind, field)
            rows.extend(evaluator.shape(r, fields) for r in found)
        return rows[: search.limit]

    def find(
        self, term: Term, name: str, *, group: str, seen: SObject | None = None
    ) -> Iterable[Record]:
        """Indexed rows of one object that the term finds, in fields that are seen."""
        indexed_until = self._clock() - self.lag_s
        for record in self._store.records(name):
            if self.lag_s and record.changed_at > indexed_until:
                continue
            texts = self._texts(record, group, seen or record.object)
            if _matches(term, texts):
                yield record

    def _texts(
        self, record: Record, group: str, seen: SObject
    ) -> list[tuple[list[str], set[str]]]:
        texts = []
        for f in seen.fields.values():
            value = record.values.get(f.name)
            if not isinstance(value, str) or not _is_searched(seen, f, group):
                continue
            single = (
                phone_tokens(value, self.phone_indexing)
                if f.type == "phone"
                else set(tokens_of(value))
            )
            texts.append((tokens_of(value), single))
        return texts


def _is_searched(kind: SObject, f: Field, group: str) -> bool:
    if group == "NAME":
        return f.name in (kind.name_field, "FirstName", "LastName", "Company")
    return f.type in _SEARCHED_TYPES[group]


def _matches(term: Term, texts: list[tuple[list[str], set[str]]]) -> bool:
    match term:
        case Word():
            return any(
                term.pattern.fullmatch(token) for _, single in texts for token in single
            )
        case Phrase():
            size = len(term.words)
            return any(
                tuple(words[i : i + size]) == term.words
                for words, _ in texts
                for i in range(len(words) - size + 1)
            )
        case Combined(operator="OR"):
            return any(_matches(t, texts) for t in term.terms)
        case Combined(operator="NOT"):
            return not _matches(term.terms[0], texts)
        case _:
            return all(_matches(t, texts) for t in term.terms)
