"""What fitted estimators show: their walk as a picture, and as a page."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from fallline.trace import Trace


class Shown:
    """A fitted estimator: it has `trace_`, a trace or one a class, and `reason_`."""

    trace_: Trace | list[Trace]
    reason_: str
    classes_: Any
    n_features_in_: int
    get_params: Any

    def plot(self, **options: Any) -> Any:
        """The loss curve of the fit as a Plotly figure; one curve a class of one-vs-rest."""
        from fallline.figures import plot_traces

        return plot_traces({name: [trace] for name, trace in self._named_traces()}, **options)

    def report(self, path: Path | str) -> Path:
        """Write the fit's curves of loss and excess, reason and settings to one HTML file that opens without a network."""
        from fallline import __version__
        from fallline.report import write_report

        traces = []
        for name, trace in self._named_traces():
            traces.append(trace.copy())
            traces[-1].about |= {"name": name or type(self).__name__, "variant": "automatic", "seed": 0}
        settings = ", ".join(f"{name} = {value!r}" for name, value in self.get_params(deep=False).items())
        summary: dict[str, Any] = {
            "fallline": __version__,
            "verdict": {
                "headline": f"{type(self).__name__}: {self.reason_}.",
                "sentences": [f"Fitted with {settings}."],
            },
            "data": {"n": traces[0].n, "d": self.n_features_in_},
        }
        if len(traces) == 1:
            summary["loss"] = traces[0].last("loss")
            summary["excess"] = traces[0].last("excess") if "excess" in traces[0].columns else None
        return write_report(summary, traces, (), path)

    def _named_traces(self) -> Iterator[tuple[str, Trace]]:
        check_is_fitted(self)
        if isinstance(self.trace_, Trace):
            yield "", self.trace_
        else:
            yield from zip(map(str, self.classes_), self.trace_, strict=True)
