"""An exported folder: checked before it is there, and asked without torch."""

import csv
import json
import logging
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from lmdistill.commands import export as exporting
from lmdistill.commands import export_checks, export_source
from lmdistill.commands.evaluate import evaluate
from lmdistill.commands.evaluate_exported import evaluate_exported
from lmdistill.commands.export import export
from lmdistill.commands.exported_files import PATHS, Export
from lmdistill.commands.measure import measure
from lmdistill.commands.measure_exported import measure_exported
from lmdistill.commands.predict import predict
from lmdistill.commands.predict_exported import predict_exported
from lmdistill.core.errors import ConfigError, DataError, MismatchError, ModelError, UnknownNameError
from lmdistill.data.tasks.text_hashes import hashes_of
from lmdistill.export import onnx_graph
from lmdistill.export.hugging_face import save
from lmdistill.records.text_hashes import TEXT_HASHES, read_text_hashes, write_text_hashes
from lmdistill.serving import runtimes
from lmdistill.serving.manifest import MANIFEST, Measured, read_manifest, write_manifest
from lmdistill.serving.predictor import load_predictor
from tests.cli.cli_project import LABELS, texts, trained, write_csv
from tests.tiny import tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporters' own, which differ between versions

EVERY = Export(to=("onnx", "openvino"), int8=True, min_agreement=0.0, timed_texts=7)
QUICK = Export(timed_texts=0)


@pytest.fixture(scope="module", autouse=True)
def fewer_draws():
    """Bootstraps of a few draws, where not their intervals are looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_checks, "RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model, its rows and its export in every format."""
    folder = tmp_path_factory.mktemp("exported")
    names = ("neg", "mid", "pos")
    save(trained(names, network=tiny(layers=1, seed=1, labels=names)), folder / "model")
    write_csv(folder / "rows.csv", texts(40, seed=3))
    write_csv(folder / "new.csv", texts(33, seed=4))
    export(folder / "model", folder / "out", EVERY, overrides=settings(folder))
    return folder


def settings(folder):
    """The task of the model, as a user writes it."""
    return (
        "task=own",
        f"data.source={folder / 'rows.csv'}",
        "data.dev=0.5",
        "data.labels=[neg, mid, pos]",
        "data.max_length=24",
    )


@pytest.fixture
def exported(made, tmp_path):
    """A copy of the export that a test may damage."""
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


