"""What PostgreSQL itself says otherwise when it reads back a definition of its own.

A check `name IN ('a', 'b')` on a varchar is kept as (ARRAY['a'::varchar, 'b'::varchar])::text[]. Read from
a dump it becomes ARRAY[('a'::varchar)::text, ('b'::varchar)::text]. A chain of OR is kept as pairs within
pairs, and read back as one: ((a OR b) OR c) becomes (a OR b OR c); so is one of AND. Nothing else is taken
for the same: what is within quotes, each cast and each further bracket may be what makes the difference.
"""

import re
from collections.abc import Iterator, Sequence

# Literals, quoted names, words and numbers, casts, and each further sign. Spaces between them say nothing.
_TOKEN = re.compile(
    r"""[Ee]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | \w+ | :: | \S""",
    re.VERBOSE | re.DOTALL,
)
_OF_A_TYPE = re.compile(r'["\w.(),]')
_DEPTH = {"(": 1, "[": 1, ")": -1, "]": -1}


Tree = list["str | Tree"]


def is_same(one: str, other: str) -> bool:
    return one == other or _read(one) == _read(other)


def _read(definition: str) -> Tree:
    return _chained(_tree(iter(_settled(_TOKEN.findall(definition)))))


def _tree(tokens: Iterator[str]) -> Tree:
    """What is in round brackets is a branch."""
    found: Tree = []
    for one in tokens:
        if one == ")":
            break
        found.append(_tree(tokens) if one == "(" else one)
    return found


def _chained(tree: Tree) -> Tree:
    """Operands that are chains of the same AND or OR are links of this one."""
    parts: Tree = [_chained(one) if isinstance(one, list) else one for one in tree]
    if (word := _chain(parts)) is None:
        return parts
    found: Tree = []
    for number, one in enumerate(parts):
        alone = (
            parts[max(number - 1, 0) : number + 2].count(word) == (0 < number < len(parts) - 1) + 1
        )
        if isinstance(one, list) and alone and _chain(one) == word:
            found += one
        else:
            found.append(one)
    return found


def _chain(tree: Tree) -> str | None:
    """AND or OR, if it is all that connects; None also for both, or neither."""
    words = [word for word in ("AND", "OR") if word in tree]
    return words[0] if len(words) == 1 else None


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
