"""lmdistill shrink: the best student within limits of speed, size and quality."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import results
from lmdistill.cli.distill import Overrides
from lmdistill.cli.path_arguments import writable
from lmdistill.cli.study import RUN
from lmdistill.cli.threads import Threads


def shrink(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or path of a YAML file.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder of the search. The same command continues it.", callback=writable),
    ],
    max_latency: Annotated[
        str | None, typer.Option(help="Most time from one text to its answer, as in 5ms; the median.")
    ] = None,
    max_p95: Annotated[str | None, typer.Option(help="The same, the 95th percentile.")] = None,
    max_size: Annotated[str | None, typer.Option(help="Largest file of the model, as in 20MB.")] = None,
    max_params: Annotated[str | None, typer.Option(help="Most parameters, as in 10M.")] = None,
    min_quality: Annotated[
        float | None, typer.Option(help="Least headline score on dev, as a fraction.")
    ] = None,
    min_agreement: Annotated[
        float | None, typer.Option(help="Least share of the dev texts with the teacher's answer, in [0, 1].")
    ] = None,
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            help="Graph that may be served: onnx, onnx-int8, openvino or openvino-int8. Can be repeated. "
            "Default: onnx-int8."
        ),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Numbers of layers to try, as in 1,2,3. Default: up to the teacher's.")
    ] = None,
    widths: Annotated[
        str | None,
        typer.Option(help="Shares of heads and neurons to try, as in 1,0.5. Default: 1,0.75,0.5,0.3,0.2."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Another student model to try as it is: hub id or folder. Can be repeated."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option(help="Hours that the search may take in all. Default: no limit.")
    ] = None,
    timed_texts: Annotated[int, typer.Option(help="Dev texts on which a shape is timed.", min=1)] = 60,
    jobs: Annotated[int, typer.Option(help="Trainings at a time.", min=1)] = 1,
    measure_only: Annotated[
        bool, typer.Option("--measure-only", help="Measure the shapes and train none.")
    ] = False,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Search for the best student within limits: measure shapes, train those that fit, export the best."""
    from lmdistill.cli.shrink_limits import limits_of, numbers

    limits = limits_of(max_latency, max_p95, max_size, max_params, min_quality, min_agreement)
    from lmdistill.cli.print_shrink import show_choice, show_shapes
    from lmdistill.cli.study_progress import following
    from lmdistill.commands.shrink import ShrinkSettings
    from lmdistill.commands.shrink import shrink as search

    settings = ShrinkSettings(
        limits=limits,
        runtimes=tuple(runtime or ("onnx-int8",)),
        layers=tuple(int(number) for number in numbers("--layers", layers, whole=True)),
        widths=numbers("--widths", widths),
        models=tuple(model or ()),
        hours=hours,
        timed_texts=timed_texts,
        jobs=jobs,
    )
    with following(grows=True) as watch:
        found = search(
            recipe,
            out,
            settings,
            command=RUN,
            overrides=set_ or (),
            train_shapes=not measure_only,
            watch=watch,
        )
    show_shapes(results(), found)
    if found.chosen is not None:
        show_choice(results(), found, out)
