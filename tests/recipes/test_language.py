"""A recipe for language models from the first row to the last page, on a tiny corpus and tiny networks."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmdistill.cli.main import main
from lmdistill.core.errors import ConfigError, LmdistillError, RunError
from lmdistill.data.conversations import load_conversations
from lmdistill.recipes.language.completions import by_teacher
from lmdistill.recipes.language.evaluate import evaluate_language, is_writer
from lmdistill.recipes.language.generate import generate
from lmdistill.recipes.language.passages import cut_pages, load_texts
from lmdistill.recipes.language.run import run_language_recipe
from lmdistill.recipes.language.schema import LanguageRecipe, Texts
from lmdistill.recipes.read import read_recipe, recipe_text
from lmdistill.report.record import read_record
from tests.tiny_causal import tiny_language

RECIPE = """
texts: {source: stories.txt, dev_rows: 6, max_length: 24}
teacher:
  shape: {width: 8, layers: 2, heads: 2}
  training: {epochs: 2, batch_size: 8, optimizer: {learning_rate: 1e-2}}
student:
  layers: 1
  warm: {epochs: 1, batch_size: 8, optimizer: {learning_rate: 1e-2}}
methods:
  SFT: {name: sft}
  SeqKD: {name: sft, completions: {teacher: true, max_new: 8}}
  GKD: {name: token_kd, divergence: jensen_shannon, completions: {student: 0.5, max_new: 6}}
  ATKD: {name: atkd, divergence: reverse_kl}
writing: {rows: 3, max_new: 6, begin: 3}
training: {epochs: 1, batch_size: 8, checkpoint_every: 1, optimizer: {learning_rate: 1e-2}}
"""


def write_corpus(folder: Path) -> None:
    lines = [
        f"{who} has a {colour} {thing} ."
        for who in ("Anna", "Ben", "Cleo")
        for colour in ("red", "blue", "green")
        for thing in ("ball", "kite", "boat", "hat")
    ]
    (folder / "stories.txt").write_text("\n".join(lines) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a finished recipe in `runs/all`."""
    folder = tmp_path_factory.mktemp("language")
    write_corpus(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_language_recipe(read_recipe("recipe.yaml"), Path("runs/all"), command="lmdistill test")
        yield folder


def test_every_run_has_all_its_files_and_a_record_that_says_what_it_is(place):
    for name in ("SFT", "SeqKD", "GKD", "ATKD"):
        folder = place / "runs" / "all" / f"{name}-seed0"
        files = {path.name for path in folder.iterdir()}
        assert {
            "record.json",
            "history.jsonl",
            "predictions.jsonl",
            "generations.jsonl",
            "report.html",
            "README.md",
            "student",
            "recipe.yaml",
        } <= files
        assert "checkpoints" not in files
        record = read_record(folder)
        assert record.task.kind == "language"
        assert record.headline == ("dev", "nats")
        assert record.tokens.easy.count + record.tokens.hard.count == sum(record.tokens.histogram)
        assert record.metrics["dev"]["perplexity"] == pytest.approx(
            2.718281828 ** record.metrics["dev"]["nats"]
        )
        assert record.teacher.layers == 2
        assert record.student.layers == 1
        assert "AutoModelForCausalLM" in (folder / "student" / "README.md").read_text()
    assert (place / "runs" / "all" / "report.html").is_file()


def test_nats_of_the_record_are_those_of_plain_transformers(place):
    folder = place / "runs" / "all" / "ATKD-seed0"
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(folder / "student"),
        AutoTokenizer.from_pretrained(folder / "student"),
    )
    texts = load_texts(Texts(source=str(place / "stories.txt"), dev_rows=6, max_length=24))
    total = count = 0
    for text in texts.dev["completion"]:
        ids = torch.tensor(
            [
                [
                    tokenizer.bos_token_id,
                    *tokenizer(text, add_special_tokens=False)["input_ids"],
                    tokenizer.eos_token_id,
                ]
            ]
        )
        with torch.no_grad():
            total += float(model(ids, labels=ids).loss) * (ids.shape[1] - 1)
        count += ids.shape[1] - 1
    assert read_record(folder).metrics["dev"]["nats"] == pytest.approx(total / count, rel=1e-5)


