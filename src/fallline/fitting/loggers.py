"""Where else a fit can be told to: TensorBoard and MLflow, each an extra that is loaded only when it is asked for."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.fitting.log import Listener
from fallline.parts import known

SHOWN = ("loss", "excess", "rate", "move", "size")


class TensorBoard:
    """Event files in the folder `tensorboard`, read by `tensorboard --logdir`; written by tensorboardX."""

    def __init__(self, folder: Path) -> None:
        self.writer = wanted("tensorboard").SummaryWriter(str(folder / "tensorboard"))

    def look(self, row: dict[str, Any]) -> None:
        for name in SHOWN:
            if name in row:
                self.writer.add_scalar(name, row[name], row["t"])

    def event(self, kind: str, **facts: Any) -> None:
        self.writer.add_text(kind, str(facts))

    def close(self) -> None:
        self.writer.close()


class MLflow:
    """A run of MLflow, in the store that its own settings name."""

    def __init__(self, folder: Path) -> None:
        self.mlflow = wanted("mlflow")
        self.run = self.mlflow.start_run(run_name=folder.name)

    def look(self, row: dict[str, Any]) -> None:
        self.mlflow.log_metrics({name: float(row[name]) for name in SHOWN if name in row}, step=int(row["t"]))

    def event(self, kind: str, **facts: Any) -> None:
        self.mlflow.set_tags({f"{kind}.{name}": str(value)[:500] for name, value in facts.items()})

    def close(self) -> None:
        self.mlflow.end_run()


LOGGERS: dict[str, Callable[[Path], Listener]] = {"tensorboard": TensorBoard, "mlflow": MLflow}
PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow"}


def refuse_loggers(names: Sequence[str]) -> None:
    """Raise InputError for a logger that there is not, or that is not installed: before the work, not after."""
    for name in names:
        wanted(known(name, LOGGERS, "logger"))


def wanted(logger: str) -> Any:
    """The package of a logger, or an InputError that says how to get it."""
    try:
        return import_module(PACKAGES[logger])
    except ImportError:
        raise InputError(
            f"{PACKAGES[logger]} is not installed: pip install 'fallline[{logger}]', or leave --log-to out."
        ) from None
