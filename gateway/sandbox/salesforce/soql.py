"""A small SOQL: text in, a query out, or MALFORMED_QUERY.

Covered: SELECT of fields, of parent fields (``Account.Name``), COUNT() and
FIELDS(ALL|STANDARD|CUSTOM); WHERE with = != <> < <= > >= LIKE IN NOT IN, AND, OR,
NOT and parentheses; date literals; ORDER BY with NULLS FIRST/LAST; LIMIT; OFFSET.
AND and OR side by side without parentheses are refused, as Salesforce does.
Subqueries, aggregates other than COUNT() and GROUP BY are refused too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.sandbox.salesforce.errors import RestError, malformed_query

MAX_QUERY_LENGTH = 100_000
_MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""\s+
    | (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<stamp>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<mark><=|>=|!=|<>|[=<>(),:])
    """,
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_RELATIVE = ("LAST_N_DAYS", "NEXT_N_DAYS", "N_DAYS_AGO")
_DAYS = ("TODAY", "YESTERDAY", "TOMORROW", "THIS_WEEK", "LAST_WEEK")


@dataclass(frozen=True, slots=True)
class Token:
    """A lexeme: ``kind`` is string, stamp, number, word, mark or end."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class DateLiteral:
    """``TODAY`` or ``LAST_N_DAYS:2``: a range of whole days in UTC."""

    name: str
    days: int = 0


@dataclass(frozen=True, slots=True)
class Stamp:
    """A date or time of day written out."""

    text: str


Literal = str | int | float | bool | None | DateLiteral | Stamp


@dataclass(frozen=True, slots=True)
class Comparison:
    """``field operator value``; ``operator`` in upper case, ``IN`` has many values."""

    field: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Logical:
    """``AND``, ``OR`` of two or more, ``NOT`` of one."""

    operator: str
    terms: tuple[Condition, ...]


Condition = Comparison | Logical


@dataclass(frozen=True, slots=True)
class Order:
    field: str
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. ``counts`` is ``SELECT COUNT()``; limit None means none."""

    fields: tuple[str, ...]
    object: str
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    counts: bool = False
    field_set: str = ""


def unescape(text: str) -> str:
    """The value of a quoted string, its quotes already gone."""
    return re.sub(
        r"\\(.)", lambda m: _ESCAPES.get(m[1].lower(), m[1]), text, flags=re.DOTALL
    )


def tokenise(text: str) -> list[Token]:
    """All tokens and one of kind ``end``.

    Raises:
        RestError: a character that can begin nothing.
    """
    tokens = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise malformed_query(
                f"line 1:{at} no viable alternative at character '{text[at]}'"
            )
        if found.lastgroup:
            tokens.append(Token(found.lastgroup, found[found.lastgroup], at))
        at = found.end()
    tokens.append(Token("end", "<EOF>", len(text)))
    return tokens


