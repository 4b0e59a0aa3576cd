"""Lists and counts as they stand in a sentence."""

from collections.abc import Sequence

MOST_NAMED = 8  # a sentence with more names than this is not read


def quoted(name: object) -> str:
    """A name or value in quotes, shortened where it would bury the sentence."""
    text = str(name)
    text = text if len(text) <= 60 else text[:57] + "..."
    mark = "'" if '"' in text else '"'
    return mark + text.replace("\n", "\\n") + mark


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`, or the first few and how many more."""
    shown = list(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        return ", ".join(shown) + f" and {len(names) - MOST_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 row`, `2 rows`, `no rows`."""
    return f"{number or 'no'} {noun if number == 1 else plural or noun + 's'}"