def read(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("graph", ["onnx", "openvino"])
def test_predictions_are_those_of_torch(graph, made, tmp_path):
    predict(made / "model", made / "new.csv", tmp_path / "torch.csv")
    predict_exported(made / "out", made / "new.csv", tmp_path / "graph.csv", graph=graph)
    one, other = read(tmp_path / "torch.csv"), read(tmp_path / "graph.csv")
    assert [row["predicted"] for row in one] == [row["predicted"] for row in other]
    for name in (f"p_{label}" for label in LABELS):
        np.testing.assert_allclose(
            [float(row[name]) for row in one], [float(row[name]) for row in other], atol=2e-6
        )


@pytest.mark.parametrize("graph", ["onnx", "openvino"])
def test_the_evaluation_is_that_of_torch(graph, made):
    (there,) = evaluate(made / "model", settings(made))
    (here,) = evaluate_exported(made / "out", graph=graph)
    assert here.metrics == there.metrics
    assert here.calibration == pytest.approx(there.calibration, abs=1e-5)
    assert (here.split, here.examples, here.majority) == (there.split, there.examples, there.majority)
    assert [one.label for one in here.classes] == [one.label for one in there.classes]


def test_the_manifest_says_what_was_measured(made):
    manifest = read_manifest(made / "out")
    assert manifest.answers.labels == ("neg", "mid", "pos")
    reads = manifest.reads
    assert (manifest.answers.kind, reads.pairs, reads.max_length) == ("classification", False, 24)
    assert manifest.graphs == PATHS
    assert manifest.checks.fastest == manifest.default
    found = manifest.checks.measured
    assert set(found) == {"torch", *PATHS}
    (there,) = evaluate(made / "model", settings(made))
    for name in ("torch", "onnx", "openvino"):
        assert found[name].scores["accuracy"].value == there.metrics["accuracy"]
        assert found[name].calibration_error.value == pytest.approx(
            there.calibration["expected_calibration_error"], abs=1e-5
        )
        assert found[name].difference < 1e-4
        assert found[name].integer_products is None
    for name in ("onnx", "openvino"):
        low = (0.05 / 2) ** (1 / 20)  # exact interval of 20 successes in 20
        assert (found[name].agreement.value, found[name].agreement.high) == (1, 1)
        assert found[name].agreement.low == pytest.approx(low)
        small = found[f"{name}-int8"]
        assert small.integer_products >= 6
        assert small.difference > 0
        assert small.embedding_bytes < found[name].embedding_bytes / 3
    for one in found.values():
        assert 0 < one.p50_ms <= one.p95_ms
        assert one.texts_per_second > 0
        assert one.scores["accuracy"].low <= one.scores["accuracy"].value <= one.scores["accuracy"].high


def test_the_folder_has_the_layout_of_the_ecosystem_and_nothing_else(made):
    names = {
        path.relative_to(made / "out").as_posix() for path in (made / "out").rglob("*") if path.is_file()
    }
    assert names == {
        "README.md",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        TEXT_HASHES,
        MANIFEST,
        "onnx/model.onnx",
        "onnx/model_quantized.onnx",
        "openvino/openvino_model.xml",
        "openvino/openvino_model.bin",
        "openvino/openvino_model_qint8_quantized.xml",
        "openvino/openvino_model_qint8_quantized.bin",
    }


def test_the_card_has_the_numbers_and_no_folder_of_this_machine(made):
    card = (made / "out" / "README.md").read_text()
    accuracy = read_manifest(made / "out").checks.measured["onnx-int8"].scores["accuracy"]
    assert f"{100 * accuracy.value:.2f} [{100 * accuracy.low:.2f}, {100 * accuracy.high:.2f}]" in card
    assert "20 dev rows" in card
    assert "neg, mid, pos" in card
    assert str(made) not in card


def test_a_process_without_torch_answers_the_same(made):
    code = (
        "import sys, json\nsys.modules['torch'] = None\nsys.modules['transformers'] = None\n"
        "from lmdistill.serving.predictor import load_predictor\n"
        f"found = load_predictor({str(made / 'out')!r}, graph='onnx').logits(['a good film', 'bad'])\n"
        "print(json.dumps(found.tolist()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = load_predictor(made / "out", graph="onnx").logits(["a good film", "bad"])
    np.testing.assert_array_equal(np.float32(json.loads(done.stdout)), here)


def test_no_command_imports_torch_for_an_exported_folder(made, tmp_path):
    folder, out = str(made / "out"), str(tmp_path / "answers.csv")
    commands = [
        ["predict", folder, str(made / "new.csv"), "--out", out],
        ["evaluate", folder, "--graph", "openvino"],
        ["measure", folder, "--tokens", "8", "--runs", "1"],
    ]
    code = (
        "import sys\nfrom lmdistill.cli.main import main\n"
        f"for words in {commands!r}:\n"
        "    try:\n        main(words)\n"
        "    except SystemExit as end:\n        assert not end.code, end.code\n"
        "print('heavy:', sorted({'torch', 'transformers', 'accelerate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "heavy: []"
    assert len(read(out)) == 33
    accuracy = read_manifest(made / "out").checks.measured["openvino"].scores["accuracy"].value
    assert f"{100 * accuracy:.2f}" in done.stdout


def test_a_signal_still_reaches_python_when_graphs_come_and_go(made):
    """OpenVINO's signal stacks of several cores would end the process here, on processors with AMX."""
    for graph in (*PATHS, *PATHS):
        load_predictor(made / "out", graph=graph).logits(["a good film"])
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_rows_are_answered_in_their_order_whatever_their_number_and_length(made):
    for graph in PATHS:
        predictor = load_predictor(made / "out", graph=graph)
        many = [f"{'good ' * (number % 17)}film {number}" for number in range(70)]
        whole = predictor.logits(many)
        one_by_one = np.concatenate([predictor.logits([text]) for text in many])
        np.testing.assert_allclose(whole, one_by_one, atol=1e-5)
        assert predictor.logits(["word " * 500]).shape == (1, len(LABELS))


def test_graphs_are_measured_beside_networks_and_without_torch(made, monkeypatch):
    monkeypatch.setattr("lmdistill.commands.measured.peak_memory_of", lambda work: work() or 1.0)
    folder = str(made / "out")
    graphs = {f"{folder} ({name})" for name in PATHS}
    assert {one.name for one in measure_exported([folder], tokens=8, runs=2)} == graphs
    both = measure([folder, made / "model"], tokens=8, runs=2)
    assert {one.name for one in both} == graphs | {str(made / "model")}
    network = both[-1].shape
    assert network.parts["embeddings"] == 4 * network.parameters.embeddings
    assert sum(network.parts.values()) == 4 * network.parameters.total
    with pytest.raises(ConfigError, match=r"^--tokens is 25 and .*out reads at most 24\. Lower --tokens\.$"):
        measure_exported([folder], tokens=25)


# what is refused while a folder is written


def refused(made, tmp_path, said, chosen=QUICK, kind=ModelError, **more):
    """Export and see it refused with these words and without a trace."""
    with pytest.raises(kind, match=said):
        export(made / "model", tmp_path / "new", chosen, **{"overrides": settings(made), **more})
    assert not [path for path in tmp_path.iterdir() if "new" in path.name]


def test_too_little_agreement_leaves_nothing(made, tmp_path, monkeypatch):
    with_graph(made, monkeypatch)
    monkeypatch.setattr(
        "lmdistill.commands.export_checks.same_answers", lambda one, *others: np.arange(len(one)) % 2 == 0
    )
    said = r"^onnx-int8 gives .* on 50\.00 % of 20 texts \(95 % interval 27\.20 to 72\.80\), and --min-agreement is 0\.97"
    refused(made, tmp_path, said, replace(QUICK, int8=True))


def with_graph(made, monkeypatch, change=lambda graph: None):
    """Write the ready graph, changed, instead of a new one, which takes seconds."""

    def write(network, path, *, max_length):
        model = onnx.load(made / "out" / PATHS["onnx"])
        change(model.graph)
        onnx.save(model, path)
        return onnx_graph.INPUTS

    monkeypatch.setattr(onnx_graph, "export_graph", write)


@pytest.fixture
def ready(made, monkeypatch):
    """Exports write the ready graph."""
    with_graph(made, monkeypatch)


def test_outputs_in_another_order_leave_nothing(made, tmp_path, monkeypatch):
    def swap(graph):
        (bias,) = [one for one in graph.initializer if one.name.endswith("classifier.bias")]
        values = onnx.numpy_helper.to_array(bias)[[1, 0, 2]] + np.float32([0.1, 0, 0])
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))

    with_graph(made, monkeypatch, swap)
    said = (
        r"^the graph's logits differ from the network's by up to .*at most 0\.001 is rounding\. Nothing was"
    )
    refused(made, tmp_path, said)


def test_padding_that_changes_answers_leaves_nothing(made, tmp_path, monkeypatch):
    def read_padding(graph):
        for node in graph.node:
            for number, name in enumerate(node.input):
                if name == "attention_mask":
                    node.input[number] = "all_ones"
        same = onnx.helper.make_node("Equal", ["attention_mask", "attention_mask"], ["always"])
        ones = onnx.helper.make_node("Cast", ["always"], ["all_ones"], to=onnx.TensorProto.INT64)
        nodes = [same, ones, *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)

    with_graph(made, monkeypatch, read_padding)
    refused(made, tmp_path, r"^the graph's logits.* differ from the network's by up to")


def test_a_fixed_number_of_rows_leaves_nothing(made, tmp_path, monkeypatch):
    def fix(graph):
        for one in (*graph.input, *graph.output):
            one.type.tensor_type.shape.dim[0].dim_value = 2

    with_graph(made, monkeypatch, fix)
    refused(made, tmp_path, r"model\.onnx cannot compute 20 texts of \d+ tokens .*Export the model again\.$")


@pytest.mark.usefixtures("ready")
def test_a_tokenizer_of_another_model_leaves_nothing(made, tmp_path, monkeypatch):
    honest = exporting.write_graphs

    def with_another(source, part, settings):
        table = json.loads((part / "tokenizer.json").read_text())
        vocabulary = table["model"]["vocab"]
        vocabulary["good"], vocabulary["bad"] = vocabulary["bad"], vocabulary["good"]
        (part / "tokenizer.json").write_text(json.dumps(table))
        return honest(source, part, settings)

    monkeypatch.setattr(exporting, "write_graphs", with_another)
    refused(made, tmp_path, r"^tokenizer\.json splits text \d+ of the dev rows into \d+ pieces other than")


@pytest.mark.usefixtures("ready")
def test_a_graph_in_which_nothing_was_quantised_leaves_nothing(made, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "PRODUCTS", ("NoSuchProduct",))
    refused(made, tmp_path, r"^nothing of model\.onnx was quantised", replace(QUICK, int8=True))


def test_what_cannot_be_exported_is_one_line(made, tmp_path):
    bare = {"overrides": ()}
    said = r"is no run, so there are no texts to check it on\. Add --calibration FILE, or --set task=NAME"
    refused(made, tmp_path, said, kind=ConfigError, **bare)
    said = r"^--text text names a column of --calibration, which is missing\. Add it\.$"
    refused(made, tmp_path, said, kind=ConfigError, text=["text"])
    refused(made, tmp_path, "nowhere.csv", kind=DataError, calibration=tmp_path / "nowhere.csv")
    with pytest.raises(ConfigError, match=r"^--min-agreement must be in \[0, 1\], got 2\.0\.$"):
        Export(min_agreement=2.0)
    with pytest.raises(ModelError, match=r"out exists\. Choose another --out, or remove it\.$"):
        export(made / "model", made / "out", QUICK, overrides=settings(made))


@pytest.mark.usefixtures("ready")
def test_a_model_without_a_task_is_checked_on_the_texts_of_a_file(made, tmp_path):
    manifest = export(made / "model", tmp_path / "new", QUICK, calibration=made / "new.csv", text=["text"])
    assert (manifest.checks.texts, manifest.checks.source) == (33, "texts of new.csv")
    assert manifest.checks.measured["onnx"].scores == {}
    assert manifest.checks.measured["onnx"].agreement.value == 1
    assert manifest.checks.fastest is None
    with pytest.raises(ConfigError, match=r"was exported without a task\. Add --set task=NAME"):
        evaluate_exported(tmp_path / "new")
    (there,) = evaluate(made / "model", settings(made))
    (here,) = evaluate_exported(tmp_path / "new", settings(made)[:-1])
    assert here.metrics == there.metrics


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("is_wanted", [True, False])
def test_hashes_of_the_run_and_of_the_texts_of_the_export_go_along(made, tmp_path, is_wanted):
    student = Path(shutil.copytree(made / "model", tmp_path / "run" / "student"))
    write_text_hashes(student.parent, {"train": [hashes_of(["a text of the run"], [""])]})
    chosen = replace(QUICK, text_hashes=is_wanted)
    export(student, tmp_path / "new", chosen, overrides=settings(made), calibration=made / "new.csv")
    found = read_text_hashes(tmp_path / "new")
    if not is_wanted:
        assert found is None
        return
    assert found["train"].tolist() == hashes_of(["a text of the run"], [""]).tolist()
    texts = {name: [row["text"] for row in read(made / f"{name}.csv")] for name in ("rows", "new")}
    known = {name: set(hashes_of(some, [""] * len(some)).tolist()) for name, some in texts.items()}
    assert set(found["calibration"].tolist()) == known["new"]
    assert len(found["dev"]) == 20
    assert set(found["dev"].tolist()) < known["rows"]


def test_each_graph_has_the_confidences_of_the_dev_texts(made):
    manifest = read_manifest(made / "out")
    for graph in PATHS:
        levels = np.array(manifest.checks.measured[graph].confidences)
        assert len(levels) == 99
        assert (np.diff(levels) <= 0).all()
    network, graph = (manifest.checks.measured[name].confidences for name in ("torch", "onnx"))
    np.testing.assert_allclose(network, graph, atol=1e-6)
    assert len(set(graph)) == 20  # as many as there are dev texts


def test_8_bits_that_are_slower_are_told(caplog):
    fast, slow = (Measured(bytes=1, embedding_bytes=1, p50_ms=time) for time in (1.0, 2.0))
    with caplog.at_level(logging.WARNING, "lmdistill"):
        exporting._tell_slow({"onnx": slow, "onnx-int8": fast})
        assert not caplog.records
        exporting._tell_slow({"onnx": fast, "onnx-int8": slow})
    assert "onnx-int8 takes 2.0 ms a text here and float32 1.0: this processor" in caplog.text


# a folder that is damaged later


def edit(folder, **changes):
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_answers(folder, **changes):
    edit(folder, answers=json.loads((folder / MANIFEST).read_text())["answers"] | changes)


def edit_reads(folder, **changes):
    edit(folder, reads=json.loads((folder / MANIFEST).read_text())["reads"] | changes)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / MANIFEST).unlink(), r"holds no exported model: it has no lmdistill\.json"),
        (lambda folder: (folder / MANIFEST).write_text("{"), r"lmdistill\.json cannot be read"),
        (
            lambda folder: edit(folder, format=2),
            r"in format 2, and this version reads up to 1\. Update lmdistill",
        ),
        (lambda folder: edit_answers(folder, kind="other"), r"is damaged \(answers\.kind: "),
        (lambda folder: edit(folder, default="x"), r"is damaged \(.*there is no graph 'x'\)"),
        (
            lambda folder: edit_answers(folder, labels=["mid", "neg", "pos"]),
            r"lmdistill\.json names the outputs mid, neg, pos, and config\.json neg, mid, pos\.",
        ),
        (lambda folder: edit_reads(folder, inputs=["input_ids"]), r"takes attention_mask, input_ids, token_"),
        (lambda folder: edit(folder, graphs={"onnx": "../x"}), r"\.\./x is outside of the folder"),
        (lambda folder: (folder / PATHS["onnx"]).unlink(), r"onnx/model\.onnx is missing since the export"),
        (
            lambda folder: (folder / PATHS["onnx"]).write_bytes(b"x"),
            r"onnx/model\.onnx has changed since the exp",
        ),
        (
            lambda folder: (folder / "tokenizer.json").write_text("[]"),
            r"tokenizer\.json has changed since the",
        ),
    ],
)
def test_a_damaged_folder_is_one_line(exported, damage, said):
    edit(exported, default="onnx")
    damage(exported)
    with pytest.raises(ModelError, match=said):
        load_predictor(exported)


