"""Verdicts are made from records: they flip with them, and a claim that means nothing is refused."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy import stats

from docs.make import made
from docs.parts import places
from docs.parts.claims import Choice, Claim, Comparison, Value, read_claims
from docs.parts.differences import Difference, envelope
from docs.parts.figures import figures, pictures, write_figures
from docs.parts.findings import Finding
from docs.parts.verdicts import AGREES, DISAGREES, MISSING, UNSURE, claims, lines, verdict_of, verdicts
from lmdistill.core.errors import ConfigError, UnknownNameError
from lmdistill.report.predictions import PREDICTIONS, Prediction, write_predictions
from lmdistill.report.record import RECORD
from lmdistill.report.standalone import standalone
from lmdistill.report.statistics import holm
from tests.docs.pages import PAGES, REPO
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
from tests.report.test_maps import mapped

CLAIM: dict[str, Any] = {
    "paper": "mixkd",
    "says": "TMKD is better than KD.",
    "source": "Table 1",
    "sure": "paper",
    "kind": "comparison",
    "within": ["study"],
    "pairs": [[{"row": "TMKD"}, {"row": "KD"}]],
    "expect": "better",
}
FOLDERS = {
    "study": {"about": "one", "rows": ["FT", "KD", "TMKD", "MixKD", "MiniDisc"]},
    "later": {"about": "two", "rows": ["FT", "KD", "TMKD"]},
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of its own: no records yet."""
    for name in ("RECORDS", "FIGURES"):
        monkeypatch.setattr(places, name, tmp_path / name.lower())
    monkeypatch.setattr(places, "CLAIMS", tmp_path / "claims.yaml")
    return tmp_path


def ask(world: Path, *claims: dict[str, Any]) -> list[tuple[str, str]]:
    """Verdicts on the claims, each with what was looked at or is missing."""
    text = yaml.safe_dump({"folders": FOLDERS, "claims": list(claims)})
    (world / "claims.yaml").write_text(text)
    return [(line.verdict, line.finding.missing or line.finding.setting) for line in lines("mixkd")]


def runs(world: Path, *, tmkd: float, kd: float, seeds: int = 2, **settings: Any) -> None:
    for seed in range(seeds):
        for method, score in (("TMKD", tmkd), ("KD", kd)):
            cell(world / "records" / "study", method, score, seed=seed, **settings)


def test_a_verdict_flips_with_the_records(world: Path) -> None:
    runs(world, tmkd=0.95, kd=0.55)
    worse = CLAIM | {"expect": "worse"}
    assert [verdict for verdict, _ in ask(world, CLAIM, worse)] == [AGREES, DISAGREES]
    runs(world, tmkd=0.55, kd=0.95)
    assert [verdict for verdict, _ in ask(world, CLAIM, worse)] == [DISAGREES, AGREES]


def test_each_setting_has_a_line_and_pairs_do_not_cross_them(world: Path) -> None:
    runs(world, tmkd=0.95, kd=0.55, task="rte")
    runs(world, tmkd=0.55, kd=0.95, task="sst2")
    cell(world / "records" / "study", "TMKD", 0.9, task="mrpc")  # without KD
    found = ask(world, CLAIM)
    assert [(verdict, text.split(",")[0]) for verdict, text in found] == [
        (AGREES, "TMKD against KD: rte"),
        (DISAGREES, "TMKD against KD: sst2"),
    ]
    assert "(study)" in found[0][1]


def test_a_bar_in_a_claim_does_not_part_its_cell(world: Path) -> None:
    runs(world, tmkd=0.95, kd=0.55)
    ask(world, CLAIM | {"says": "TMKD | better"})
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
    world: Path,
) -> None:
    runs(world, tmkd=0.9, kd=0.86, task="rte")
    runs(world, tmkd=0.9, kd=0.84, task="sst2")
    ask(world, CLAIM, CLAIM | {"expect": "worse"})
    found = lines("mixkd")
    alone = [line.finding.p_value for line in found]
    assert len(set(alone)) == 2
    assert [line.p_holm for line in found] == holm(alone[:2]) * 2 != alone


