from typing import Any

import pytest

from lmdistill.analysis.generalization_bounds import Bound, Mixture, log_class_size
from lmdistill.core.errors import ConfigError, RunError
from lmdistill.report.tables.theory import number_text, run_samples, theory_grid, verdict
from tests.report.factory import make_record, plain_record

OLDER = {"train": 0.21, "dev": 0.37, "gap": 0.16}
"""What records said before they had errors."""


def record(**changes: Any):
    """A run of MixKD on 6,735 rows in 3 passes, whose student errs on 0.05 of training rows and 0.14 of dev."""
    risk = {"train": 0.21, "dev": 0.37, "gap": 0.16, "train_error": 0.05, "dev_error": 0.14}
    return make_record(**{"risk": risk, **changes})


def task(**changes: Any) -> dict[str, Any]:
    return {**plain_record()["task"], **changes}


def mixture(**changes: Any) -> Mixture:
    """The hand numbers of the bounds: eps_p = 0.1."""
    bound = Bound(log_size=8.0, confidence=0.8646647167633873)
    return Mixture(**{"bound": bound, "original": 500, **changes})


def cells(*args: Any) -> dict[str, str]:
    return {row[0]: row[2] for row in theory_grid(*args).rows}


def test_the_samples_of_a_run_by_hand() -> None:
    found = run_samples(record(), clipped=False)
    assert (found.original, found.mixed) == (6735, 3 * 6735)
    assert found.parameters == 11_918_592 + 3 * 1_774_464 + 148_610
    assert found.gap == pytest.approx(0.09)
    assert (found.loss, found.is_most) == ("0/1 loss", False)


def test_a_ratio_a_stopped_epoch_and_augmented_rows_are_counted() -> None:
    method = {"name": "mixkd", "ratio": 2}
    training = plain_record()["training"] | {"epochs": 0.5}
    notes = [
        "2000 training rows added by eda, and 700 texts without labels",
        "2 empty texts were dropped from train.",
    ]
    rows = {"train": 6000, "dev": 200}
    found = run_samples(
        record(method=method, training=training, task=task(rows=rows, notes=notes)), clipped=False
    )
    assert (found.original, found.mixed) == (4000, 2000 + 2 * 3000)


@pytest.mark.parametrize(
    "method", [{"name": "kd"}, {"name": "mixkd", "alpha_sm": 0, "alpha_tmkd": 0.0, "ratio": 2}]
)
def test_methods_that_mix_nothing_have_no_mixed_samples(method: dict[str, Any]) -> None:
    assert run_samples(record(method=method), clipped=False).mixed == 0


@pytest.mark.parametrize("off", ["alpha_sm", "alpha_tmkd"])
def test_one_of_the_two_terms_alone_mixes_samples(off: str) -> None:
    found = run_samples(record(method={"name": "mixkd", off: 0, "ratio": 2}), clipped=False)
    assert found.mixed == 2 * 3 * 6735


def test_a_record_without_errors_has_at_most_the_error_on_dev() -> None:
    found = run_samples(make_record(accuracy=0.86, risk=OLDER), clipped=False)
    assert found.is_most
    assert found.gap == pytest.approx(0.14)
    nothing = run_samples(make_record(metrics={"dev": {"matthews": 0.4}}, risk=None), clipped=False)
    assert (nothing.gap, nothing.is_most) == (None, False)


def test_the_gap_of_a_clipped_loss_is_the_recorded_one() -> None:
    found = run_samples(record(), clipped=True)
    assert (found.gap, found.loss) == (0.16, "cross-entropy, not clipped")
    scores = record(task=task(kind="regression", labels=[]))
    assert run_samples(scores, clipped=True).loss == "squared error, not clipped"
    with pytest.raises(ConfigError, match=r"their squared error is not bounded\. Set --bound"):
        run_samples(scores, clipped=False)
    with pytest.raises(
        RunError, match=r"the run MixKD trained a language model, .* Name a run of a classifier"
    ):
        run_samples(record(task=task(kind="language", labels=[])), clipped=False)