def test_predictions_add_up_to_the_record(place):
    folder = place / "runs" / "all" / "SFT-seed0"
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    nats = sum(line["student"][0] for line in lines) / sum(line["label"] for line in lines)
    assert nats == pytest.approx(read_record(folder).metrics["dev"]["nats"], rel=1e-4)


def test_a_finished_recipe_is_not_run_again_and_another_one_is_refused(place, monkeypatch):
    monkeypatch.chdir(place)
    record = place / "runs" / "all" / "SFT-seed0" / "record.json"
    before = record.stat().st_mtime_ns
    run_language_recipe(read_recipe("recipe.yaml"), Path("runs/all"), command="again")
    assert record.stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"holds another run: training\.epochs is 1 there and 3 here"):
        run_language_recipe(
            read_recipe("recipe.yaml", ["training.epochs=3"]), Path("runs/all"), command="other"
        )


def test_a_folder_that_holds_something_else_is_refused(place, monkeypatch):
    monkeypatch.chdir(place)
    (place / "photos").mkdir(exist_ok=True)
    (place / "photos" / "a.jpg").touch()
    with pytest.raises(RunError, match="photos exists and holds other files"):
        run_language_recipe(read_recipe("recipe.yaml"), Path("photos"), command="test")
    assert [path.name for path in (place / "photos").iterdir()] == ["a.jpg"]


