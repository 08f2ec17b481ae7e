"""A recipe for language models from the first row to the last page, on a tiny corpus and tiny networks."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmdistill.cli.main import main
from lmdistill.commands.evaluate_language import evaluate_language, is_writer
from lmdistill.commands.generate import generate
from lmdistill.core.errors import ConfigError, LmdistillError, MismatchError, RunError
from lmdistill.data.language.conversations import load_conversations
from lmdistill.export.hugging_face import save
from lmdistill.models.generation import generate_completions
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.recipes.files import read_recipe, recipe_text
from lmdistill.recipes.language_model import LanguageRecipe, Texts
from lmdistill.records.predictions import read_predictions
from lmdistill.records.record import RecordedRun, read_record
from lmdistill.report.quotes import quotes
from lmdistill.runs.language.data import load_texts
from lmdistill.runs.language.dataset import encode_texts
from lmdistill.runs.language.student import make_student
from lmdistill.runs.language.teacher_cache import TeacherCache
from lmdistill.runs.language.teacher_completions import by_teacher
from lmdistill.runs.run_recipe import run_recipe
from tests.tiny import WORDS
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


@pytest.fixture
def small_chunks(monkeypatch):
    """Two completions between two writes."""
    for module in ("records.resumable_jsonl", "runs.language.teacher_completions", "commands.generate"):
        monkeypatch.setattr(f"lmdistill.{module}.CHUNK", 2)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a finished recipe in `runs/all`."""
    folder = tmp_path_factory.mktemp("language")
    write_corpus(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_recipe(read_recipe("recipe.yaml"), Path("runs/all"), command="lmdistill test")
        yield folder


def test_every_run_has_all_its_files_and_a_record_that_says_what_it_is(place):
    for name in ("SFT", "SeqKD", "GKD", "ATKD"):
        folder = place / "runs" / "all" / f"{name}-seed0"
        files = {path.name for path in folder.iterdir()}
        assert {
            "record.json",
            "history.jsonl",
            "predictions.jsonl",
            "disagreements.jsonl",
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


@pytest.mark.parametrize("name", ["SFT", "ATKD"])
def test_texts_and_places_add_up_to_the_record(place, name):
    folder = place / "runs" / "all" / f"{name}-seed0"
    record, texts = read_record(folder), read_predictions(folder / "predictions.jsonl")
    total = sum(one.label for one in texts)
    assert sum(one.count for one in record.positions) == total
    assert sum(one.count for one in record.calibration.bins) == total
    sides = [(record.metrics, "nats", "student"), (record.teacher_metrics, "teacher_nats", "teacher")]
    for scores, by_place, by_text in sides:
        nats = scores["dev"]["nats"]
        places = sum(one.count * getattr(one, by_place) for one in record.positions)
        assert places / total == pytest.approx(nats, rel=1e-5)
        assert sum(getattr(one, by_text)[0] for one in texts) / total == pytest.approx(nats, rel=1e-4)
    assert {one.tokens for one in texts} == {int(one.label) + 1 for one in texts}  # all but the first token
    page = (folder / "report.html").read_text()
    assert "Nats per token by number of preceding tokens in the text" in page
    first = quotes(RecordedRun(path=folder, record=record)).found[0]
    assert " has a " in first.texts[-1]
    assert first.texts[-1] in page


def test_a_record_knows_what_was_changed(place):
    found = {name: read_record(place / "runs" / "all" / f"{name}-seed0").changed for name in ("SFT", "GKD")}
    changed = {"divergence": "jensen_shannon", "completions": {"student": 0.5, "max_new": 6}}
    assert found == {"SFT": {}, "GKD": changed}


def test_a_finished_recipe_is_not_run_again_and_another_one_is_refused(place, monkeypatch):
    monkeypatch.chdir(place)
    record = place / "runs" / "all" / "SFT-seed0" / "record.json"
    before = record.stat().st_mtime_ns
    run_recipe(read_recipe("recipe.yaml"), Path("runs/all"), command="again")
    assert record.stat().st_mtime_ns == before
    with pytest.raises(RunError, match=r"holds another run: training\.epochs is 1 there and 3 here"):
        run_recipe(read_recipe("recipe.yaml", ["training.epochs=3"]), Path("runs/all"), command="other")


def test_a_folder_that_holds_something_else_is_refused(place, monkeypatch):
    monkeypatch.chdir(place)
    (place / "photos").mkdir(exist_ok=True)
    (place / "photos" / "a.jpg").touch()
    with pytest.raises(RunError, match="photos exists and holds other files"):
        run_recipe(read_recipe("recipe.yaml"), Path("photos"), command="test")
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


@pytest.mark.slow
def test_the_teachers_completions_are_written_once_and_go_on_after_a_stop(place, tmp_path, small_chunks):
    (kept,) = (place / "runs" / "teachers").glob("completions-*.jsonl")
    texts = load_texts(Texts(source=str(place / "stories.txt"), dev_rows=6, max_length=24))
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(texts.train["index"])
    teacher = tiny_language()
    pages = encode_texts(texts, teacher.tokenizer, Texts(source="", max_length=24))
    path = tmp_path / "half.jsonl"
    whole = by_teacher(texts, pages, teacher, tmp_path / "whole.jsonl", max_new=5, begin=2)
    before = [
        json.dumps({"index": index, "completion": "kept from before", "ended": True}) + "\n"
        for index in texts.train["index"][:2]
    ]
    path.write_text("".join(before) + '{"index": 7, "comp')  # killed inside a line
    resumed = by_teacher(texts, pages, teacher, path, max_new=5, begin=2)
    assert resumed.train["completion"][:2] == ["kept from before"] * 2
    assert resumed.train["completion"][2:] == whole.train["completion"][2:]
    assert [json.loads(line)["index"] for line in path.read_text().splitlines()] == texts.train["index"]
    assert whole.dev["completion"] == texts.dev["completion"]


def test_a_completion_that_was_cut_is_learned_without_an_end_token(place, tmp_path):
    texts = load_texts(Texts(source=str(place / "stories.txt"), dev_rows=6, max_length=24))
    teacher = tiny_language()
    settings = Texts(source="", max_length=24)
    pages = encode_texts(texts, teacher.tokenizer, settings)
    found = by_teacher(texts, pages, teacher, tmp_path / "all.jsonl", max_new=5, begin=2)
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    ended = {line["index"]: line["ended"] for line in lines}
    assert not all(ended.values())
    assert found.notes[-1].startswith(f"{len(ended) - sum(ended.values())} of the teacher's 30 completions")
    end = teacher.tokenizer.eos_token_id
    rows = encode_texts(found, teacher.tokenizer, settings).train.rows
    assert {row["index"]: row["input_ids"][-1] == end for row in rows} == ended


def test_generate_keeps_fields_and_order_and_goes_on_after_a_stop(place, tmp_path, small_chunks, monkeypatch):
    source, out = tmp_path / "prompts.jsonl", tmp_path / "done.jsonl"
    rows = [{"prompt": f"{who} has", "id": number} for number, who in enumerate(("Anna", "Ben", "Cleo"))]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = place / "runs" / "all" / "SFT-seed0"
    assert generate(run, source, out, max_new=4) == 3
    written = [json.loads(line) for line in out.read_text().splitlines()]
    assert [{key: row[key] for key in ("prompt", "id")} for row in written] == rows
    monkeypatch.setattr("lmdistill.commands.generate.generate_completions", _failing_at(2))
    with pytest.raises(RuntimeError):
        generate(run, source, tmp_path / "again.jsonl", max_new=4)
    (part,) = tmp_path.glob("again.jsonl.*.part")
    assert part.read_text().splitlines() == out.read_text().splitlines()[:2]
    part.write_text(part.read_text() + '{"prompt": "Cl')  # killed inside a line
    generate(run, source, tmp_path / "other.jsonl", max_new=2)
    assert part.exists()  # other settings do not go on from it
    generate(run, source, tmp_path / "again.jsonl", max_new=4)
    assert (tmp_path / "again.jsonl").read_text() == out.read_text()
    assert not part.exists()
    with pytest.raises(LmdistillError, match=r"done\.jsonl exists\. Choose another --out"):
        generate(run, source, out)


def _failing_at(call):
    """`generate_completions`, which fails when it is called for this time."""
    calls = []

    def found(*args, **settings):
        calls.append(args)
        if len(calls) == call:
            raise RuntimeError
        return generate_completions(*args, **settings)

    return found


def test_what_is_generated_from_texts_and_chats_can_be_learned_from(place, tmp_path):
    network = tiny_language()
    network.tokenizer.chat_template = (
        "{% for m in messages %}{{ m.content }} {% endfor %}{% if add_generation_prompt %}{% endif %}"
    )
    save(network, tmp_path / "model")
    (tmp_path / "a.txt").write_text("good film\nbad plot\ndull film\n")
    chats = [
        [{"role": "user", "content": f"good {word}"}, {"role": "assistant", "content": "no answer"}]
        for word in WORDS[:8]
    ]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    for source, layout in (("a.txt", "prompt"), ("b.jsonl", "messages")):
        generate(tmp_path / "model", tmp_path / source, tmp_path / f"{source}.out.jsonl", max_new=3)
        lines = [json.loads(line) for line in (tmp_path / f"{source}.out.jsonl").read_text().splitlines()]
        found = load_conversations(tmp_path / f"{source}.out.jsonl", 1)
        assert found.layout == layout
        assert {*found.train["completion"]} <= {line["completion"] for line in lines}


@pytest.mark.slow
def test_students_go_on_from_the_prompts_of_a_file(place, monkeypatch):
    monkeypatch.chdir(place)
    rows = [{"prompt": "Anna has", "output": "a red ball ."}, {"prompt": "Ben has " * 30, "output": "x"}]
    Path("asked.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ["methods=null", "method={name: sft}", "writing.prompts=asked.jsonl", "student.warm=null"]
    (folder,) = run_recipe(read_recipe("recipe.yaml", settings), Path("runs/asked"), command="test")
    (line,) = (folder / "generations.jsonl").read_text().splitlines()
    assert json.loads(line)["prompt"] == "Anna has"
    assert json.loads(line)["reference"] == "a red ball ."
    with pytest.raises(LmdistillError, match=r"nowhere\.jsonl does not exist"):
        run_recipe(
            read_recipe("recipe.yaml", ["writing.prompts=nowhere.jsonl"]), Path("runs/no"), command="test"
        )


def test_networks_answer_for_tokens_only_whatever_the_student_is(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in (("teacher", 40), ("student", 32)):
        save(tiny_language(rows=rows, layers=2), tmp_path / name)
    (tmp_path / "stories.txt").write_text("\n".join(f"{a} {b}" for a in WORDS[5:9] for b in WORDS[5:12]))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    base = ["teacher={model: teacher}", "methods=null", "method={name: atkd}"]
    cases = {
        "cut": ["student.warm=null"],
        "shape": ["student.warm=null", "student.shape={width: 8, layers: 1, heads: 2}"],
        "warm": ["student.model=student"],
    }
    for name, more in cases.items():
        recipe = read_recipe("recipe.yaml", [*base, *more])
        teacher = load_causal("teacher")
        bench = TeacherCache(
            recipe=recipe, texts=load_texts(recipe.texts), folder=tmp_path / name, command="test"
        )
        student = make_student(bench, teacher, seed=0)
        assert student.vocabulary == teacher.vocabulary == 24
    recipe = read_recipe("recipe.yaml", [*base, "texts.max_length=65"])
    bench = TeacherCache(recipe=recipe, texts=bench.texts, folder=tmp_path, command="test")
    with pytest.raises(MismatchError, match=r"texts\.max_length is 65 and .* reads at most 64 tokens"):
        make_student(bench, load_causal("teacher"), seed=0)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            f'{{"prompt": "a"}}\n{{"prompt": "{"a " * 300}"}}\n',
            r"line 2: the prompt has \d+ tokens, and .* reads",
        ),
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
    found = evaluate_language(folder)
    assert found.passages == 6
    assert found.metrics["nats"] == pytest.approx(read_record(folder).metrics["dev"]["nats"], rel=1e-6)
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


@pytest.mark.slow
def test_a_student_with_adapters_is_saved_as_a_stock_model(place, monkeypatch):
    pytest.importorskip("peft")
    monkeypatch.chdir(place)
    settings = [
        "methods=null",
        "method={name: token_kd}",
        "student.adapters={rank: 2}",
        "student.checkpointing=true",
    ]
    (folder,) = run_recipe(read_recipe("recipe.yaml", settings), Path("runs/lora"), command="test")
    record = read_record(folder)
    plain = read_record(Path("runs/all/SFT-seed0"))
    assert record.student.parameters == plain.student.parameters
    assert record.student.fingerprint != plain.student.fingerprint
    model, report = AutoModelForCausalLM.from_pretrained(folder / "student", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.num_parameters() == record.student.parameters.total


@pytest.mark.slow
def test_a_teacher_in_half_precision_teaches_a_whole_student(place, monkeypatch):
    monkeypatch.chdir(place)
    settings = ["methods=null", "method={name: token_kd}", "student.warm=null"]
    half = [*settings, "teacher.dtype=bfloat16"]
    (plain,) = run_recipe(read_recipe("recipe.yaml", settings), Path("runs/whole"), command="test")
    (folder,) = run_recipe(read_recipe("recipe.yaml", half), Path("runs/half"), command="test")
    record, whole = read_record(folder), read_record(plain)
    assert record.teacher.fingerprint != whole.teacher.fingerprint
    assert record.student.fingerprint != whole.student.fingerprint
    assert record.metrics["dev"]["nats"] == pytest.approx(whole.metrics["dev"]["nats"], rel=0.02)
    assert {p.dtype for p in load_causal(folder / "student", dtype="auto").parameters()} == {torch.float32}


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
