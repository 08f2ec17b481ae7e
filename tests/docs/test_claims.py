"""Verdicts are made from records: they flip with them, and a claim that means nothing is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from docs.build import paths
from docs.build.claim_verdicts import AGREES, DISAGREES, MISSING, PAPERS, UNSURE, claims, lines, verdicts
from docs.build.claims_schema import read_claims
from lmdistill.analysis.significance import holm
from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.records.predictions import PREDICTIONS, Prediction, write_predictions
from tests.docs.fake_claims import CLAIM, ask, runs
from tests.record_files import edited_record
from tests.report.factory import (
    calibration,
    exhaustive_schedule,
    latency,
    make_record,
    network,
    plain_record,
    schedule,
    write_run,
)
from tests.report.studies import cell


def test_a_verdict_flips_with_the_records(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.55)
    worse = CLAIM | {"expect": "worse"}
    assert [verdict for verdict, _ in ask(repository, CLAIM, worse)] == [AGREES, DISAGREES]
    runs(repository, tmkd=0.55, kd=0.95)
    assert [verdict for verdict, _ in ask(repository, CLAIM, worse)] == [DISAGREES, AGREES]


def test_each_setting_has_a_line_and_pairs_do_not_cross_them(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.55, task="rte")
    runs(repository, tmkd=0.55, kd=0.95, task="sst2")
    cell(repository / "results" / "study", "TMKD", 0.9, task="mrpc")  # without KD
    found = ask(repository, CLAIM)
    assert [(verdict, text.split(",")[0]) for verdict, text in found] == [
        (AGREES, "TMKD against KD: rte"),
        (DISAGREES, "TMKD against KD: sst2"),
    ]
    assert "(study)" in found[0][1]


def test_a_bar_in_a_claim_does_not_part_its_cell(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.55)
    ask(repository, CLAIM | {"says": "TMKD | better"})
    head, _, line = claims("mixkd").splitlines()
    assert line.count("|") == head.count("|")
    assert "TMKD &#124; better" in line
    assert "| +40.00 [+" in line
    assert verdicts(None).splitlines()[2:] == [
        "| MixKD | 1 | 0 | 0 | 0 |",
        "| ATKD | 0 | 0 | 0 | 0 |",
        "| MiniDisc | 0 | 0 | 0 | 0 |",
    ]


def test_all_findings_of_a_paper_are_corrected_together_and_what_is_asked_twice_counts_once(
    repository: Path,
) -> None:
    runs(repository, tmkd=0.9, kd=0.86, task="rte")
    runs(repository, tmkd=0.9, kd=0.84, task="sst2")
    ask(repository, CLAIM, CLAIM | {"expect": "worse"})
    found = lines("mixkd")
    alone = [line.finding.p_value for line in found]
    assert len(set(alone)) == 2
    assert [line.p_holm for line in found] == holm(alone[:2]) * 2 != alone


def test_one_seed_and_equal_rows_cannot_be_told(repository: Path) -> None:
    runs(repository, tmkd=0.95, kd=0.55, seeds=1)
    assert [verdict for verdict, _ in ask(repository, CLAIM)] == [UNSURE]
    runs(repository, tmkd=0.8, kd=0.8, seeds=2)
    assert [verdict for verdict, _ in ask(repository, CLAIM)] == [UNSURE]


def test_what_was_not_run_is_not_measured_yet(repository: Path) -> None:
    later = CLAIM | {"within": ["later"]}
    assert ask(repository, later) == [(MISSING, "TMKD in results/later")]
    cell(repository / "results" / "later", "TMKD", 0.8)
    assert ask(repository, later) == [(MISSING, "KD in results/later")]
    cell(repository / "results" / "later", "KD", 0.8, task="rte")
    assert ask(repository, later)[0][1].startswith("a setting with both")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"within": ["study2"]}, "folder of claim 0 .* 'study2'. Did you mean 'study'"),
        ({"pairs": [[{"row": "TMDK"}, {"row": "KD"}]]}, "row of study of claim 0 .* 'TMDK'. Did you mean 'TMKD'"),
        ({"where": {"layer": 3}}, "facet of claim 0 .* 'layer'"),
        ({"score": "rouge"}, "score of claim 0 .* 'rouge'"),
        ({"sure": "certain"}, "tag of claim 0 .* 'certain'"),
        ({"expect": "alike"}, "has no margin"),
        ({"expects": "better"}, r"claims.yaml is wrong at claims.0.comparison.expects: Extra inputs"),
        ({"kind": "guess"}, "claims.yaml is wrong at claims.0"),
    ],
)  # fmt: skip
def test_a_claim_that_means_nothing_is_refused(repository: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        ask(repository, CLAIM | change)


def test_a_claim_that_means_two_rows_is_refused(repository: Path) -> None:
    runs(repository, tmkd=0.8, kd=0.8, seeds=1)
    cell(repository / "results" / "study", "KD", 0.8, temperature=4.0)
    with pytest.raises(ConfigError, match=r"means one row, and .* are 2"):
        ask(repository, CLAIM)
    with pytest.raises(ConfigError, match=r"means one row, and .* are 2"):
        ask(repository, CLAIM | {"pairs": [[{"row": "KD"}, {"row": "TMKD"}]]})
    one = CLAIM | {"pairs": [[{"row": "TMKD"}, {"row": "KD", "where": {"method.temperature": 4.0}}]]}
    assert len(ask(repository, one)) == 1


def test_settings_that_make_no_difference_are_flat(repository: Path) -> None:
    flat = {**CLAIM, "kind": "flat", "row": "MixKD", "chosen": {"method.ratio": 1}, "margin": 0.1}
    flat = {key: value for key, value in flat.items() if key not in ("pairs", "expect")}
    for ratio, seed in ((1, 0), (1, 1), (2, 0), (2, 1)):
        cell(repository / "results" / "study", "MixKD", 0.9, seed=seed, ratio=ratio)
    ((verdict, setting),) = ask(repository, flat)
    assert (verdict, setting.split(":")[0]) == (AGREES, "2 settings")
    for seed in range(2):
        cell(repository / "results" / "study", "MixKD", 0.4, seed=seed, ratio=2)
    assert [one for one, _ in ask(repository, flat)] == [DISAGREES]


def test_one_setting_far_from_the_chosen_one_is_enough_beside_others_that_are_close(repository: Path) -> None:
    flat = {**CLAIM, "kind": "flat", "row": "MixKD", "chosen": {"method.ratio": 1}, "margin": 0.1}
    flat = {key: value for key, value in flat.items() if key not in ("pairs", "expect")}
    for ratio, score in ((1, 0.9), (2, 0.9), (3, 0.4)):
        for seed in range(2):
            cell(repository / "results" / "study", "MixKD", score, seed=seed, ratio=ratio)
    assert [one for one, _ in ask(repository, flat)] == [DISAGREES]


def test_settings_without_a_common_seed_are_not_measured_yet(repository: Path) -> None:
    flat = {**CLAIM, "kind": "flat", "row": "MixKD", "chosen": {"method.ratio": 1}, "margin": 0.1}
    flat = {key: value for key, value in flat.items() if key not in ("pairs", "expect")}
    for ratio, seed in ((1, 0), (2, 1)):
        cell(repository / "results" / "study", "MixKD", 0.9, seed=seed, ratio=ratio)
    assert [one for one, _ in ask(repository, flat)] == [MISSING]


def test_a_share_is_judged_by_its_interval(repository: Path) -> None:
    kept = {**CLAIM, "kind": "value", "rows": [{"row": "TMKD"}], "score": "kept", "margin": 0.1}
    kept = {key: value for key, value in kept.items() if key not in ("pairs", "expect")}
    runs(repository, tmkd=0.9, kd=0.5)  # their teacher is right everywhere
    close, far = (kept | {"value": value} for value in (0.9, 0.5))
    assert [one for one, _ in ask(repository, close, far)] == [AGREES, DISAGREES]
    (cell(repository / "results" / "study", "TMKD", 0.9, seed=1).path / PREDICTIONS).unlink()
    assert [one for one, _ in ask(repository, close)] == [UNSURE]
    assert lines("mixkd")[0].finding.seeds == 1


def test_a_speed_up_is_that_in_batches_of_16_and_shown_as_it_is(repository: Path) -> None:
    faster = {key: value for key, value in CLAIM.items() if key not in ("pairs", "expect")}
    faster |= {"kind": "value", "rows": [{"row": "TMKD"}], "score": "speed-up", "value": 3.0, "margin": 0.1}
    times = {"latency": {"1": latency(6.0, 1), "16": latency(40.0, 16)}}  # of a teacher with 12 and 120
    for seed in range(2):
        record = make_record("TMKD", seed, student=network(3, f"s{seed}") | times)
        write_run(repository / "results" / "study", record, num_steps=2)
    assert [one for one, _ in ask(repository, faster, faster | {"value": 2.0})] == [AGREES, DISAGREES]
    assert lines("mixkd")[0].finding.measured == "3.00 ± 0.00 (2)"
    assert "| 3.00 [3.00, 3.00] | 2 |" in claims("mixkd")


def test_a_side_may_stand_in_a_folder_of_its_own_and_takes_no_row_that_only_begins_alike(
    repository: Path,
) -> None:
    for seed in range(2):
        cell(repository / "results" / "study", "TMKD", 0.95, seed=seed)
        cell(repository / "results" / "later", "KD", 0.55, seed=seed)
        cell(repository / "results" / "later", "KDX", 0.95, seed=seed)
    ((verdict, setting),) = ask(
        repository, CLAIM | {"pairs": [[{"row": "TMKD"}, {"row": "KD", "within": ["later"]}]]}
    )
    assert verdict == AGREES
    assert setting.endswith("(study, later)")


def test_a_share_of_the_way_counts_the_seeds_of_the_folders_own_floor(repository: Path) -> None:
    closed = {**CLAIM, "within": ["study", "later"], "kind": "value", "rows": [{"row": "TMKD"}]}
    closed = {key: value for key, value in closed.items() if key not in ("pairs", "expect")}
    closed |= {"score": "closed", "value": 0.8, "margin": 0.2}
    for seed, score in ((0, 0.9), (1, 0.9)):
        cell(repository / "results" / "study", "TMKD", score, seed=seed)
        cell(repository / "results" / "later", "FT", 0.8, seed=seed)  # of another folder: none of this row's
    cell(repository / "results" / "study", "FT", 0.5)
    assert [one for one, _ in ask(repository, closed)] == [UNSURE]
    assert (lines("mixkd")[0].finding.seeds, lines("mixkd")[0].finding.measured) == (1, "80.00 %")
    cell(repository / "results" / "study", "FT", 0.5, seed=1)
    assert [one for one, _ in ask(repository, closed)] == [AGREES]


def test_rows_that_were_judged_on_different_examples_are_refused(repository: Path) -> None:
    cell(repository / "results" / "study", "TMKD", 0.8)
    with edited_record(cell(repository / "results" / "study", "KD", 0.8).path) as record:
        record["task"]["rows"]["dev"] = 100
    with pytest.raises(ConfigError, match=r"tmkd.* and .*kd.* were judged on different dev examples"):
        ask(repository, CLAIM)


def test_a_choice_counts_the_seeds_in_which_it_was_the_best(repository: Path) -> None:
    choice = {key: value for key, value in CLAIM.items() if key not in ("pairs", "expect")} | {
        "kind": "choice"
    }
    for seed in range(2):
        for name, facts in (("MiniDisc", schedule()), ("MaxiDisc", exhaustive_schedule())):
            write_run(repository / "results" / "study", make_record(name, seed, schedule=facts), num_steps=2)
    assert [one for one, _ in ask(repository, choice)] == [AGREES]
    assert lines("mixkd")[0].finding.measured.startswith("in 2 of 2 seeds, by chance in 0.17")


def test_a_smaller_calibration_error_is_the_better_one(repository: Path) -> None:
    # 0.02, 0.03 and 0.02 against 0.08, 0.08 and 0.09: better by 0.06, 0.05 and 0.07, t(2) = 0.06 / 0.01 * sqrt(3)
    errors = {"TMKD": (0.02, 0.03, 0.02), "KD": (0.08, 0.08, 0.09)}
    for method, values in errors.items():
        for seed, value in enumerate(values):
            record = make_record(method, seed, 0.8, calibration=calibration(value))
            write_run(repository / "results" / "study", record, num_steps=2)
    claim = CLAIM | {"score": "calibration error"}
    assert [verdict for verdict, _ in ask(repository, claim, claim | {"expect": "worse"})] == [
        AGREES,
        DISAGREES,
    ]
    found = lines("mixkd")[0].finding
    reach = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((0.06, 0.06 - reach, 0.06 + reach))
    assert found.p_value == pytest.approx(2 * stats.t.sf(6 * math.sqrt(3), 2))
    assert found.measured == "2.33 ± 0.58 (3) against 8.33 ± 0.58 (3)"


def test_fewer_nats_are_better(repository: Path) -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}
    for seed in range(2):
        for method, nats in (("TMKD", 2.0), ("KD", 2.5)):
            record = make_record(method, seed, task=task, metrics={"dev": {"nats": nats}})
            run = write_run(repository / "results" / "study", record, num_steps=2)
            sums = [10 * nats + math.sin(i + 7 * seed + 3 * nats) for i in range(40)]
            rows = [
                Prediction(example=i, split="dev", label=10.0, student=(one,)) for i, one in enumerate(sums)
            ]
            write_predictions(run.path / PREDICTIONS, rows)
    assert [verdict for verdict, _ in ask(repository, CLAIM, CLAIM | {"expect": "worse"})] == [
        AGREES,
        DISAGREES,
    ]
    found = lines("mixkd")[0].finding
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_seeds_that_scatter_leave_a_verdict_open(repository: Path) -> None:
    # better by 30 points under one seed, as good under the other: examples alone would call it sure
    for seed, score in enumerate((0.9, 0.6)):
        cell(repository / "results" / "study", "TMKD", score, seed=seed)
        cell(repository / "results" / "study", "KD", 0.6, seed=seed)
    assert [verdict for verdict, _ in ask(repository, CLAIM)] == [UNSURE]


def test_the_floor_of_a_share_is_of_the_same_size_and_of_original_rows(repository: Path) -> None:
    closed = {key: value for key, value in CLAIM.items() if key not in ("pairs", "expect")}
    closed |= {"kind": "value", "rows": [{"row": "TMKD"}], "score": "closed", "value": 0.8, "margin": 0.2}
    for seed in range(2):
        cell(repository / "results" / "study", "TMKD", 0.9, seed=seed)
        cell(repository / "results" / "study", "FT", 0.5, seed=seed)
        cell(repository / "results" / "study" / "z", "FT", 0.7, seed=seed, augmentation="apertium")
        cell(repository / "results" / "study" / "z", "FT", 0.2, seed=seed, layers=2)
    assert [one for one, _ in ask(repository, closed)] == [AGREES]
    assert lines("mixkd")[0].finding.measured == "80.00 %"


def test_the_claims_that_are_shipped_can_be_read() -> None:
    found = read_claims(paths.CLAIMS)
    assert {claim.paper for claim in found.claims} == {*PAPERS, "transfer", "transfer-explored"}
    shown = {folder for claim in found.claims for folder in claim.within}
    assert shown <= set(found.folders)
