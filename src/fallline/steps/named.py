"""A step rule that another library walks, by its class's name."""

from typing import NamedTuple

from fallline.errors import InputError

SCALES = ("fan_in",)


class Optimizer(NamedTuple):
    """A class of torch.optim, or of the library of the extra `optimizers`, with its settings: for networks alone.

    name: the class's name as it is written there, such as "AdamW". settings: its keyword arguments but the rate, which the
    schedule says. scale: "fan_in" multiplies the rate of each weight matrix by √(64/fan_in) (Yang & Hu 2021 for why wide
    layers want shorter steps), "" leaves all alike.
    """

    name: str = "Adam"
    settings: tuple[tuple[str, float], ...] = ()
    scale: str = ""

    @classmethod
    def read(cls, text: str) -> "Optimizer":
        """From `Name:setting=value,…`; a value is a number, or true or false. Raises InputError for anything else."""
        name, _, rest = text.partition(":")
        scale, settings = "", []
        for setting in filter(None, rest.split(",")):
            key, equals, value = (piece.strip() for piece in setting.partition("="))
            if key == "scale" and value in SCALES:
                scale = value
                continue
            try:
                settings.append((key, TRUTH[value] if value in TRUTH else float(value)))
            except ValueError:
                raise InputError(
                    f'"{setting}" in step "{text}" is no setting: write {name}:name=number, true or false for a switch, '
                    f"scale={' or '.join(SCALES)}."
                ) from None
            if not equals:
                raise InputError(f'"{setting}" in step "{text}" is no setting: write {name}:name=value.')
        return cls(name.strip(), tuple(settings), scale)


TRUTH = {"true": True, "false": False}


def is_class(text: object) -> bool:
    """Whether a step's text names a class, as torch.optim writes them, and not a rule of fallline's."""
    return isinstance(text, str) and text.strip()[:1].isupper()
