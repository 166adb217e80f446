"""Small words for building Python's syntax tree; the compiler's output is written with them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final, TypeVar

from actors.basic.nodes import Span

__all__ = [
    "FILE_PREFIX",
    "attribute",
    "call",
    "constant",
    "either",
    "invoke",
    "is_simple",
    "line_of",
    "load",
    "mapping",
    "placed",
    "same_type",
    "store",
    "ticked",
    "tuple_of",
    "walrus",
]

N = TypeVar("N", bound=ast.AST)

FILE_PREFIX: Final = "basic:"
"""Begins the file name of compiled scripts; the name of the script follows."""


def placed(node: N, at: Span) -> N:
    """*node* at that place of the script; what is inside and has no place of its own takes it over."""
    node.lineno = at.line  # type: ignore[attr-defined]
    node.col_offset = at.column - 1  # type: ignore[attr-defined]
    node.end_lineno = at.line  # type: ignore[attr-defined]
    node.end_col_offset = at.column - 1 + at.length  # type: ignore[attr-defined]
    return node


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def constant(value: object) -> ast.Constant:
    return ast.Constant(value)  # type: ignore[arg-type]


def store(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value)


def walrus(name: str, value: ast.expr) -> ast.expr:
    return ast.NamedExpr(ast.Name(name, ast.Store()), value)


def call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(load(function), list(arguments), [])


def attribute(subject: str, name: str) -> ast.expr:
    return ast.Attribute(load(subject), name, ast.Load())


def invoke(subject: str, method: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(attribute(subject, method), list(arguments), [])


def either(test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.expr:
    return ast.IfExp(test, then, otherwise)


def same_type(value: ast.expr, kind: str) -> ast.expr:
    """``type(value) is kind``."""
    return ast.Compare(call("type", value), [ast.Is()], [load(kind)])


def tuple_of(items: Sequence[ast.expr]) -> ast.expr:
    return ast.Tuple(list(items), ast.Load())


def mapping(pairs: Sequence[tuple[str, ast.expr]]) -> ast.expr:
    return ast.Dict([constant(name) for name, _ in pairs], [value for _, value in pairs])


def ticked(at: Span, clock: ast.expr) -> ast.stmt:
    """The steps of *clock* are counted; past the last one an error is raised. (A loop is faster than a call.)"""
    return placed(ast.For(ast.Name("_", ast.Store()), placed(clock, at), [ast.Break()], []), at)


def is_simple(node: ast.expr) -> bool:
    """Whether evaluating *node* twice costs and changes nothing."""
    return isinstance(node, ast.Name | ast.Constant)


def line_of(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))