def test_every_symbol_stands_in_the_table() -> None:
    assert cells(mixture(mixed=750, shift=0.02)) == {
        "largest loss": "1",
        "log size of the class, in nats": "8",
        "confidence": "0.8647",
        "original samples": "500",
        "mixed samples": "750",
        "shift of the mixed samples": "0.02",
        "bound without mixed samples": "0.1",
        "bound with mixed samples": "0.08325",  # sqrt(10 / 2500) + 0.02
        "bound if each mixed sample depends on its original": "0.122",
        "mixed samples needed": "282",
    }


def test_lines_without_a_value_are_left_out() -> None:
    found = cells(Mixture(bound=Bound(rademacher=0.25), original=500, target=0.4))
    assert found["Rademacher complexity"] == "0.25"
    assert found["target gap"] == "0.4"
    assert found["mixed samples needed"] == "no number suffices"
    assert not {"log size of the class, in nats", "bound with mixed samples"} & set(found)


def test_a_lipschitz_constant_is_shown_where_it_is_not_one() -> None:
    bound = Bound(rademacher=0.25, lipschitz=2.0)
    assert cells(Mixture(bound=bound, original=500))["Lipschitz constant of the loss"] == "2"
    said = verdict(Mixture(bound=bound, original=500, shift=0.1, target=1.05))[0]
    assert "2 L R = 1 are not below 1.05" in said


def test_the_sentences_say_how_many_are_enough() -> None:
    assert verdict(mixture(shift=0.02)) == (
        "282 mixed samples are enough for a bound of 0.1, the bound without them.",
    )
    assert verdict(mixture()) == ("No mixed samples are needed for a bound of 0.1, the bound without them.",)
    for shift in (0.0, 0.05, 0.3):
        found = mixture(target=0.2, shift=shift)
        assert verdict(found) == ("No mixed samples are needed for a bound of 0.2: it is 0.1 without them.",)
        assert ("mixed samples needed", "b =", "0") in theory_grid(found).rows
    (said,) = verdict(Mixture(bound=Bound(rademacher=0.25), original=500, shift=0.1, target=0.55))
    assert said == "No number of mixed samples is enough: the shift of 0.1 and 2 R = 0.5 are not below 0.55."


def test_the_bound_beside_a_run_says_how_loose_it_is() -> None:
    found = run_samples(record(), clipped=False)
    (_, said) = verdict(mixture(), found)
    assert said == "The bound is 0.1 and the measured gap 0.09: the bound is 1.111 times as large."
    bound = Bound(log_size=log_class_size(found.parameters))
    (_, said) = verdict(Mixture(bound=bound, original=found.original, mixed=found.mixed), found)
    # sqrt((17,390,594 x 32 x log 2 + log 20) / (2 x 26,940)) = sqrt(385,735,718 / 53,880) = 84.61
    assert said == (
        "The bound is 84.61 and the measured gap 0.09: the bound is 940.1 times as large. "
        "The bound is vacuous, because it is not below the largest loss, 1."
    )
    older = run_samples(make_record(accuracy=0.86, risk=OLDER), clipped=False)
    (_, said) = verdict(mixture(), older)
    assert said.startswith("The bound is 0.1 and the measured gap at most 0.14: the bound is at least ")


def test_a_gap_below_zero_has_no_ratio() -> None:
    risk = {"train": 0.3, "dev": 0.2, "gap": -0.1}
    found = run_samples(record(risk=risk), clipped=True)
    assert verdict(mixture(), found)[1] == "The bound is 0.1 and the measured gap -0.1."


def test_an_empty_bound_is_called_empty_without_a_run_too() -> None:
    said = verdict(Mixture(bound=Bound(log_size=1e6), original=500))
    assert said[1] == "The bound is vacuous, because it is not below the largest loss, 1."


def test_numbers_are_short() -> None:
    values = (750, 20205, 1.25e9, 10**15, 0.05, 0.0, -0.1)
    assert [number_text(value) for value in values] == [
        "750", "20,205", "1,250,000,000", "1.00e+15", "0.05", "0", "-0.1"
    ]  # fmt: skip