def test_the_teacher_cannot_complete_packed_texts(place, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(
        ConfigError, match=r"methods\.SeqKD learns the teacher's completions and texts\.packing joins"
    ):
        read_recipe("recipe.yaml", ["texts.packing=true"])


def test_the_written_recipe_is_the_recipe(place, monkeypatch):
    monkeypatch.chdir(place)
    recipe = read_recipe("recipe.yaml")
    assert isinstance(recipe, LanguageRecipe)
    (place / "again.yaml").write_text(recipe_text(recipe))
    assert read_recipe("again.yaml") == recipe


def test_the_teachers_completions_are_written_once_and_go_on_after_a_stop(place, tmp_path):
    (kept,) = (place / "runs" / "teachers").glob("completions-*.jsonl")
    texts = load_texts(Texts(source=str(place / "stories.txt"), dev_rows=6, max_length=24))
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(texts.train["index"])
    teacher = tiny_language()
    pages = cut_pages(texts, teacher.tokenizer, Texts(source="", max_length=24))
    path = tmp_path / "half.jsonl"
    whole = by_teacher(texts, pages, teacher, tmp_path / "whole.jsonl", max_new=5, begin=2)
    path.write_text(
        "".join(
            json.dumps({"index": index, "completion": "kept from before"}) + "\n"
            for index in texts.train["index"][:3]
        )
    )
    resumed = by_teacher(texts, pages, teacher, path, max_new=5, begin=2)
    assert resumed.train["completion"][:3] == ["kept from before"] * 3
    assert len(path.read_text().splitlines()) == texts.train.num_rows
    assert whole.dev["completion"] == texts.dev["completion"]


def test_generate_keeps_fields_and_order_and_goes_on_after_a_stop(place, tmp_path):
    source, out = tmp_path / "prompts.jsonl", tmp_path / "done.jsonl"
    rows = [{"prompt": f"{who} has", "id": number} for number, who in enumerate(("Anna", "Ben", "Cleo"))]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = place / "runs" / "all" / "SFT-seed0"
    assert generate(run, source, out, max_new=4) == 3
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [{key: row[key] for key in ("prompt", "id")} for row in written] == rows
    part = tmp_path / "again.jsonl.part"
    part.write_text(json.dumps({**rows[0], "completion": "from before"}) + "\n")
    generate(run, source, tmp_path / "again.jsonl", max_new=4)
    again = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    assert again == [{**rows[0], "completion": "from before"}, *written[1:]]
    assert not part.exists()
    with pytest.raises(LmdistillError, match=r"done\.jsonl exists\. Choose another --out"):
        generate(run, source, out)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"prompt": ""}\n', r"line 1: the prompt is empty"),
        ('{"words": "a"}\n', "not clear which column holds the prompts; the columns are: words"),
        ('{"prompt": "a"}\n{"prompt"\n', "line 2: not JSON"),
    ],
)
def test_prompts_that_cannot_be_used_are_refused_before_anything_is_written(place, tmp_path, text, match):
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(LmdistillError, match=match):
        generate(place / "runs" / "all" / "SFT-seed0", tmp_path / "bad.jsonl", tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.jsonl"]


def test_evaluate_gives_the_records_numbers(place, monkeypatch):
    monkeypatch.chdir(place)
    folder = Path("runs/all/GKD-seed0")
    assert is_writer(folder)
    passages, metrics = evaluate_language(folder)
    assert passages == 6
    assert metrics["nats"] == pytest.approx(read_record(folder).metrics["dev"]["nats"], rel=1e-6)
    with pytest.raises(ConfigError, match="training has no effect on a finished language model"):
        evaluate_language(folder, ["training.epochs=3"])


def test_commands_say_one_line_where_something_is_wrong(place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    cases = {
        ("measure", "runs/all/SFT-seed0"): "is a run of a language model",
        ("distill", "recipe.yaml", "--out", "runs/x", "--set", "texts.source=nowhere.txt"): "nowhere.txt",
        ("distill", "recipe.yaml", "--out", "runs/x", "--set", "methods.SFT.name=mixkd"): "mixkd",
        (
            "distill",
            "recipe.yaml",
            "--out",
            "runs/x",
            "--set",
            "student.layers=3",
        ): "layers must be between 1 and 2",
        (
            "distill",
            "recipe.yaml",
            "--out",
            "runs/x",
            "--set",
            "teacher.shape.width=9",
        ): "width 9 cannot be shared",
        ("distill", "recipe.yaml", "--out", "runs/x", "--set", "texts.max_length=1"): "max_length is 1",
    }
    for arguments, said in cases.items():
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        error = capsys.readouterr().err.strip().splitlines()
        assert left.value.code == 2, error
        assert said in error[-1], error
        assert not (place / "runs" / "x").exists()


def test_a_student_with_adapters_is_saved_as_a_stock_model(place, monkeypatch):
    pytest.importorskip("peft")
    monkeypatch.chdir(place)
    settings = [
        "methods=null",
        "method={name: token_kd}",
        "student.adapters={rank: 2}",
        "student.checkpointing=true",
    ]
    (folder,) = run_language_recipe(read_recipe("recipe.yaml", settings), Path("runs/lora"), command="test")
    record = read_record(folder)
    plain = read_record(Path("runs/all/SFT-seed0"))
    assert record.student.parameters == plain.student.parameters
    assert record.student.fingerprint != plain.student.fingerprint
    model, report = AutoModelForCausalLM.from_pretrained(folder / "student", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.num_parameters() == record.student.parameters.total


def test_rows_of_an_evaluation_file_are_dropped_and_counted(tmp_path):
    lines = [{"instruction": f"Say {word}", "output": word} for word in ("one", "two", "three", "four")]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "eval.jsonl").write_text(json.dumps({"instruction": "say TWO!"}) + "\n")
    texts = Texts(
        source=str(tmp_path / "train.jsonl"), dev_rows=1, evaluation=(str(tmp_path / "eval.jsonl"),)
    )
    found = load_texts(texts)
    assert "two" not in found.train["completion"]
    assert any("dropped" in note for note in found.notes)
    assert load_conversations(tmp_path / "train.jsonl", 1).train.num_rows == 3
