"""Validation rules: a row for which the error condition holds is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.sandbox.salesforce.customisation import ValidationRule
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.evaluate import Evaluator
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.schema import SObject
from gateway.sandbox.salesforce.soql import Condition, Parser, tokenise
from gateway.sandbox.salesforce.store import Store
from gateway.sandbox.salesforce.values import Value


def parse_condition(text: str) -> Condition:
    """What follows WHERE.

    Raises:
        ValueError: it is no condition.
    """
    try:
        parser = Parser(tokenise("WHERE " + text))
        condition = parser.where()
    except RestError as error:
        raise ValueError(f"no condition: {error.message}") from None
    if condition is None or parser.token.kind != "end":
        raise ValueError(f"no condition: {text}")
    return condition


class Validations:
    """The rules of one org.

    Args:
        clock: epoch seconds, that date literals count from.

    Raises:
        ValueError: a rule names no object, or is no condition.
    """

    def __init__(
        self,
        store: Store,
        rules: tuple[ValidationRule, ...],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._rules = [
            (rule, parse_condition(rule.error_when)) for rule in rules if rule.is_active
        ]
        for rule, condition in self._rules:
            try:
                kind = store.object_named(rule.object)
                self._evaluator().check_condition(kind, condition)
                if rule.field:
                    self._evaluator().check_field(kind, rule.field)
            except RestError as error:
                raise ValueError(f"{rule.name}: {error.message}") from None

    def check(self, kind: SObject, values: Mapping[str, Value]) -> None:
        """Refuse the row as it would be.

        Raises:
            RestError: 400 FIELD_CUSTOM_VALIDATION_EXCEPTION, of the first rule.
        """
        row = Record(kind, {"Id": None, **values}, self._clock())
        for rule, condition in self._rules:
            if rule.object.lower() != kind.name.lower():
                continue
            if self._evaluator().passes(row, condition):
                raise RestError(
                    400,
                    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                    rule.message,
                    fields=[rule.field] if rule.field else [],
                    names_fields=True,
                )

    def _evaluator(self) -> Evaluator:
        return Evaluator(self._store, now=self._clock(), base="")
