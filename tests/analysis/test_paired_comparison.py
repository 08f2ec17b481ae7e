"""The test against the baseline: what it says of runs, and how often it errs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lmdistill.analysis.jackknife import HEADLINE_METRICS, contributions
from lmdistill.analysis.paired_comparison import ComparisonStats, compare_rows, judged, paired
from lmdistill.records.predictions import PREDICTIONS, Prediction, read_predictions, write_predictions
from lmdistill.records.record import RecordedRun
from tests.report.factory import answers, make_record, plain_record, write_run

COMPARISONS = 1000
SCATTER = 4.36
"""Of the difficulty of examples against the noise of an answer: two seeds then differ in 6 % of answers."""


def judge(
    ours: list[RecordedRun], theirs: list[RecordedRun] | None, teacher: float | None = None
) -> ComparisonStats:
    """The evidence, with every file read."""
    known = {run.path: judged(run) for run in [*ours, *(theirs or [])]}
    return compare_rows(ours, theirs, known, teacher=teacher)


def p_value(ours: list[RecordedRun], theirs: list[RecordedRun]) -> float | None:
    return judge(ours, theirs).p_value


def accuracies(draw: np.random.Generator, seeds: int, points: float, effect: float = 0.0) -> np.ndarray:
    """Whether 872 answers of two methods are right, at 86 %, (2, s, n).

    Examples are easy or hard for all, a little more so for one method; seeds are `points` apart.
    """
    scale = np.sqrt(SCATTER**2 + 1.25)
    point = scale / stats.norm.pdf(stats.norm.ppf(0.86)) / 100  # of accuracy, on the scale of the scores
    difficulty = stats.norm.ppf(0.86) * scale + SCATTER * draw.normal(size=872)
    taste, shift = 0.5 * draw.normal(size=(2, 1, 872)), points * point * draw.normal(size=(2, seeds, 1))
    scores = difficulty + taste + shift + draw.normal(size=(2, seeds, 872))
    scores[0] += effect * point
    return (scores > 0).astype(float)


def share_found(sides: Callable[[np.random.Generator], np.ndarray], times: int, metric: str) -> float:
    """How many of so many comparisons come out significant at 5 %."""
    draw = np.random.default_rng(0)
    values = [paired(metric, *sides(draw)).p_value for _ in range(times)]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    return sum(value is not None and value <= 0.05 for value in values) / times


@pytest.mark.parametrize(("size", "rate"), [(277, 0.012), (872, 0.004), (872, 0.06)])
def test_intervals_hold_where_few_answers_differ(size: int, rate: float) -> None:
    # without the half an example on each side, 14, 12 and 5 of 100 miss what they should hold
    draw, missed = np.random.default_rng(0), 0
    for _ in range(COMPARISONS):
        differ, up = draw.random(size) < rate, draw.random(size) < 0.75
        ours, theirs = (np.where(differ, side, True).astype(float)[None] for side in (up, ~up))
        found = paired("accuracy", ours, theirs).difference
        assert found is not None
        missed += not found.low <= rate * 0.5 <= found.high
    assert missed <= 0.065 * COMPARISONS


def test_the_interval_of_an_accuracy_has_zero_in_it_where_the_exact_test_says_so() -> None:
    ours, theirs = np.ones((1, 872)), np.ones((1, 872))
    theirs[0, :5] = 0  # five answers, all one way: p = 2 / 32
    found = paired("accuracy", ours, theirs)
    assert found.p_value == pytest.approx(0.0625)
    assert found.difference is not None
    assert found.difference.low <= 0 < 5 / 872 < found.difference.high
    theirs[0, :6] = 0  # p = 2 / 64
    found = paired("accuracy", ours, theirs)
    assert found.difference is not None
    assert found.difference.low > 0


@pytest.mark.parametrize(("seeds", "points"), [(1, 0.0), (3, 0.5), (3, 1.0)], ids=lambda value: str(value))
def test_of_a_thousand_equal_methods_five_percent_come_out_significant(seeds: int, points: float) -> None:
    # the binomial error of 1,000 comparisons at 5 % is 0.7 %; a test over examples alone has 13 % and 25 %
    # where seeds differ
    assert share_found(lambda draw: accuracies(draw, seeds, points), COMPARISONS, "accuracy") <= 0.075


def test_examples_alone_call_equal_methods_different_where_seeds_differ() -> None:
    draw = np.random.default_rng(0)
    found = [paired("accuracy", *accuracies(draw, 3, 1.0)).p_runs for _ in range(300)]
    assert np.mean([value is not None and value <= 0.05 for value in found]) > 0.15


def test_a_real_difference_is_found() -> None:
    assert share_found(lambda draw: accuracies(draw, 1, 0.0, effect=2.5), 200, "accuracy") > 0.75
    assert share_found(lambda draw: accuracies(draw, 3, 0.5, effect=4.0), 200, "accuracy") > 0.75


def passages(draw: np.random.Generator) -> np.ndarray:
    """Nats a token of two equal methods on 40 passages, three seeds that differ, as contributions."""
    counts = draw.integers(50, 250, size=40).astype(float)
    nats = 2.0 + 0.3 * draw.normal(size=40) + 0.03 * draw.normal(size=(2, 3, 1))
    sums = counts * (nats + 0.04 * draw.normal(size=(2, 3, 40)))
    return np.array(
        [[contributions(HEADLINE_METRICS["nats"], counts, seed) for seed in side] for side in sums]
    )


def classes(metric: str, draw: np.random.Generator) -> np.ndarray:
    """A metric of classes of two equal methods on 300 examples, three seeds that differ."""
    labels = (draw.random(300) < 0.4).astype(float)
    signal = 2 * labels - 1 + draw.normal(size=300)
    scores = signal + 0.1 * draw.normal(size=(2, 3, 1)) + 0.5 * draw.normal(size=(2, 3, 300))
    told = (scores > 0).astype(float)
    return np.array(
        [[contributions(HEADLINE_METRICS[metric], labels, seed) for seed in side] for side in told]
    )


def scores(metric: str, draw: np.random.Generator) -> np.ndarray:
    """A correlation of two equal methods on 30 examples, one seed."""
    labels = draw.normal(size=30)
    told = labels + 0.7 * draw.normal(size=30) + 0.5 * draw.normal(size=(2, 1, 30))
    return np.array(
        [[contributions(HEADLINE_METRICS[metric], labels, seed) for seed in side] for side in told]
    )


@pytest.mark.parametrize("metric", ["nats", "f1", "matthews", "pearson", "spearman"])
def test_other_metrics_err_as_seldom(metric: str) -> None:
    ways: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
        "nats": passages,
        "f1": lambda draw: classes("f1", draw),
        "matthews": lambda draw: classes("matthews", draw),
        "pearson": lambda draw: scores("pearson", draw),
        "spearman": lambda draw: scores("spearman", draw),
    }
    # the binomial error of 80 comparisons is 2.4 %
    assert share_found(ways[metric], 80, metric) <= 0.125


def test_one_seed_is_not_below_either_test_of_scipy() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        ours, theirs = accuracies(draw, 1, 0.0)
        better, worse = int((ours > theirs).sum()), int((ours < theirs).sum())
        expected = max(
            stats.binomtest(better, better + worse, 0.5).pvalue, stats.ttest_rel(ours[0], theirs[0]).pvalue
        )
        found = paired("accuracy", ours, theirs)
        assert found.p_value == found.p_runs == pytest.approx(expected, rel=1e-9)


def test_the_test_does_not_care_who_is_the_baseline_nor_for_the_order_of_examples() -> None:
    draw = np.random.default_rng(1)
    ours, theirs = accuracies(draw, 3, 0.5)
    order = draw.permutation(872)
    found = paired("accuracy", ours, theirs)
    assert paired("accuracy", theirs, ours).p_value == pytest.approx(found.p_value, rel=1e-9)
    assert paired("accuracy", ours[:, order], theirs[:, order]).p_value == pytest.approx(
        found.p_value, rel=1e-9
    )


def test_rows_are_aligned_by_example_and_not_by_line(tmp_path: Path) -> None:
    # ours is right on examples 0 to 6, theirs on 0 and 1: five better, none worse, p = 2 / 2^5
    ours = write_run(tmp_path, make_record("KD"), right=[True] * 7 + [False], num_steps=1)
    theirs = write_run(tmp_path, make_record("FT"), right=[True] * 2 + [False] * 6, num_steps=1)
    assert p_value([ours], [theirs]) == pytest.approx(2 / 32)
    lines = (theirs.path / PREDICTIONS).read_text(encoding="utf-8").splitlines(keepends=True)
    (theirs.path / PREDICTIONS).write_text("".join(reversed(lines)), encoding="utf-8")
    assert p_value([ours], [theirs]) == pytest.approx(2 / 32)


def test_seeds_are_paired_by_number(tmp_path: Path) -> None:
    def runs(name: str, seeds: list[int], hits: int) -> list[RecordedRun]:
        right = [True] * hits + [False] * (8 - hits)
        return [write_run(tmp_path, make_record(name, seed), right=right, num_steps=1) for seed in seeds]

    ours, theirs = runs("KD", [1, 2, 4], 8), [*runs("FT", [0], 8), *runs("FT", [1, 3], 2)]
    found = judge(ours, theirs)
    assert (found.seeds, found.p_value) == (1, pytest.approx(2 / 64))
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.75)
    assert p_value(ours[1:], theirs) is None


def test_the_order_of_runs_does_not_matter(tmp_path: Path) -> None:
    # two seeds that move together, two examples apart in both
    hits = {("KD", 0): 20, ("KD", 1): 30, ("FT", 0): 18, ("FT", 1): 28}
    runs = {
        key: write_run(tmp_path, make_record(*key), right=[i < many for i in range(40)], num_steps=1)
        for key, many in hits.items()
    }
    ours, theirs = [runs["KD", 0], runs["KD", 1]], [runs["FT", 1], runs["FT", 0]]
    found = judge(ours, theirs)
    assert found == judge(ours[::-1], theirs) == judge(ours, theirs[::-1])
    assert found.difference is not None
    # each seed has the same difference, so what is left is that over examples: 4 of 40 have 1/2
    assert found.difference.error == pytest.approx(np.std([0.5] * 4 + [0] * 36, ddof=1) / np.sqrt(40))


def test_other_examples_or_none_cannot_be_tested(tmp_path: Path) -> None:
    ours = write_run(tmp_path, make_record("KD"), right=[True] * 8, num_steps=1)
    theirs = write_run(tmp_path, make_record("FT"), right=[True] * 7, num_steps=1)
    assert p_value([ours], [theirs]) is None
    (theirs.path / PREDICTIONS).unlink()
    assert p_value([ours], [theirs]) is None
    assert p_value([theirs], [ours]) is None


def test_a_logit_that_is_no_number_cannot_be_tested(tmp_path: Path) -> None:
    runs = [write_run(tmp_path, make_record(name), right=[True] * 8, num_steps=1) for name in ("KD", "FT")]
    rows = [
        Prediction(example=i, split="dev", label=1, student=(0.0, np.nan if i == 3 else 1.0))
        for i in range(8)
    ]
    write_predictions(runs[0].path / PREDICTIONS, rows)
    assert judged(runs[0]) is None
    assert p_value([runs[0]], [runs[1]]) is None


def test_shares_count_the_teachers_own_answers(tmp_path: Path) -> None:
    # 200 examples: the teacher is right on all, the student on the first 180, the baseline on the first 140
    ours = write_run(tmp_path, make_record("KD"), right=[i < 180 for i in range(200)], num_steps=1)
    theirs = write_run(tmp_path, make_record("FT"), right=[i < 140 for i in range(200)], num_steps=1)
    found = judge([ours], [theirs], teacher=0.123)  # not asked, since its answers are there
    assert found.kept is not None
    assert found.kept.value == pytest.approx(0.9)
    # the teacher does not scatter: the interval is that of an accuracy of 0.9, t(199) * sqrt(.9 * .1 / 199)
    reach = stats.t.ppf(0.975, 199) * np.sqrt(0.09 / 199)
    assert (found.kept.low, found.kept.high) == pytest.approx((0.9 - reach, 0.9 + reach), rel=1e-6)
    assert found.closed is not None
    assert found.closed.value == pytest.approx(40 / 60)
    assert found.closed.low < 40 / 60 < found.closed.high


def test_the_baseline_itself_has_a_share_and_no_difference(tmp_path: Path) -> None:
    run = write_run(tmp_path, make_record("FT"), num_steps=1)
    found = judge([run], None)
    assert found.kept is not None
    assert (found.difference, found.p_value, found.closed, found.seeds) == (None, None, None, 0)


def test_nats_close_the_gap_downwards_and_take_the_teacher_as_exact(tmp_path: Path) -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}
    draw = np.random.default_rng(0)
    counts = draw.integers(50, 250, size=80)
    runs = []
    for name, nats in (("KD", 2.0), ("SFT", 2.5)):
        record = make_record(name, task=task, metrics={"dev": {"nats": nats}})
        runs.append(write_run(tmp_path, record, num_steps=1))
        sums = counts * (nats + 0.1 * draw.normal(size=80))
        rows = [
            Prediction(example=i, split="dev", label=float(counts[i]), student=(float(sums[i]),))
            for i in range(80)
        ]
        write_predictions(runs[-1].path / PREDICTIONS, rows)
    found = judge([runs[0]], [runs[1]], teacher=1.5)
    assert found.kept is None
    assert found.difference is not None
    assert found.difference.value == pytest.approx(-0.5, abs=0.05)
    assert found.closed is not None
    assert 0.4 < found.closed.low < found.closed.value < found.closed.high < 0.6
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_scores_are_tested_by_the_headline_metric(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    labels = draw.normal(size=100)
    task = plain_record()["task"] | {"kind": "regression", "labels": [], "metrics": ["spearman"]}
    runs = []
    for name, noise in (("KD", 0.1), ("FT", 3.0)):
        told = labels + noise * draw.normal(size=100)
        found = float(stats.spearmanr(labels, told)[0])
        record = make_record(name, task=task, metrics={"dev": {"spearman": found}})
        runs.append(write_run(tmp_path, record, num_steps=1))
        rows = [
            Prediction(example=i, split="dev", label=float(label), student=(float(score),))
            for i, (label, score) in enumerate(zip(labels, told, strict=True))
        ]
        write_predictions(runs[-1].path / PREDICTIONS, rows)
    evidence = judge([runs[0]], [runs[1]])
    assert evidence.p_value is not None
    assert evidence.p_value < 0.01
    assert evidence.difference is not None
    expected = [run.record.metrics["dev"]["spearman"] for run in runs]
    assert evidence.difference.value == pytest.approx(expected[0] - expected[1], rel=1e-9)
    assert p_value([runs[0]], [runs[0]]) == 1.0


def test_only_the_headline_split_is_tested_and_all_splits_tell_the_examples_apart(tmp_path: Path) -> None:
    # of eight matched examples ours has seven right and theirs two; of the others both have none
    sizes = {"rows": {"train": 10, "dev_matched": 8, "dev_mismatched": 8}}
    scores = {"dev_matched": {"accuracy": 0.5}, "dev_mismatched": {"accuracy": 0.0}}
    runs = []
    for name, hits in (("KD", 7), ("FT", 2)):
        record = make_record(name, task=plain_record()["task"] | sizes, metrics=scores)
        runs.append(RecordedRun(path=tmp_path / name, record=record))
        runs[-1].path.mkdir()
        matched, others = answers([i < hits for i in range(8)]), answers([False] * 8)
        rows = [replace(one, split="dev_matched") for one in matched]
        rows += [replace(one, split="dev_mismatched") for one in others]
        write_predictions(runs[-1].path / PREDICTIONS, rows)
    found = judge([runs[0]], [runs[1]])
    assert found.difference is not None
    assert found.difference.value == pytest.approx(5 / 8)
    write_predictions(runs[1].path / PREDICTIONS, [*rows[:-1], replace(rows[-1], label=0)])
    assert judge([runs[0]], [runs[1]]).difference is None


def test_a_teacher_is_taken_as_exact_where_one_seed_lacks_its_answers(tmp_path: Path) -> None:
    # students are right on 180 of 200, and the teacher whose answers one seed kept on all
    right = [i < 180 for i in range(200)]
    runs = [write_run(tmp_path, make_record("KD", seed), right=right, num_steps=1) for seed in (0, 1)]
    kept = judge(runs, None, teacher=0.95).kept
    assert kept is not None
    assert kept.value == pytest.approx(0.9)
    file = runs[1].path / PREDICTIONS
    write_predictions(file, [replace(one, teacher=None) for one in read_predictions(file)])
    kept = judge(runs, None, teacher=0.95).kept
    assert kept is not None
    assert kept.value == pytest.approx(0.9 / 0.95)
