"""Numbers in sentences, wherever one is said: three digits, with their unit."""

import math
import re

LEAST, MOST = 1e-6, 1e4  # shares beyond which no figure is said
POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None) -> str:
    """Three digits: 0.0123, 12.3, 1,230, 4.56·10⁻⁷."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if -5 < power < 6:
        text = f"{value:,.{max(0, 2 - power)}f}" if power < 3 else f"{round(value, 2 - power):,.0f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        digits = f"{value / 10.0**power:.2f}".rstrip("0").rstrip(".")
        text = f"{digits}·10{str(power).translate(POWERS)}"
    return text.replace("-", "−")


def percent(share: float | None) -> str:
    """A share as per cent, three digits and no power of ten: 12.3 %, 0.045 %, less than 0.0001 %, more than 1,000,000 %."""
    if share is None or math.isnan(share):
        return "–"
    if 0 < abs(share) < LEAST:
        return f"less than {number(100 * LEAST)} %"
    if share > MOST:
        return f"more than {100 * MOST:,.0f} %"
    return f"{number(100 * share)} %"


def seconds(value: float | None) -> str:
    """A duration: 12.3 ms, 1.23 s, 2 min 3 s."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0 s"
    if value < 1e-3:
        return f"{number(value * 1e6)} µs"
    if value < 1:
        return f"{number(value * 1e3)} ms"
    if value < 120:
        return f"{number(value)} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def count(value: float | None) -> str:
    """A count in full: 12,300."""
    return "–" if value is None or not math.isfinite(value) else f"{round(value):,}"


def times(value: float, one: str, many: str) -> str:
    """A number with its noun: 1 pass, 3.1 passes."""
    text = number(value)
    return f"{text} {one if text == '1' else many}"


def passes(value: float) -> str:
    """Passes over the rows."""
    return times(value, "pass", "passes")


def loss_name(name: str) -> str:
    """A loss in words, whether it is called squared_error or SquaredError."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).lower()


def listed(parts: list[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
