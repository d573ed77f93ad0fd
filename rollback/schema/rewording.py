"""What PostgreSQL itself says otherwise when it reads back a definition of its own.

A check `name IN ('a', 'b')` on a varchar is kept as (ARRAY['a'::varchar, 'b'::varchar])::text[]. Read from a
dump it becomes ARRAY[('a'::varchar)::text, ('b'::varchar)::text]. Nothing else is taken for the same: what is
within quotes, each cast and each bracket may be what makes the difference.
"""

import re
from collections.abc import Sequence

# Literals, quoted names, words and numbers, casts, and each further sign. Spaces between them say nothing.
_TOKEN = re.compile(
    r"""[Ee]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | \w+ | :: | \S""",
    re.VERBOSE | re.DOTALL,
)
_OF_A_TYPE = re.compile(r'["\w.(),]')
_DEPTH = {"(": 1, "[": 1, ")": -1, "]": -1}


def is_same(one: str, other: str) -> bool:
    return one == other or _settled(_TOKEN.findall(one)) == _settled(_TOKEN.findall(other))


def _settled(tokens: Sequence[str]) -> list[str]:
    """Each cast of a whole array as casts of its elements."""
    found: list[str] = []
    at = 0
    while at < len(tokens):
        cast = _cast_of_array(tokens, at)
        if cast is None:
            found.append(tokens[at])
            at += 1
            continue
        elements, type_, at = cast
        found += ["ARRAY", "["]
        for number, element in enumerate(elements):
            found += [*([","] if number else []), "(", *_settled(element), ")", "::", *type_]
        found.append("]")
    return found


def _cast_of_array(
    tokens: Sequence[str], at: int
) -> tuple[list[Sequence[str]], Sequence[str], int] | None:
    """`(ARRAY[…])::type[]`. :returns: its elements, the type of one, and where it goes on"""
    if list(tokens[at : at + 3]) != ["(", "ARRAY", "["]:
        return None
    closed = _closing(tokens, at + 2)
    if list(tokens[closed + 1 : closed + 3]) != [")", "::"]:
        return None
    end = begin = closed + 3
    while end < len(tokens) and _OF_A_TYPE.match(tokens[end]):
        end += 1
    if end == begin or list(tokens[end : end + 2]) != ["[", "]"]:
        return None
    return _elements(tokens[at + 3 : closed]), tokens[begin:end], end + 2


def _closing(tokens: Sequence[str], at: int) -> int:
    depth = 0
    for number in range(at, len(tokens)):
        depth += _DEPTH.get(tokens[number], 0)
        if not depth:
            return number
    return len(tokens)


def _elements(tokens: Sequence[str]) -> list[Sequence[str]]:
    found: list[list[str]] = [[]]
    depth = 0
    for one in tokens:
        depth += _DEPTH.get(one, 0)
        if one == "," and not depth:
            found.append([])
        else:
            found[-1].append(one)
    return [one for one in found if one]
