"""A search for a student: seconds to measure its shapes, and how well they predict trained students.

Shapes of MiniLM are measured untrained, then again from the stored file, and beside an export of each one,
which is what a user would do without the cutting of depths. Then a few shapes are trained for some steps by
the same recipe, so that heads and neurons are pruned where they matter least, and each is timed in turn with
its untrained shape. With `--whole` there is instead a search within a limit that about a third of the shapes
keep, and then the full training of all of these.

    python -m benchmarks.shrink --threads 1
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.results_csv import RESULTS, Result, append, tables
from lmdistill.commands.answer_speed import time_answers
from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export
from lmdistill.commands.measure_shapes import Untrained, measure_shapes, timed_texts, untrained_predictors
from lmdistill.commands.shrink import ShrinkSettings, shrink
from lmdistill.commands.shrink_source import ShrinkSource, open_shrink_source
from lmdistill.core.cpu_threads import set_threads
from lmdistill.export.onnx_graph import export_graph
from lmdistill.models.students.truncate import truncate
from lmdistill.records.record import read_record
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.serving.predictor import load_predictor
from lmdistill.studies.shrink.hours import Hours
from lmdistill.studies.shrink.limits import Limits
from lmdistill.studies.shrink.shapes import Shape, grid
from lmdistill.studies.shrink.training_rounds import Plan, shape_recipe

RECIPE, SETTINGS = "demo", ("methods=null", "method.name=kd", "training.epochs=8")
GRAPHS = ("onnx", "onnx-int8")
TRAINED = ((6, 1.0), (6, 0.3), (4, 0.5), (3, 1.0), (2, 0.3))
"""Layers and kept shares of the students that are compared with their untrained shapes."""

RUN = (sys.executable, "-P", "-m", "lmdistill", "distill")


def untrained(source: ShrinkSource, texts: int) -> Untrained:
    """How shapes are measured."""
    return Untrained(
        base=source.base,
        pruning=source.recipe.student.pruning,
        source=source.export_source(),
        graphs=GRAPHS,
        timed_texts=texts,
    )


def measuring(way: Untrained, shapes: Sequence[Shape], folder: Path) -> list[Result]:
    """Seconds to measure all shapes, to do it again, and to export every depth on its own."""
    found = []
    for name in ("first time", "again"):
        begin = time.perf_counter()
        measure_shapes(way, shapes, folder)
        found.append(_seconds(f"{len(shapes)} shapes as {len(GRAPHS)} graphs", name, begin))
    network = way.base(None)
    begin = time.perf_counter()
    for number in range(1, network.num_layers + 1):
        cut = truncate(network, layers=number).float().eval()
        export_graph(cut, folder / "one.onnx", max_length=way.source.length)
    each = (time.perf_counter() - begin) / network.num_layers
    value = each * len(shapes)
    return [
        *found,
        Result(setting=found[0].setting, way="exports of each alone", measure="s", value=value),
    ]


def predicting(source: ShrinkSource, way: Untrained, folder: Path, steps: int) -> list[Result]:
    """Latency of trained students as a multiple of that of their untrained shapes, timed in turn."""
    texts, found = timed_texts(way), []
    for layers, keep in TRAINED:
        shape = Shape(layers=layers, keep=keep)
        run = folder / "runs" / shape.name
        run_recipe(shape_recipe(_plan(source), shape, steps), run, command="benchmark")
        export(run, folder / shape.name, Export(int8=True, min_agreement=0.0, timed_texts=0))
        ways = {
            f"untrained {graph}": one.logits
            for graph, one in untrained_predictors(way, shape, folder / f"{shape.name}-untrained").items()
        }
        for graph in GRAPHS:
            ways[f"trained {graph}"] = load_predictor(folder / shape.name, graph=graph).logits
        speeds = time_answers(ways, texts.first, texts.second)
        for graph in GRAPHS:
            ratio = speeds[f"trained {graph}"].p50_ms / speeds[f"untrained {graph}"].p50_ms
            found.append(
                Result(setting=shape.name, way=graph, measure="trained / untrained p50", value=ratio)
            )
    values = [one.value for one in found]
    largest = max(abs(value - 1) for value in values)
    return [
        *found,
        Result(setting="all", way="all", measure="median ratio", value=statistics.median(values)),
        Result(setting="all", way="all", measure="largest difference from 1", value=largest),
    ]


def whole(folder: Path, shapes: Sequence[Shape], share: float) -> list[Result]:
    """Hours and score of a search, and of the full training of every shape that keeps its limit."""
    layers = tuple(dict.fromkeys(shape.layers for shape in shapes if shape.layers))
    widths = tuple(dict.fromkeys(shape.keep for shape in shapes))
    loose = ShrinkSettings(limits=Limits(bytes=1e12), layers=layers, widths=widths)
    out = folder / "search"
    measured = shrink(RECIPE, out, loose, command=RUN, overrides=SETTINGS, train_shapes=False).shapes
    times = sorted(one.p50_ms for one in measured)
    place = int(share * len(measured))
    limit = (times[place] + times[place + 1]) / 2  # at a shape's own time, chance decides whether it fits
    tight = replace(loose, limits=Limits(latency_ms=limit))
    found = shrink(RECIPE, out, tight, command=RUN, overrides=SETTINGS)
    assert found.chosen is not None
    source, hours = open_shrink_source(RECIPE, SETTINGS, out), Hours(folder, None)
    scores = dict[str, float]()
    for one in found.shapes:
        if not one.exceeded(tight.limits):
            run = out / "runs" / f"{one.shape.name}-full"
            run_recipe(shape_recipe(_plan(source), one.shape), run, command="benchmark")
            record = read_record(run)
            scores[one.shape.name] = record.metrics[record.headline[0]][record.headline[1]] or 0.0
    setting = f"{len(scores)} of {len(found.shapes)} shapes keep the limit"
    search, rest = found.hours, hours.used
    return [
        Result(setting=setting, way="search", measure="hours", value=search),
        Result(setting=setting, way="the shapes that it left out, in full", measure="hours", value=rest),
        Result(setting=setting, way="search", measure="accuracy", value=scores[found.chosen.shape.name]),
        Result(setting=setting, way="best of all in full", measure="accuracy", value=max(scores.values())),
        Result(
            setting=setting,
            way="search",
            measure="rank of its choice among all",
            value=1 + sum(score > scores[found.chosen.shape.name] for score in scores.values()),
        ),
    ]


def _plan(source: ShrinkSource) -> Plan:
    """What all trainings share."""
    return Plan(
        table=source.table,
        steps=source.steps,
        min_steps=source.recipe.training.min_steps,
        seed=0,
        jobs=1,
        command=RUN,
    )


def _seconds(setting: str, way: str, begin: float) -> Result:
    """The time since `begin`."""
    return Result(setting=setting, way=way, measure="s", value=time.perf_counter() - begin)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and append to the table of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--layers", type=int, nargs="*", default=[], help="depths; all by default")
    parser.add_argument("--widths", type=float, nargs="*", default=[], help="kept shares")
    parser.add_argument("--texts", type=int, default=60, help="timed texts")
    parser.add_argument("--steps", type=int, default=20, help="steps of the trained students")
    parser.add_argument("--whole", action="store_true", help="search, and train every shape in full")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS, help="table to append to")
    chosen = parser.parse_args(arguments)
    set_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = open_shrink_source(RECIPE, SETTINGS, folder)
        shapes = grid(source.base(None).num_layers, chosen.layers, chosen.widths)
        if chosen.whole:
            found = whole(folder, shapes, 1 / 3)
        else:
            way = untrained(source, chosen.texts)
            found = measuring(way, shapes, folder)
            found += predicting(source, way, folder, chosen.steps)
    print(tables(found))
    name = "shrink_search" if chosen.whole else "shrink"
    append(found, benchmark=name, threads=chosen.threads, path=chosen.results)


if __name__ == "__main__":
    main()