class Parser:
    """Recursive descent over one list of tokens; SOSL borrows its clauses."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    def unexpected(self) -> RestError:
        return malformed_query(f"unexpected token: '{self.token.text}'")

    def is_word(self, *words: str) -> bool:
        return self.token.kind == "word" and self.token.text.upper() in words

    def is_mark(self, mark: str) -> bool:
        return self.token.kind == "mark" and self.token.text == mark

    def take(self, kind: str) -> str:
        if self.token.kind != kind:
            raise self.unexpected()
        text = self.token.text
        self._at += 1
        return text

    def take_word(self, *words: str) -> str:
        if not self.is_word(*words):
            raise self.unexpected()
        return self.take("word").upper()

    def take_mark(self, mark: str) -> None:
        if not self.is_mark(mark):
            raise self.unexpected()
        self._at += 1

    def accept_word(self, word: str) -> bool:
        if self.is_word(word):
            self._at += 1
            return True
        return False

    def accept_mark(self, mark: str) -> bool:
        if self.is_mark(mark):
            self._at += 1
            return True
        return False

    def count(self) -> int:
        """A whole number that is not negative."""
        text = self.take("number")
        if not text.isdigit():
            raise malformed_query(f"unexpected token: '{text}'")
        return min(int(text[:9]), 50_000_000)

    # -- clauses

    def where(self) -> Condition | None:
        return self._condition(0) if self.accept_word("WHERE") else None

    def order(self) -> tuple[Order, ...]:
        if not self.accept_word("ORDER"):
            return ()
        self.take_word("BY")
        orders = [self._one_order()]
        while self.accept_mark(","):
            orders.append(self._one_order())
        return tuple(orders)

    def limit(self) -> int | None:
        return self.count() if self.accept_word("LIMIT") else None

    def offset(self) -> int:
        return self.count() if self.accept_word("OFFSET") else 0

    def _one_order(self) -> Order:
        name = self.take("word")
        descending = False
        if self.is_word("ASC", "DESC"):
            descending = self.take_word("ASC", "DESC") == "DESC"
        nulls_last = descending
        if self.accept_word("NULLS"):
            nulls_last = self.take_word("FIRST", "LAST") == "LAST"
        return Order(name, descending, nulls_last)

    def _condition(self, depth: int) -> Condition:
        terms = [self._term(depth)]
        joined = ""
        while self.is_word("AND", "OR"):
            word = self.take_word("AND", "OR")
            if joined and word != joined:
                raise malformed_query(f"unexpected token: {word}")
            joined = word
            terms.append(self._term(depth))
        return Logical(joined, tuple(terms)) if joined else terms[0]

    def _term(self, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise malformed_query("The query is too deeply nested")
        if self.accept_word("NOT"):
            return Logical("NOT", (self._term(depth + 1),))
        if self.accept_mark("("):
            inner = self._condition(depth + 1)
            self.take_mark(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        name = self.take("word")
        if self.token.kind == "mark" and self.token.text in (
            *("=", "!=", "<>"),
            *("<", "<=", ">", ">="),
        ):
            operator = self.take("mark")
            return Comparison(
                name, "!=" if operator == "<>" else operator, (self._literal(),)
            )
        if self.accept_word("LIKE"):
            return Comparison(name, "LIKE", (self._literal(),))
        negated = self.accept_word("NOT")
        self.take_word("IN")
        self.take_mark("(")
        values = [self._literal()]
        while self.accept_mark(","):
            values.append(self._literal())
        self.take_mark(")")
        return Comparison(name, "NOT IN" if negated else "IN", tuple(values))

    def _literal(self) -> Literal:
        match self.token.kind:
            case "string":
                return unescape(self.take("string")[1:-1])
            case "stamp":
                return Stamp(self.take("stamp"))
            case "number":
                text = self.take("number")
                return float(text) if "." in text or len(text) > 18 else int(text)
            case "word":
                return self._named_literal()
            case _:
                raise self.unexpected()

    def _named_literal(self) -> Literal:
        word = self.token.text.upper()
        match word:
            case "TRUE" | "FALSE":
                self._at += 1
                return word == "TRUE"
            case "NULL":
                self._at += 1
                return None
            case _:
                pass
        if word in _DAYS:
            self._at += 1
            return DateLiteral(word)
        if word in _RELATIVE:
            self._at += 1
            self.take_mark(":")
            return DateLiteral(word, min(self.count(), 100_000))
        raise self.unexpected()


def parse(text: str) -> Query:
    """Read one query.

    Raises:
        RestError: 400 MALFORMED_QUERY.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise RestError(400, "QUERY_TOO_COMPLICATED", "the query is too long")
    parser = Parser(tokenise(text))
    parser.take_word("SELECT")
    counts, field_set, fields = _selection(parser)
    parser.take_word("FROM")
    name = parser.take("word")
    where = parser.where()
    order = parser.order()
    limit = parser.limit()
    offset = parser.offset()
    if parser.token.kind != "end":
        raise parser.unexpected()
    if field_set and (limit is None or limit > 200):
        raise malformed_query(
            "The SOQL FIELDS function must have a LIMIT of at most 200"
        )
    return Query(fields, name, where, order, limit, offset, counts, field_set)


def _selection(parser: Parser) -> tuple[bool, str, tuple[str, ...]]:
    fields: list[str] = []
    field_set = ""
    while True:
        name = parser.take("word")
        if parser.accept_mark("("):
            if name.upper() == "COUNT" and not fields:
                parser.take_mark(")")
                return True, "", ()
            if name.upper() != "FIELDS":
                raise parser.unexpected()
            field_set = parser.take_word("ALL", "STANDARD", "CUSTOM")
            parser.take_mark(")")
        elif name.lower() in (f.lower() for f in fields):
            raise malformed_query(f"duplicate field selected: {name}")
        else:
            fields.append(name)
        if not parser.accept_mark(","):
            return False, field_set, tuple(fields)