def test_one_seed_and_equal_rows_cannot_be_told(world: Path) -> None:
    runs(world, tmkd=0.95, kd=0.55, seeds=1)
    assert [verdict for verdict, _ in ask(world, CLAIM)] == [UNSURE]
    runs(world, tmkd=0.8, kd=0.8, seeds=2)
    assert [verdict for verdict, _ in ask(world, CLAIM)] == [UNSURE]


def test_what_was_not_run_is_not_measured_yet(world: Path) -> None:
    later = CLAIM | {"within": ["later"]}
    assert ask(world, later) == [(MISSING, "TMKD in records/later")]
    cell(world / "records" / "later", "TMKD", 0.8)
    assert ask(world, later) == [(MISSING, "KD in records/later")]
    cell(world / "records" / "later", "KD", 0.8, task="rte")
    assert ask(world, later)[0][1].startswith("a setting with both")


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
def test_a_claim_that_means_nothing_is_refused(world: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=said):
        ask(world, CLAIM | change)


def test_a_claim_that_means_two_rows_is_refused(world: Path) -> None:
    runs(world, tmkd=0.8, kd=0.8, seeds=1)
    cell(world / "records" / "study", "KD", 0.8, temperature=4.0)
    with pytest.raises(ConfigError, match=r"means one row, and .* are 2"):
        ask(world, CLAIM)
    with pytest.raises(ConfigError, match=r"means one row, and .* are 2"):
        ask(world, CLAIM | {"pairs": [[{"row": "KD"}, {"row": "TMKD"}]]})
    one = CLAIM | {"pairs": [[{"row": "TMKD"}, {"row": "KD", "where": {"method.temperature": 4.0}}]]}
    assert len(ask(world, one)) == 1


def test_settings_that_make_no_difference_are_flat(world: Path) -> None:
    flat = {**CLAIM, "kind": "flat", "row": "MixKD", "chosen": {"method.ratio": 1}, "margin": 0.1}
    flat = {key: value for key, value in flat.items() if key not in ("pairs", "expect")}
    for ratio, seed in ((1, 0), (1, 1), (2, 0), (2, 1)):
        cell(world / "records" / "study", "MixKD", 0.9, seed=seed, ratio=ratio)
    ((verdict, setting),) = ask(world, flat)
    assert (verdict, setting.split(":")[0]) == (AGREES, "2 settings")
    for seed in range(2):
        cell(world / "records" / "study", "MixKD", 0.4, seed=seed, ratio=2)
    assert [one for one, _ in ask(world, flat)] == [DISAGREES]


def test_one_setting_far_from_the_chosen_one_is_enough_beside_others_that_are_close(world: Path) -> None:
    flat = {**CLAIM, "kind": "flat", "row": "MixKD", "chosen": {"method.ratio": 1}, "margin": 0.1}
    flat = {key: value for key, value in flat.items() if key not in ("pairs", "expect")}
    for ratio, score in ((1, 0.9), (2, 0.9), (3, 0.4)):
        for seed in range(2):
            cell(world / "records" / "study", "MixKD", score, seed=seed, ratio=ratio)
    assert [one for one, _ in ask(world, flat)] == [DISAGREES]


def test_settings_without_a_common_seed_are_not_measured_yet(world: Path) -> None:
    flat = {**CLAIM, "kind": "flat", "row": "MixKD", "chosen": {"method.ratio": 1}, "margin": 0.1}
    flat = {key: value for key, value in flat.items() if key not in ("pairs", "expect")}
    for ratio, seed in ((1, 0), (2, 1)):
        cell(world / "records" / "study", "MixKD", 0.9, seed=seed, ratio=ratio)
    assert [one for one, _ in ask(world, flat)] == [MISSING]


def test_a_share_is_judged_by_its_interval(world: Path) -> None:
    kept = {**CLAIM, "kind": "value", "rows": [{"row": "TMKD"}], "score": "kept", "margin": 0.1}
    kept = {key: value for key, value in kept.items() if key not in ("pairs", "expect")}
    runs(world, tmkd=0.9, kd=0.5)  # their teacher is right everywhere
    close, far = (kept | {"value": value} for value in (0.9, 0.5))
    assert [one for one, _ in ask(world, close, far)] == [AGREES, DISAGREES]
    (cell(world / "records" / "study", "TMKD", 0.9, seed=1).path / PREDICTIONS).unlink()
    assert [one for one, _ in ask(world, close)] == [UNSURE]
    assert lines("mixkd")[0].finding.seeds == 1


