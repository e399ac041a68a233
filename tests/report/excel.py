"""A reckoner for the few things that the sheet's formulas do, written apart from the product."""

from __future__ import annotations

import re
from typing import Any

TOKEN = re.compile(r'\s*("(?:[^"]|"")*"|[A-Z]+(?=\()|\$?[A-Z]+\$?\d+|\d+\.?\d*|<=|>=|[-+*/(),<>=])')


class Reckoner:
    """Values of a worksheet's cells; a formula is reckoned when it is asked for."""

    def __init__(self, sheet: Any) -> None:
        self.sheet = sheet
        self.changed: dict[str, Any] = {}

    def __getitem__(self, cell: str) -> Any:
        value = self.changed.get(cell, self.sheet[cell].value)
        if isinstance(value, str) and value.startswith("=") and self.sheet[cell].data_type == "f":
            return _Parser(TOKEN.findall(value[1:]), self).whole()
        return value


class _Parser:
    """Recursive descent: comparison, sum, product, factor. IF reckons only the branch it takes."""

    def __init__(self, tokens: list[str], cells: Reckoner) -> None:
        self.tokens, self.cells, self.at = tokens, cells, 0

    def whole(self) -> Any:
        value = self.comparison()
        assert self.at == len(self.tokens), self.tokens[self.at :]
        return value()

    def next(self, *wanted: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at] in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def comparison(self) -> Any:
        left = self.sum()
        if sign := self.next("=", ">", "<", ">=", "<="):
            right = self.sum()
            compare = {
                "=": lambda a, b: a == b,
                ">": lambda a, b: a > b,
                "<": lambda a, b: a < b,
                ">=": lambda a, b: a >= b,
                "<=": lambda a, b: a <= b,
            }[sign]
            return lambda: compare(left(), right())
        return left

    def sum(self) -> Any:
        value = self.product()
        while sign := self.next("+", "-"):
            value = _joined(sign, value, self.product())
        return value

    def product(self) -> Any:
        value = self.factor()
        while sign := self.next("*", "/"):
            value = _joined(sign, value, self.factor())
        return value

    def factor(self) -> Any:
        token = self.tokens[self.at]
        self.at += 1
        if token == "(":
            value = self.comparison()
            assert self.next(")")
            return value
        if token.startswith('"'):
            return lambda: token[1:-1].replace('""', '"')
        if token[0].isdigit():
            return lambda: float(token)
        if token in ("IF", "COUNT", "MIN", "AND"):
            return self.function(token)
        cell = token.replace("$", "")
        return lambda: self.cells[cell]

    def function(self, name: str) -> Any:
        assert self.next("(")
        arguments = [self.comparison()]
        while self.next(","):
            arguments.append(self.comparison())
        assert self.next(")")
        if name == "IF":
            test, yes, no = arguments
            return lambda: yes() if test() else no()
        if name == "AND":
            return lambda: all(bool(one()) for one in arguments)
        if name == "MIN":
            return lambda: min(one() for one in arguments)
        return lambda: sum(isinstance(one(), int | float) for one in arguments)


def _joined(sign: str, left: Any, right: Any) -> Any:
    join = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
    }[sign]
    return lambda: join(left(), right())
