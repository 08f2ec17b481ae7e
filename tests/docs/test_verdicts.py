"""Which verdict a number and its interval bear."""

from typing import Any

import pytest

from docs.build.claim_verdicts import AGREES, DISAGREES, UNSURE, verdict_of
from docs.build.claims_schema import Choice, Claim, Comparison, Value
from docs.build.measured_claims import Finding
from tests.docs.fake_claims import CLAIM


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
