import functools
import operator
import time

import numpy as np
import pytest
import torch
from torch import nn

from lmdistill.core.batch import Inputs, Outputs
from lmdistill.core.errors import ConfigError, DataError, MismatchError, RunError
from lmdistill.evaluation.efficiency import latencies, latency, speedup
from lmdistill.evaluation.process_memory import disk_bytes, peak_memory_mb, peak_memory_of
from lmdistill.evaluation.timing import FEWEST_RUNS, is_precise
from lmdistill.records.schema import Latency


class Sleeper(nn.Module):
    """Takes its time, and notes its name in a shared diary."""

    num_layers, num_classes, width, labels = 1, 2, 4, ("no", "yes")

    def __init__(self, name="net", diary=None, seconds=0.0):
        super().__init__()
        self.name, self.diary, self.seconds = name, [] if diary is None else diary, seconds

    def forward(self, inputs, *, hidden=False):
        self.diary.append((self.name, self.training, torch.is_grad_enabled(), tuple(inputs.ids.shape)))
        time.sleep(self.seconds)
        return Outputs(logits=torch.zeros(len(inputs.ids), 2))


def _inputs(batch=2, tokens=5):
    return Inputs(
        ids=torch.zeros(batch, tokens, dtype=torch.long), mask=torch.ones(batch, tokens, dtype=torch.long)
    )


def _latency(**changes):
    fields = {
        "p50_ms": 8.0,
        "p95_ms": 9.0,
        "num_runs": 9,
        "batch_size": 1,
        "tokens": 16,
        "device": "cpu",
        "threads": 2,
    }
    return Latency(**(fields | changes))


def test_runs_of_several_networks_alternate_and_warm_up_is_not_counted():
    diary = []
    nets = {name: Sleeper(name, diary) for name in "abc"}
    taken = latencies(nets, _inputs(), runs=3, warmup=2)
    assert [entry[0] for entry in diary] == list("abc" * 5)
    assert [taken[name].num_runs for name in "abc"] == [3, 3, 3]
    assert list(taken) == list("abc")


def test_networks_are_timed_without_dropout_and_gradients_and_restored():
    net = Sleeper()
    latency(net, _inputs(), runs=1, warmup=0)
    assert net.diary == [("net", False, False, (2, 5))]
    assert net.training


def test_the_time_asleep_is_measured_in_milliseconds_of_one_pass():
    taken = latencies({"slow": Sleeper(seconds=0.02), "fast": Sleeper()}, _inputs(), runs=5, warmup=0)
    assert 20 <= taken["slow"].p50_ms < 500
    assert taken["slow"].p50_ms <= taken["slow"].p95_ms
    assert taken["fast"].p50_ms < taken["slow"].p50_ms
    assert speedup(taken["slow"], taken["fast"]) > 1


def test_percentiles_are_of_the_timed_runs(monkeypatch):
    clock = iter(number for took in [9, *(run**2 for run in range(1, 101))] for number in (0.0, took / 1000))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    taken = latency(Sleeper(), _inputs(), runs=100, warmup=1)
    assert taken.p50_ms == pytest.approx((50**2 + 51**2) / 2)
    assert taken.p95_ms == pytest.approx(95**2 + 0.05 * (96**2 - 95**2))  # linear, at 0.95 * 99


def _times(monkeypatch, *, spread):
    """Passes that take 10 ms, and every other one `spread` more."""
    clock = (number for run in range(1000) for number in (0.0, 0.01 * (1 + spread * (run % 2))))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))


def test_steady_networks_are_timed_ten_times_and_unsteady_ones_as_often_as_allowed(monkeypatch):
    _times(monkeypatch, spread=0.0)
    assert latencies({"net": Sleeper()}, _inputs(), runs=30, precision=0.02)["net"].num_runs == FEWEST_RUNS
    _times(monkeypatch, spread=0.5)
    assert latencies({"net": Sleeper()}, _inputs(), runs=30, precision=0.02)["net"].num_runs == 30
    _times(monkeypatch, spread=0.0)
    assert latencies({"net": Sleeper()}, _inputs(), runs=30)["net"].num_runs == 30
    _times(monkeypatch, spread=0.0)
    assert latencies({"net": Sleeper()}, _inputs(), runs=4, precision=0.02)["net"].num_runs == 4


def test_the_interval_of_a_median_holds_it_in_about_95_of_100_samples():
    """So that timing does not stop on luck: `is_precise` is true where the interval is narrow enough."""
    random = np.random.default_rng(0)
    stopped = [times for times in random.lognormal(0.0, 0.05, (2000, 20)).tolist() if is_precise(times, 0.03)]
    close = [abs(np.median(times) - 1) <= 0.03 for times in stopped]
    assert 200 < len(stopped) < 1900
    assert np.mean(close) >= 0.93


def test_the_conditions_are_recorded():
    taken = latency(Sleeper(), _inputs(3, 7), runs=2, warmup=0)
    assert (taken.num_runs, taken.batch_size, taken.tokens, taken.device) == (2, 3, 7, "cpu")
    assert taken.threads == torch.get_num_threads()


def test_each_network_can_have_inputs_of_its_own_tokenizer():
    nets = {"teacher": Sleeper(), "student": Sleeper()}
    taken = latencies(nets, {"teacher": _inputs(2, 9), "student": _inputs(2, 4)}, runs=1, warmup=0)
    assert (taken["teacher"].tokens, taken["student"].tokens) == (9, 4)
    with pytest.raises(MismatchError, match="there are inputs for teacher and none for student"):
        latencies(nets, {"teacher": _inputs()}, runs=1, warmup=0)


@pytest.mark.parametrize(("runs", "warmup"), [(0, 1), (1, -1)])
def test_counts_out_of_range_are_refused(runs, warmup):
    with pytest.raises(ConfigError, match=f"runs >= 1 and warmup >= 0, got {runs} and {warmup}"):
        latency(Sleeper(), _inputs(), runs=runs, warmup=warmup)


def test_speedup_is_the_ratio_of_the_medians_and_above_one_for_a_faster_student():
    assert speedup(_latency(p50_ms=8.0), _latency(p50_ms=2.0, p95_ms=80.0, tokens=12)) == 4.0


@pytest.mark.parametrize(("condition", "value"), [("batch_size", 16), ("device", "H100"), ("threads", 1)])
def test_latencies_under_different_conditions_are_not_compared(condition, value):
    theirs = getattr(_latency(), condition)
    with pytest.raises(MismatchError, match=f"timed with {condition} {theirs} and the student with {value}"):
        speedup(_latency(), _latency(**{condition: value}))


def test_a_fresh_process_counts_its_own_memory_and_not_that_of_this_one():
    block = b"x" * 900_000_000
    idle_mb = peak_memory_of(functools.partial(int, 1))
    busy_mb = peak_memory_of(functools.partial(operator.mul, b"x", 300_000_000))
    assert peak_memory_mb() > len(block) / 1e6
    assert 5 < idle_mb < 850  # Python alone: the work needs no torch
    assert busy_mb - idle_mb == pytest.approx(300, abs=60)


def test_work_that_fails_in_the_fresh_process_is_reported():
    with pytest.raises(RunError, match="ended with code 1 and no result"):
        peak_memory_of(functools.partial(int, "no number"))


def test_the_size_on_disk_counts_files_in_all_folders(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.bin").write_bytes(b"x" * 1000)
    (tmp_path / "deep" / "b.bin").write_bytes(b"x" * 234)
    assert disk_bytes(tmp_path) == 1234


def test_the_size_of_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="gone is not a folder"):
        disk_bytes(tmp_path / "gone")
