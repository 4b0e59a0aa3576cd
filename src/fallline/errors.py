"""What fallline raises when it cannot go on: one sentence that names the value, the place and the fix."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Something that the user gave cannot be used. The message says what, where, and what to do instead."""


class DivergedError(ArithmeticError):
    """A descent ran away. The message says how far, at which update, and which rate would have held."""


@contextmanager
def saying(where: str) -> Iterator[None]:
    """An InputError from inside says where it is; nothing is added for no place."""
    try:
        yield
    except InputError as error:
        if not where:
            raise
        said = str(error)
        raise InputError(f"{where}: {said[0].lower()}{said[1:]}") from error
