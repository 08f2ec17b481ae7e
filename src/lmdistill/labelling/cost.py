"""Calls, tokens and money: estimates before the first call, and a budget that no call exceeds.

The tokenizer of the server is not known, so tokens are counted in UTF-8 bytes. A text of b bytes has about
b / 4 tokens (`BYTES_PER_TOKEN`, English text and a vocabulary of 30,000 or more), and at most b tokens,
because every token of a byte-level tokenizer holds one byte or more. Estimates use the first number, the
budget uses the second one.
"""

import math
import re
import threading
from dataclasses import dataclass
from typing import Literal

from lmdistill.core.errors import ConfigError

BYTES_PER_TOKEN = 4.0
"""Mean length of a token in bytes, for estimates."""

TEMPLATE_TOKENS = 512
"""Tokens that a server's chat template may add to a prompt, at most; typical ones add 10 to 60."""

ESTIMATED_TEMPLATE_TOKENS = 20
"""Tokens that a chat template adds, for estimates."""

MILLION = 1_000_000

Unit = Literal["money", "calls", "tokens"]
"""What a budget is counted in."""

BUDGET = re.compile(r"(?P<amount>\d+(?:\.\d+)?|\.\d+)\s*(?P<unit>calls?|tokens?)?")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Calls and tokens, each >= 0."""

    calls: int = 0
    """Requests that were sent, also those that the server refused."""

    input_tokens: int = 0
    """Tokens of prompts."""

    output_tokens: int = 0
    """Tokens of replies."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls - other.calls,
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
        )


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices of a server, in any currency, for a million tokens."""

    input: float
    """Price of a million tokens of prompts, >= 0."""

    output: float
    """Price of a million tokens of replies, >= 0."""

    def __post_init__(self) -> None:
        for name, value in (("--price-in", self.input), ("--price-out", self.output)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be a number >= 0, got {value}. It is for a million tokens.")

    def cost(self, usage: Usage) -> float:
        """Cost of some usage, in the currency of the prices.

        Examples:
            >>> Prices(input=2.0, output=8.0).cost(Usage(input_tokens=500_000, output_tokens=1000))
            1.008
        """
        return (self.input * usage.input_tokens + self.output * usage.output_tokens) / MILLION


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most that may be spent."""

    amount: float
    """In its unit, > 0."""

    unit: Unit
    """What is counted."""

    prices: Prices | None = None
    """Prices; needed for money."""

    def __post_init__(self) -> None:
        if not self.amount > 0:
            raise ConfigError(f"--budget must be above 0, got {self.amount:g}.")
        if self.unit == "money" and self.prices is None:
            raise ConfigError(
                f"--budget {self.amount:g} is money, and prices are not known. Give --price-in and "
                f"--price-out, or a budget such as {math.ceil(self.amount)}calls or 100000tokens."
            )

    def used(self, usage: Usage) -> float:
        """How much of the budget some usage takes, in its unit."""
        if self.unit == "calls":
            return float(usage.calls)
        if self.unit == "tokens":
            return float(usage.input_tokens + usage.output_tokens)
        assert self.prices is not None
        return self.prices.cost(usage)

    def text(self, amount: float) -> str:
        """An amount with its unit, such as "12 calls"."""
        return f"{amount:.6g}" if self.unit == "money" else f"{amount:.10g} {self.unit}"


def parse_budget(text: str, prices: Prices | None) -> Limit:
    """A budget as it is typed: `2.50` is money, `500calls` and `100000tokens` say their unit.

    Raises:
        ConfigError: It is none of these, is not above 0, or is money without prices.

    Examples:
        >>> parse_budget("500calls", None).unit, parse_budget("2.50", Prices(input=1.0, output=2.0)).amount
        ('calls', 2.5)
    """
    found = BUDGET.fullmatch(text.strip())
    if found is None:
        raise ConfigError(
            f"--budget takes an amount such as 2.50, 500calls or 100000tokens, got {text!r}. Write it so."
        )
    unit: Unit = "money"
    if found["unit"]:
        unit = "calls" if found["unit"].startswith("call") else "tokens"
    return Limit(amount=float(found["amount"]), unit=unit, prices=prices)


def estimated_usage(prompt: str, answer_tokens: int) -> Usage:
    """The usage that one call will probably have.

    Args:
        prompt: Text of the prompt.
        answer_tokens: Expected length of the reply in tokens, >= 1.
    """
    tokens = math.ceil(len(prompt.encode()) / BYTES_PER_TOKEN) + ESTIMATED_TEMPLATE_TOKENS
    return Usage(calls=1, input_tokens=tokens, output_tokens=answer_tokens)


def largest_usage(prompt: str, max_new: int, template_tokens: int = TEMPLATE_TOKENS) -> Usage:
    """The most that one call can use.

    Args:
        prompt: Text of the prompt.
        max_new: Longest reply in tokens, >= 1.
        template_tokens: Tokens that the server's chat template adds at most.

    Examples:
        >>> largest_usage("abcd", 16)
        Usage(calls=1, input_tokens=516, output_tokens=16)
    """
    return Usage(calls=1, input_tokens=len(prompt.encode()) + template_tokens, output_tokens=max_new)


NOTHING = Usage()


class BudgetReachedError(Exception):
    """The next call could exceed the budget; nothing is sent any more."""


class Budget:
    """What was spent and what calls under way may spend; their sum never exceeds the limit.

    A call reserves the most that it can use before it is sent. Afterwards `settle` replaces that by what it
    used. If a server reports more than was reserved, the surplus is counted, and later calls reserve as much
    more for their prompts (`template_tokens`). All methods may be called by several threads.

    Args:
        limit: The most that may be spent; None sets no limit.
        spent: What earlier runs have spent.
    """

    def __init__(self, limit: Limit | None, spent: Usage = NOTHING) -> None:
        self.limit, self.spent = limit, spent
        self.template_tokens = TEMPLATE_TOKENS
        self._reserved = NOTHING
        self._changed = threading.Condition()

    def fits(self, usage: Usage) -> bool:
        """Whether some usage could be spent beside what is spent and reserved."""
        if self.limit is None:
            return True
        return self.limit.used(self.spent + self._reserved + usage) <= self.limit.amount

    def reserve(self, usage: Usage) -> None:
        """Reserve the most that a call can use; wait while calls under way may yet release enough.

        Raises:
            BudgetReachedError: The call does not fit, and no call is under way.
        """
        with self._changed:
            while not self.fits(usage):
                if self._reserved == NOTHING:
                    raise BudgetReachedError
                self._changed.wait()
            self._reserved += usage

    def settle(self, reserved: Usage, used: Usage) -> None:
        """Replace the reservation of a call by what it has used."""
        with self._changed:
            self._reserved -= reserved
            self.spent += used
            surplus = used.input_tokens - reserved.input_tokens
            self.template_tokens += max(0, surplus)
            self._changed.notify_all()
