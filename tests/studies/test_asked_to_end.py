"""Who is asked to end looks at it between two steps, so that no lock is left held by an interrupt."""

import os
import signal
import time

import pytest

from lmdistill.studies import runner


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_collected_and_the_handler_of_before_is_back_afterwards(sign):
    outer = signal.signal(sign, signal.SIG_DFL)  # a suite in the background may ignore some
    try:
        with runner._asked_to_end() as asked:
            os.kill(os.getpid(), sign)
            limit = time.monotonic() + 10
            while not asked and time.monotonic() < limit:  # a busy machine delivers it late
                time.sleep(0.01)
            assert asked == [sign]
        assert signal.getsignal(sign) == signal.SIG_DFL
    finally:
        signal.signal(sign, outer)


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with runner._asked_to_end() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
            assert asked == []
    finally:
        signal.signal(signal.SIGHUP, before)
