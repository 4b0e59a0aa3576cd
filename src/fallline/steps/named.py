"""Step rules that another library walks, by their class's name, and how such names are written."""

from typing import Any, NamedTuple

from fallline.errors import InputError

SCALES = ("", "fan_in")
HIGH = {
    **dict.fromkeys(
        ("Adadelta", "AdaDelta", "AdamG", "DAdaptAdaGrad", "DAdaptAdam", "DAdaptAdan", "DAdaptLion", "DAdaptSGD"), 1.0
    ),
    **dict.fromkeys(("LBFGS", "Prodigy", "ScheduleFreeSGD"), 1.0),
    **dict.fromkeys(("AvaGrad", "PAdam", "SM3", "SPlus", "VSGD"), 0.1),
    "AdaGO": 0.05,
    **dict.fromkeys(("AdaMuon", "Alice", "MuonClip", "NorMuon"), 0.02),
}
"""The rates that classes have themselves, where these are above 0.01: those whose step is a share of what they find."""
TRUTH = {"true": True, "false": False}


class Optimizer(NamedTuple):
    """A class of torch.optim, or of the library of the extra `optimizers`, with its settings: for networks alone.

    name: the class's name as it is written there, such as "AdamW". settings: its keyword arguments but the rate, which the
    schedule says. scale: "fan_in" multiplies the rate of each weight matrix by √(64/fan_in) (Yang & Hu 2021 for why wide
    layers want shorter steps), "" leaves all alike.
    """

    name: str = "Adam"
    settings: tuple[tuple[str, Any], ...] = ()
    scale: str = ""

    @classmethod
    def read(cls, text: str) -> "Optimizer":
        """From `Name:setting=value,…` (see `class_in`). Raises InputError for what is not written so."""
        name, settings = class_in(text, "step")
        scale = str(settings.pop("scale", ""))
        if scale not in SCALES:
            raise InputError(f'scale={scale} in step "{text}" cannot be: there is {SCALES[1]}, or nothing.')
        return cls(name, tuple(settings.items()), scale)


def rate_of(step: object, usual: float) -> float:
    """The rate of a step rule that is given none: what is usual, or its class's own where that is higher."""
    name = step.name if isinstance(step, Optimizer) else str(step).partition(":")[0].strip()
    return HIGH.get(name, usual)


def is_class(text: object) -> bool:
    """Whether a part's text names a class, as torch writes them, and not a part of fallline's."""
    return isinstance(text, str) and text.strip()[:1].isupper()


def class_in(text: str, kind: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings in `Name:setting=value,…`.

    A value is a number, true or false, a word, or several of these with / between them: `betas=0.9/0.95`. Raises InputError for a
    setting without a value.
    """
    name, _, rest = text.partition(":")
    settings = {}
    for setting in filter(None, rest.split(",")):
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        if not equals:
            raise InputError(f'"{setting}" in {kind} "{text}" is no setting: write {name}:name=value.')
        settings[key] = _read(value)
    return name.strip(), settings


def _read(value: str) -> Any:
    if value in TRUTH:
        return TRUTH[value]
    if "/" in value:
        return tuple(_read(each) for each in value.split("/"))
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
