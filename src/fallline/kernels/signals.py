"""Ctrl-C while kernels are compiled waits until they are: LLVM hangs or crashes where an exception cuts through its work."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM)


def uncut(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, whose end the signals that end a program wait for."""

    @wraps(work)
    def whole(*arguments: Any, **options: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():  # Python answers signals in the main one alone
            return work(*arguments, **options)
        with ExitStack() as stack:
            for number in ENDING:
                stack.enter_context(waiting(number))
            return work(*arguments, **options)

    return whole


@contextmanager
def waiting(number: int) -> Iterator[None]:
    """Whoever answers this signal in Python does so at the end."""
    answer = signal.getsignal(number)
    if not callable(answer):  # the system's own answer raises nothing
        yield
        return
    heard: list[int] = []
    signal.signal(number, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(number, answer)
        if heard:
            signal.raise_signal(number)
