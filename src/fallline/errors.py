"""What fallline raises when it cannot go on: one sentence that names the value, the place and the fix."""


class InputError(ValueError):
    """Something that the user gave cannot be used. The message says what, where, and what to do instead."""


class DivergedError(ArithmeticError):
    """A descent ran away. The message says how far, at which update, and which rate would have held."""
