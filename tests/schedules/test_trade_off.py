import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.schedules.trade_off import LAMBDA, trade_off
from tests.schedules.test_assistant_choice import MRPC, QQP


@pytest.mark.parametrize(
    ("metrics", "plotted"),
    [
        (
            MRPC,
            {0.7: 0.9735, 0.6: 0.993, 0.5: 1.013, 0.4: 1.020, 0.2: 1.031},
        ),  # at 0.3 the figure leaves the formula
        (QQP, {0.7: 0.948, 0.6: 0.966, 0.5: 0.983, 0.4: 1.001, 0.3: 1.017, 0.2: 1.030}),
    ],
)
def test_the_score_is_the_one_plotted_in_the_paper(metrics, plotted):
    for kept, score in plotted.items():
        assert trade_off(metrics[kept], kept) == pytest.approx(score, abs=0.002)


@given(metric=st.floats(0, 1), kept=st.floats(0.01, 1), weight=st.floats(0, 5))
def test_the_score_rewards_quality_and_what_is_left_out(metric, kept, weight):
    score = trade_off(metric, kept, weight=weight)
    assert score == pytest.approx(metric + weight * (1 - kept))
    assert trade_off(metric, 1.0, weight=weight) == metric
    assert trade_off(metric, kept) == pytest.approx(metric + LAMBDA * (1 - kept))


@pytest.mark.parametrize("weight", [-0.1, float("nan")])
def test_a_negative_lambda_is_refused(weight):
    with pytest.raises(ConfigError, match=r"lam must be >= 0"):
        trade_off(0.8, 0.5, weight=weight)
