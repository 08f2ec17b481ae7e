"""The table of a search for a learning rate, on stdout."""

import math

from rich.table import Table

from lmdistill.cli.console import results, say
from lmdistill.runs.find_rate import RateSearch


def show_rates(found: RateSearch) -> None:
    """Print the loss of each learning rate on held-out training rows, and the rate that is used."""
    table = Table(show_edge=False)
    for title in ("learning rate", "loss on held-out training rows", ""):
        table.add_column(title, justify="right")
    for rate, loss in found.losses.items():
        shown = f"{loss:.4f}" if math.isfinite(loss) else "diverged"
        table.add_row(f"{rate:g}", shown, "best" if rate == found.best else "")
    results().print(table)
    say(
        f"learning rate {found.best:g}: the best of {len(found.losses)}, after {found.steps} steps each, on "
        f"{found.held} training rows that were held out"
    )
