"""lmdistill theory: evaluate MixKD's generalisation bounds, for a run or for given numbers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from lmdistill.cli.console import results
from lmdistill.core.errors import ConfigError

BITS = 32


def theory(
    run: Annotated[
        Path | None,
        typer.Argument(help="Run folder, from which missing numbers of samples and parameters are taken."),
    ] = None,
    bound: Annotated[
        float | None,
        typer.Option(help="M, the value that losses are clipped to, > 0. Default: 1, for the 0/1 loss."),
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(help="Number of parameters of the network. Default: that of the run.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help=f"Bits per parameter. Default: {BITS}.")] = None,
    log_class: Annotated[
        float | None,
        typer.Option(help="log |G| in nats, the size of the class of networks, instead of --parameters."),
    ] = None,
    rademacher: Annotated[
        float | None,
        typer.Option(
            help="R, Rademacher complexity of the networks on the original samples, instead of a class size."
        ),
    ] = None,
    lipschitz: Annotated[
        float,
        typer.Option(
            help="L, Lipschitz constant of the loss, beside --rademacher. Default: 1, R of the losses."
        ),
    ] = 1.0,
    confidence: Annotated[
        float, typer.Option(help="Probability that the bounds hold, 1 - delta, in (0, 1).")
    ] = 0.95,
    original: Annotated[
        int | None, typer.Option(help="a, number of original samples. Default: that of the run.")
    ] = None,
    augmented: Annotated[
        int | None, typer.Option(help="b, number of mixed samples. Default: that of the run, else 0.")
    ] = None,
    shift: Annotated[
        float,
        typer.Option(help="Delta, by how much mixed samples may lower the expected loss, in its units."),
    ] = 0.0,
    target_gap: Annotated[
        float | None,
        typer.Option(help="Generalisation gap to reach. Default: the bound without mixed samples."),
    ] = None,
) -> None:
    """Print MixKD's bounds of the generalisation gap, and how many mixed samples are enough."""
    from lmdistill.analysis.generalization_bounds import Bound, Mixture
    from lmdistill.cli.print_tables import print_grid
    from lmdistill.report.tables.theory import run_samples, theory_grid, verdict

    samples = None
    if run is not None:
        from lmdistill.commands.open_model import require_finished
        from lmdistill.records.record import read_record

        require_finished(run)
        samples = run_samples(read_record(run), clipped=bound is not None)
        original = samples.original if original is None else original
        augmented = samples.mixed if augmented is None else augmented
    if original is None:
        raise ConfigError("the number of original samples is missing. Give --original, or name a run.")
    mixture = Mixture(
        bound=Bound(
            loss_bound=1.0 if bound is None else bound,
            log_size=_log_size(
                None if samples is None else samples.parameters, parameters, bits, log_class, rademacher
            ),
            rademacher=rademacher,
            lipschitz=lipschitz,
            confidence=confidence,
        ),
        original=original,
        mixed=augmented or 0,
        shift=shift,
        target=target_gap,
    )
    console = results()
    print_grid(console, theory_grid(mixture, samples))
    for sentence in verdict(mixture, samples):
        console.print(Text(sentence), soft_wrap=True)


def _log_size(
    run_parameters: int | None,
    parameters: int | None,
    bits: int | None,
    log_class: float | None,
    rademacher: float | None,
) -> float | None:
    """The size log |G| in nats, from --log-class or a number of parameters; None with --rademacher."""
    options = {"--parameters": parameters, "--log-class": log_class, "--rademacher": rademacher}
    used = [f"{name} {value}" for name, value in options.items() if value is not None]
    if len(used) > 1:
        raise ConfigError(f"{' and '.join(used)} each say how large the class is. Give only one of them.")
    if bits is not None and (log_class is not None or rademacher is not None):
        raise ConfigError(f"--bits {bits} has no effect beside {used[0]}. Leave it out.")
    if log_class is not None or rademacher is not None:
        return log_class
    if parameters is None and run_parameters is None:
        raise ConfigError(
            "the size of the class is missing. Give --parameters, --log-class or --rademacher, or name a run."
        )
    from lmdistill.analysis.generalization_bounds import log_class_size

    count = run_parameters if parameters is None else parameters
    return log_class_size(count or 0, bits=BITS if bits is None else bits)