def test_a_speed_up_is_that_in_batches_of_16_and_shown_as_it_is(world: Path) -> None:
    faster = {key: value for key, value in CLAIM.items() if key not in ("pairs", "expect")}
    faster |= {"kind": "value", "rows": [{"row": "TMKD"}], "score": "speed-up", "value": 3.0, "margin": 0.1}
    times = {"latency": {"1": latency(6.0, 1), "16": latency(40.0, 16)}}  # of a teacher with 12 and 120
    for seed in range(2):
        record = make_record("TMKD", seed, student=network(3, f"s{seed}") | times)
        write_run(world / "records" / "study", record, num_steps=2)
    assert [one for one, _ in ask(world, faster, faster | {"value": 2.0})] == [AGREES, DISAGREES]
    assert lines("mixkd")[0].finding.measured == "3.00 ± 0.00 (2)"
    assert "| 3.00 [3.00, 3.00] | 2 |" in claims("mixkd")


def test_a_side_may_stand_in_a_folder_of_its_own_and_takes_no_row_that_only_begins_alike(world: Path) -> None:
    for seed in range(2):
        cell(world / "records" / "study", "TMKD", 0.95, seed=seed)
        cell(world / "records" / "later", "KD", 0.55, seed=seed)
        cell(world / "records" / "later", "KDX", 0.95, seed=seed)
    ((verdict, setting),) = ask(
        world, CLAIM | {"pairs": [[{"row": "TMKD"}, {"row": "KD", "within": ["later"]}]]}
    )
    assert verdict == AGREES
    assert setting.endswith("(study, later)")


def test_a_share_of_the_way_counts_the_seeds_of_the_folders_own_floor(world: Path) -> None:
    closed = {**CLAIM, "within": ["study", "later"], "kind": "value", "rows": [{"row": "TMKD"}]}
    closed = {key: value for key, value in closed.items() if key not in ("pairs", "expect")}
    closed |= {"score": "closed", "value": 0.8, "margin": 0.2}
    for seed, score in ((0, 0.9), (1, 0.9)):
        cell(world / "records" / "study", "TMKD", score, seed=seed)
        cell(world / "records" / "later", "FT", 0.8, seed=seed)  # of another folder: none of this row's
    cell(world / "records" / "study", "FT", 0.5)
    assert [one for one, _ in ask(world, closed)] == [UNSURE]
    assert (lines("mixkd")[0].finding.seeds, lines("mixkd")[0].finding.measured) == (1, "80.00 %")
    cell(world / "records" / "study", "FT", 0.5, seed=1)
    assert [one for one, _ in ask(world, closed)] == [AGREES]


def test_rows_that_were_judged_on_different_examples_are_refused(world: Path) -> None:
    cell(world / "records" / "study", "TMKD", 0.8)
    path = cell(world / "records" / "study", "KD", 0.8).path / RECORD
    path.write_text(path.read_text().replace('"dev": 200', '"dev": 100'))
    with pytest.raises(ConfigError, match=r"tmkd.* and .*kd.* were judged on different dev examples"):
        ask(world, CLAIM)


def test_a_choice_counts_the_seeds_in_which_it_was_the_best(world: Path) -> None:
    choice = {key: value for key, value in CLAIM.items() if key not in ("pairs", "expect")} | {
        "kind": "choice"
    }
    for seed in range(2):
        for name, facts in (("MiniDisc", schedule()), ("MaxiDisc", exhaustive_schedule())):
            write_run(world / "records" / "study", make_record(name, seed, schedule=facts), num_steps=2)
    assert [one for one, _ in ask(world, choice)] == [AGREES]
    assert lines("mixkd")[0].finding.measured.startswith("in 2 of 2 seeds, by chance in 0.17")


