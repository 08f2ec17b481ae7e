"""Timing of answers: each way on the same texts, in turn."""

import time

import numpy as np

from lmdistill.commands import answer_speed
from lmdistill.commands.answer_speed import SETTLE, WARMUP, spread_by_length, time_answers


def test_every_way_answers_the_same_texts_in_turn(monkeypatch):
    monkeypatch.setattr(answer_speed, "FEWEST", 6)
    seen = []

    def way(name, pause):
        def answer(first, second):
            seen.append((name, tuple(first), second))
            time.sleep(pause)
            return np.zeros((len(first), 2))

        return answer

    texts = [f"text {number}" for number in range(6)]
    found = time_answers({"slow": way("slow", 0.004), "fast": way("fast", 0.001)}, texts, None)
    asked = [entry for entry in seen if len(entry[1]) == 1][: 2 * (1 + SETTLE) * (WARMUP + 6)]
    assert [name for name, _, _ in asked] == [*["slow"] * (1 + SETTLE), *["fast"] * (1 + SETTLE)] * (
        WARMUP + 6
    )
    slow = [first for name, first, _ in asked if name == "slow"]
    assert slow[:: 1 + SETTLE] == slow[SETTLE :: 1 + SETTLE]  # the timed answer is to the text before it
    assert sorted(slow[SETTLE :: 1 + SETTLE][WARMUP:]) == [(one,) for one in texts]
    assert found["slow"].p50_ms >= 4
    assert 1 <= found["fast"].p50_ms <= found["fast"].p95_ms
    assert found["slow"].p50_ms > found["fast"].p50_ms
    assert 0 < found["slow"].texts_per_second <= 6 / 0.004


def test_pairs_stay_together():
    def answer(first, second):
        assert [one.upper() for one in first] == second
        return np.zeros((len(first), 1))

    time_answers({"it": answer}, ["a", "b"], ["A", "B"])


def test_texts_of_all_lengths_are_chosen():
    assert spread_by_length([3, 1, 2], 9) == [1, 2, 0]
    assert spread_by_length(range(101), 3) == [0, 50, 100]
