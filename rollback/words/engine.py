from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from django.template import Engine, NodeList, Template
from django.template.base import FilterExpression, Node, VariableNode
from django.template.defaulttags import IfNode


class LetterEngine(Engine):
    """Finds no files and knows no tags but those of `tags`: whoever may edit a letter can reach nothing
    through it but the strings that are given to it."""

    default_builtins = ["rollback.words.tags"]


# As text, and with what a variable brings escaped for HTML.
PLAIN = LetterEngine(autoescape=False)
MARKUP = LetterEngine(autoescape=True)


# A letter to ten thousand people is read once.
@lru_cache(maxsize=200)
def compiled(text: str, *, markup: bool = False) -> Template:
    """:raises django.template.TemplateSyntaxError:"""
    return (MARKUP if markup else PLAIN).from_string(text)


def shown(template: Template) -> Iterator[tuple[str, frozenset[str]]]:
    """Each variable that is written out, with those that an `{% if %}` around it has asked for."""
    yield from _shown(template.nodelist, frozenset())


def _shown(nodes: NodeList, asked: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for node in nodes:
        if isinstance(node, VariableNode):
            for name in _names(node.filter_expression):
                yield name, asked
        elif isinstance(node, IfNode):
            for condition, inner in node.conditions_nodelists:
                yield from _shown(inner, asked | frozenset(conditions(condition)))


def asked(template: Template) -> Iterator[str]:
    """Each variable that an `{% if %}` asks for."""
    for node in _all(template.nodelist):
        if isinstance(node, IfNode):
            for condition, _inner in node.conditions_nodelists:
                yield from conditions(condition)


def _all(nodes: NodeList) -> Iterator[Node]:
    found: list[Node] = nodes.get_nodes_by_type(Node)
    yield from found


def conditions(condition: Any) -> Iterator[str]:
    """Of what `{% if %}` was given: a name, or names with and, or, not, == between them."""
    if condition is None:
        return
    value = getattr(condition, "value", None)
    if isinstance(value, FilterExpression):
        yield from _names(value)
        return
    for part in (getattr(condition, "first", None), getattr(condition, "second", None)):
        yield from conditions(part)


def _names(expression: FilterExpression) -> Iterator[str]:
    """The name as it was written, `a.b` included; nothing for a word in quotes."""
    lookups = getattr(expression.var, "lookups", None)
    if lookups:
        yield ".".join(lookups)