@pytest.mark.parametrize("graph", ["onnx", "openvino"])
def test_a_graph_that_no_runtime_reads_is_one_line(exported, graph):
    (exported / PATHS[graph]).write_bytes(b"no graph")
    write_manifest(read_manifest(exported), exported)
    with pytest.raises(ModelError, match=r"cannot be loaded \(.+\)\. Export the model again\.$"):
        load_predictor(exported, graph=graph)


def test_a_graph_that_is_not_there_and_settings_are_refused(made, tmp_path):
    folder = made / "out"
    with pytest.raises(
        ConfigError, match=r"has no graph 'other'; there are onnx, onnx-int8, openvino, openvi"
    ):
        load_predictor(folder, graph="other")
    with pytest.raises(ConfigError, match=r"is an exported model without a recipe, so --set has no effect"):
        predict_exported(folder, made / "new.csv", tmp_path / "x.csv", overrides=("data.encoding=latin-1",))
    with pytest.raises(ModelError, match=r"was trained on single texts, and it is asked for others"):
        load_predictor(folder).logits(["a"], ["b"])
    with pytest.raises(ConfigError, match=r"^training has no effect on an exported model; task and data can"):
        evaluate_exported(folder, ("training.epochs=1",))
    with pytest.raises(UnknownNameError, match="quotes"):
        evaluate_exported(folder, ("data.quotes=x",))
    write_csv(tmp_path / "two.csv", [["good", "a"], ["bad", "b"]] * 9)
    with pytest.raises(
        MismatchError, match=r"answers neg, mid, pos, and the task has a, b\. Set data\.source"
    ):
        evaluate_exported(folder, (f"data.source={tmp_path / 'two.csv'}", "data.labels=[a, b]"))


def test_a_missing_runtime_is_named_and_another_graph_is_taken(made, monkeypatch):
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None if name == "onnxruntime" else True)
    with pytest.raises(
        ConfigError, match=r"^onnxruntime is not installed, and the graph onnx needs it\. Install"
    ):
        load_predictor(made / "out", graph="onnx")
    assert load_predictor(made / "out").graph.startswith("openvino")
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"is not installed, and the graph .* needs it\. Install it: pip"):
        load_predictor(made / "out")


def test_calibration_takes_a_few_hundred_of_the_training_texts(made):
    source = export_source.open_source(made / "model", settings(made), None, ())
    assert len(source.samples.first) == 20
    inputs = source.calibration(("input_ids", "attention_mask"))
    assert len(inputs) == 20
    assert {tuple(sorted(one)) for one in inputs} == {("attention_mask", "input_ids")}
    assert not set(source.samples.first) & set(source.texts.first)
