import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ConfigError
from lmdistill.labelling.cost import (
    Budget,
    BudgetReachedError,
    Limit,
    Prices,
    Usage,
    estimated_usage,
    largest_usage,
    parse_budget,
)

PRICES = Prices(input=3.0, output=15.0)


@st.composite
def calls(draw):
    """Calls as (reserved, used), where a call never uses more than it has reserved."""
    most = draw(st.tuples(st.integers(0, 3000), st.integers(1, 200)))
    used = draw(st.tuples(st.integers(0, most[0]), st.integers(0, most[1])))
    return tuple(Usage(calls=1, input_tokens=one[0], output_tokens=one[1]) for one in (most, used))


limits = st.one_of(
    st.builds(Limit, amount=st.floats(1e-6, 0.1), unit=st.just("money"), prices=st.just(PRICES)),
    st.builds(Limit, amount=st.integers(1, 20).map(float), unit=st.just("calls")),
    st.builds(Limit, amount=st.integers(1, 20_000).map(float), unit=st.just("tokens")),
)


@given(limits, st.lists(calls(), max_size=30), st.integers(1, 4))
def test_no_sequence_of_costs_exceeds_the_budget(limit, sequence, at_once):
    budget, under_way = Budget(limit), []
    for reserved, used in sequence:
        while len(under_way) >= at_once or (under_way and not budget.fits(reserved)):
            budget.settle(*under_way.pop(0))
        try:
            budget.reserve(reserved)
        except BudgetReachedError:
            continue
        under_way.append((reserved, used))
        assert limit.used(budget.spent) <= limit.amount
    for pair in under_way:
        budget.settle(*pair)
        assert limit.used(budget.spent) <= limit.amount


@given(limits, st.lists(calls(), max_size=12))
def test_a_call_is_sent_exactly_if_it_fits(limit, sequence):
    budget, spent = Budget(limit), Usage()
    for reserved, used in sequence:
        if limit.used(spent + reserved) <= limit.amount:
            budget.reserve(reserved)
            budget.settle(reserved, used)
            spent += used
        else:
            with pytest.raises(BudgetReachedError):
                budget.reserve(reserved)
    assert budget.spent == spent


def test_several_threads_do_not_exceed_it_either_and_none_waits_for_ever():
    budget = Budget(Limit(amount=1000.0, unit="tokens"))
    reserved, used = Usage(calls=1, input_tokens=90, output_tokens=10), Usage(calls=1, input_tokens=30)
    sent = []

    def call(number):
        try:
            budget.reserve(reserved)
        except BudgetReachedError:
            return
        threading.Event().wait(0.001)
        sent.append(number)
        budget.settle(reserved, used)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(100)))
    assert len(sent) == 31  # 30 calls of 30 leave 100, which is one more reservation; 31 leave 70
    assert budget.spent == Usage(calls=31, input_tokens=930)


def test_what_earlier_runs_have_spent_counts():
    limit = Limit(amount=3.0, unit="calls")
    budget = Budget(limit, Usage(calls=2))
    budget.reserve(Usage(calls=1))
    budget.settle(Usage(calls=1), Usage(calls=1))
    with pytest.raises(BudgetReachedError):
        budget.reserve(Usage(calls=1))


def test_a_surplus_is_counted_and_later_calls_reserve_as_much_more():
    budget = Budget(Limit(amount=5000.0, unit="tokens"))
    reserved = largest_usage("abc", 5, budget.template_tokens)
    budget.reserve(reserved)
    budget.settle(reserved, Usage(calls=1, input_tokens=reserved.input_tokens + 40, output_tokens=5))
    assert budget.spent.input_tokens == 3 + 512 + 40
    assert largest_usage("abc", 5, budget.template_tokens).input_tokens == 3 + 552


@given(st.text(max_size=200), st.integers(1, 50))
def test_no_estimate_is_above_the_most(prompt, max_new):
    estimate, most = estimated_usage(prompt, max_new), largest_usage(prompt, max_new)
    assert estimate.input_tokens <= most.input_tokens
    assert estimate.output_tokens <= most.output_tokens


def test_cost_against_a_hand_number():
    usage = Usage(calls=7, input_tokens=200_000, output_tokens=10_000)  # 0.2 * 3 + 0.01 * 15
    assert PRICES.cost(usage) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("2.50", 2.5, "money"),
        (".5", 0.5, "money"),
        ("500calls", 500, "calls"),
        ("1 call", 1, "calls"),
        ("90000tokens", 90000, "tokens"),
    ],
)
def test_a_budget_says_its_unit(text, amount, unit):
    found = parse_budget(text, PRICES)
    assert (found.amount, found.unit) == (amount, unit)


@pytest.mark.parametrize(
    ("text", "prices", "match"),
    [
        ("2.50", None, r"^--budget 2.5 is money, and prices are not known. Give --price-in and --price-out"),
        ("many", PRICES, r"^--budget takes an amount such as 2.50, 500calls or 100000tokens, got 'many'"),
        ("-1", PRICES, r"^--budget takes an amount"),
        ("1e3", PRICES, r"^--budget takes an amount"),
        ("0", PRICES, r"^--budget must be above 0, got 0"),
    ],
)
def test_other_budgets_are_refused(text, prices, match):
    with pytest.raises(ConfigError, match=match):
        parse_budget(text, prices)


@pytest.mark.parametrize(
    ("name", "values"), [("--price-in", (-1.0, 1.0)), ("--price-out", (1.0, float("nan")))]
)
def test_prices_are_numbers(name, values):
    with pytest.raises(ConfigError, match=f"^{name} must be a number >= 0"):
        Prices(input=values[0], output=values[1])