def test_a_smaller_calibration_error_is_the_better_one(world: Path) -> None:
    # 0.02, 0.03 and 0.02 against 0.08, 0.08 and 0.09: better by 0.06, 0.05 and 0.07, t(2) = 0.06 / 0.01 * sqrt(3)
    errors = {"TMKD": (0.02, 0.03, 0.02), "KD": (0.08, 0.08, 0.09)}
    for method, values in errors.items():
        for seed, value in enumerate(values):
            record = make_record(method, seed, 0.8, calibration=calibration(value))
            write_run(world / "records" / "study", record, num_steps=2)
    claim = CLAIM | {"score": "calibration error"}
    assert [verdict for verdict, _ in ask(world, claim, claim | {"expect": "worse"})] == [AGREES, DISAGREES]
    found = lines("mixkd")[0].finding
    reach = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((0.06, 0.06 - reach, 0.06 + reach))
    assert found.p_value == pytest.approx(2 * stats.t.sf(6 * math.sqrt(3), 2))
    assert found.measured == "2.33 ± 0.58 (3) against 8.33 ± 0.58 (3)"


def test_fewer_nats_are_better(world: Path) -> None:
    task = plain_record()["task"] | {"kind": "language", "labels": [], "metrics": ["nats"]}
    for seed in range(2):
        for method, nats in (("TMKD", 2.0), ("KD", 2.5)):
            record = make_record(method, seed, task=task, metrics={"dev": {"nats": nats}})
            run = write_run(world / "records" / "study", record, num_steps=2)
            sums = [10 * nats + math.sin(i + 7 * seed + 3 * nats) for i in range(40)]
            rows = [
                Prediction(example=i, split="dev", label=10.0, student=(one,)) for i, one in enumerate(sums)
            ]
            write_predictions(run.path / PREDICTIONS, rows)
    assert [verdict for verdict, _ in ask(world, CLAIM, CLAIM | {"expect": "worse"})] == [AGREES, DISAGREES]
    found = lines("mixkd")[0].finding
    assert found.value == pytest.approx(0.5, abs=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_several_differences_are_one_with_the_outermost_ends_and_the_p_of_the_farthest() -> None:
    near = Difference(value=-0.3, low=-0.7, high=0.1, p_value=0.001, seeds=3)
    far = Difference(value=0.2, low=0.1, high=0.3, p_value=0.02, seeds=2)
    found = envelope([near, far])
    assert (found.value, found.low, found.high, found.seeds) == (-0.3, -0.7, 0.3, 2)
    assert (found.farthest, found.p_value) == ((0.1, 0.3), pytest.approx(0.04))
    below = Difference(value=-0.2, low=-0.4, high=-0.2, p_value=0.6, seeds=2)
    found = envelope([far, below])
    assert (found.farthest, found.p_value) == ((-0.4, -0.2), 1.0)
    one = Difference(value=0.5, low=None, high=None, p_value=None, seeds=1)
    found = envelope([far, one])
    assert (found.value, found.ends, found.farthest, found.p_value) == (0.5, None, None, None)


def test_seeds_that_scatter_leave_a_verdict_open(world: Path) -> None:
    # better by 30 points under one seed, as good under the other: examples alone would call it sure
    for seed, score in enumerate((0.9, 0.6)):
        cell(world / "records" / "study", "TMKD", score, seed=seed)
        cell(world / "records" / "study", "KD", 0.6, seed=seed)
    assert [verdict for verdict, _ in ask(world, CLAIM)] == [UNSURE]


def test_the_floor_of_a_share_is_of_the_same_size_and_of_original_rows(world: Path) -> None:
    closed = {key: value for key, value in CLAIM.items() if key not in ("pairs", "expect")}
    closed |= {"kind": "value", "rows": [{"row": "TMKD"}], "score": "closed", "value": 0.8, "margin": 0.2}
    for seed in range(2):
        cell(world / "records" / "study", "TMKD", 0.9, seed=seed)
        cell(world / "records" / "study", "FT", 0.5, seed=seed)
        cell(world / "records" / "study" / "z", "FT", 0.7, seed=seed, augmentation="apertium")
        cell(world / "records" / "study" / "z", "FT", 0.2, seed=seed, layers=2)
    assert [one for one, _ in ask(world, closed)] == [AGREES]
    assert lines("mixkd")[0].finding.measured == "80.00 %"


def claim_of(cls: type[Claim], /, **changes: Any) -> Claim:
    common = {key: CLAIM[key] for key in ("paper", "says", "source", "sure", "within")}
    return cls.model_validate(common | changes)


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [((-0.005, 0.009), AGREES), ((-0.005, 0.011), UNSURE), ((0.02, 0.03), DISAGREES), ((-0.03, -0.02), DISAGREES)],
)  # fmt: skip
def test_no_difference_needs_the_whole_interval(ends: tuple[float, float], verdict: str) -> None:
    alike = claim_of(Comparison, kind="comparison", pairs=CLAIM["pairs"], expect="alike", margin=0.01)
    found = Finding(setting="", measured="", seeds=3, value=sum(ends) / 2, low=ends[0], high=ends[1])
    assert verdict_of(alike, found, 0.001) == verdict
    assert verdict_of(alike, found, 0.2) == (UNSURE if verdict == DISAGREES else verdict)


