"""lmdistill theory: MixKD's bounds with their symbols, beside a run or without one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lmdistill.cli.console import results
from lmdistill.core.errors import ConfigError

BITS = 32


def theory(
    run: Annotated[Path | None, typer.Argument(help="A run: gives what options leave out.")] = None,
    bound: Annotated[
        float | None,
        typer.Option(help="M, where the loss of the training is clipped; 1, for the 0/1 loss, unless given."),
    ] = None,
    parameters: Annotated[int | None, typer.Option(help="Of the network.")] = None,
    bits: Annotated[int | None, typer.Option(help=f"Of each parameter; {BITS} unless given.")] = None,
    log_class: Annotated[float | None, typer.Option(help="log |G| in nats, instead of parameters.")] = None,
    rademacher: Annotated[
        float | None, typer.Option(help="R of the losses on the originals, instead of a class size.")
    ] = None,
    confidence: Annotated[float, typer.Option(help="1 - delta, in (0, 1).")] = 0.95,
    original: Annotated[int | None, typer.Option(help="a, original samples.")] = None,
    augmented: Annotated[int | None, typer.Option(help="b, mixed samples; 0 unless given.")] = None,
    shift: Annotated[
        float, typer.Option(help="How far mixed samples may lower the expected loss, in units of the loss.")
    ] = 0.0,
    target_gap: Annotated[
        float | None, typer.Option(help="The gap to reach; the bound without mixed samples unless given.")
    ] = None,
) -> None:
    """Print MixKD's bounds of the generalisation gap, and how many mixed samples are enough."""
    from lmdistill.analysis.generalization_bounds import Bound, Mixture
    from lmdistill.cli.print_tables import print_grid
    from lmdistill.report.tables.theory import run_samples, theory_grid, verdict

    found = None
    if run is not None:
        from lmdistill.commands.open_model import require_finished
        from lmdistill.records.record import read_record

        require_finished(run)
        found = run_samples(read_record(run), clipped=bound is not None)
        original = found.original if original is None else original
        augmented = found.mixed if augmented is None else augmented
    if original is None:
        raise ConfigError("the number of original samples is missing. Give --original, or name a run.")
    mixture = Mixture(
        bound=Bound(
            loss_bound=1.0 if bound is None else bound,
            log_size=_log_size(
                None if found is None else found.parameters, parameters, bits, log_class, rademacher
            ),
            rademacher=rademacher,
            confidence=confidence,
        ),
        original=original,
        mixed=augmented or 0,
        shift=shift,
        target=target_gap,
    )
    console = results()
    print_grid(console, theory_grid(mixture, found))
    for sentence in verdict(mixture, found):
        console.print(Text(sentence), soft_wrap=True)


def _log_size(
    of_run: int | None,
    parameters: int | None,
    bits: int | None,
    log_class: float | None,
    rademacher: float | None,
) -> float | None:
    """The size of the class from its one option, or from the run's parameters; None beside a complexity."""
    options = {"--parameters": parameters, "--log-class": log_class, "--rademacher": rademacher}
    given = [f"{name} {value}" for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} each say how large the class is. Give only one of them.")
    if bits is not None and (log_class is not None or rademacher is not None):
        raise ConfigError(f"--bits {bits} has no effect beside {given[0]}. Leave it out.")
    if log_class is not None or rademacher is not None:
        return log_class
    if parameters is None and of_run is None:
        raise ConfigError(
            "the size of the class is missing. Give --parameters, --log-class or --rademacher, or name a run."
        )
    from lmdistill.analysis.generalization_bounds import log_class_size

    count = of_run if parameters is None else parameters
    return log_class_size(count or 0, bits=BITS if bits is None else bits)
