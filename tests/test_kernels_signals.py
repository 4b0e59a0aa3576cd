"""Ctrl-C while a kernel is compiled: it is compiled whole, then the signal is answered."""

import signal
import threading

import pytest

from fallline.kernels.bridge import Cache, compiled
from fallline.kernels.signals import ENDING


def interrupted(number):
    """A kernel that is sent this signal in the middle of its compilation, as the cache is asked."""

    def triple(x):
        return 3 * x

    kernel = compiled(triple)

    class Cut(Cache):
        def load_overload(self, sig, target_context):
            signal.raise_signal(number)

        def save_overload(self, sig, data):
            """Nothing is kept."""

    kernel._cache = Cut(triple)
    return kernel


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_waits_until_a_kernel_is_compiled(number):
    def hear(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(number, hear)
    try:
        kernel = interrupted(number)
        with pytest.raises(KeyboardInterrupt):
            kernel(2)
        assert len(kernel.signatures) == 1
        assert signal.getsignal(number) is hear
        assert kernel(2) == 6
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored_and_threads_compile_as_ever():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        kernel = interrupted(signal.SIGINT)
        assert kernel(2) == 6
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        found = []
        other = threading.Thread(target=lambda: found.append(interrupted(signal.SIGINT)(2)))
        other.start()
        other.join()
        assert found == [6]
    finally:
        signal.signal(signal.SIGINT, before)