def test_a_number_that_is_not_sure_says_nothing() -> None:
    found = Finding(setting="", measured="", seeds=3, value=0.5, low=None, high=None)
    value = claim_of(Value, kind="value", rows=[{"row": "KD"}], score="kept", value=0.5, margin=0.1)
    assert verdict_of(value, found, None) == UNSURE
    assert verdict_of(claim_of(Choice, kind="choice"), found, 0.06) == UNSURE
    assert verdict_of(claim_of(Choice, kind="choice"), found, 0.04) == AGREES


PAGE = "".join(
    f"<!-- {kind} -->\n<!-- /{kind.split()[0]} -->\n"
    for kind in (
        "verdicts",
        "claims mixkd",
        "overview study",
        "costs study",
        "seeds study",
        "separation study",
        "figures study latency",
    )
)


def test_a_page_is_the_same_twice_and_changes_with_a_record(world: Path) -> None:
    ask(world, CLAIM)
    empty = made(PAGE)
    assert empty.count(places.LATER) == 5
    runs(world, tmkd=0.95, kd=0.55)
    page = made(PAGE)
    assert made(page) == page != empty
    assert "figures/study-sst2-latency.svg" in page
    cell(world / "records" / "study", "KD", 0.65, seed=1)
    assert made(page) != page


def test_maps_have_a_file_for_each_network_and_a_table_of_what_they_rest_on(world: Path) -> None:
    ask(world, CLAIM)
    mapped(world / "records" / "study", "KD")
    page = made(PAGE.replace("latency", "map-of"))
    assert re.search(r"\| KD +\| +0.250 ‡", page)
    assert sorted(pictures("study map-of")) == [
        "study-sst2-map-of-representations-kd.svg",
        "study-sst2-map-of-representations-teacher.svg",
    ]


def test_figures_are_the_same_bytes_and_old_ones_go(world: Path) -> None:
    runs(world, tmkd=0.95, kd=0.55, seeds=1)
    asked = ["study latency"]
    write_figures(asked)
    (path,) = places.FIGURES.iterdir()
    assert f"(figures/{path.name})" in figures(asked[0])
    before = path.read_bytes()
    (places.FIGURES / "study-old.svg").touch()
    (places.FIGURES / "drawn-by-hand.svg").touch()
    write_figures(asked)
    assert path.read_bytes() == before
    assert {one.name for one in places.FIGURES.iterdir()} == {path.name, "drawn-by-hand.svg"}


def test_the_claims_that_are_shipped_can_be_read() -> None:
    found = read_claims(places.CLAIMS)
    assert {claim.paper for claim in found.claims} == {"mixkd", "atkd", "minidisc"}
    shown = {folder for claim in found.claims for folder in claim.within}
    assert shown <= set(found.folders)


def test_pictures_of_the_pages_are_files_and_show_what_the_records_say() -> None:
    results = (REPO / "docs" / "results.md").read_text(encoding="utf-8")
    for asked in [line[13:-4] for line in results.splitlines() if line.startswith("<!-- figures ")]:
        for name, (title, plot) in pictures(asked).items():
            text = (REPO / "docs" / "figures" / name).read_text(encoding="utf-8")
            head = standalone(plot, title).partition("<rect")[0]
            assert text.startswith(head), f"run make docs: {name} is not of these records"
    for page in PAGES:
        for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} shows {target}, which is not there"
