import yaml

from lmdistill.report.model_card import model_card, run_readme
from tests.report.factory import make_record, network, plain_record, schedule

NASTY = 'a: "b" | <script> `c` 🎉\n# not a heading'


def front_matter(card: str) -> dict[str, object]:
    _, front, _ = card.split("---\n", 2)
    found = yaml.safe_load(front)
    assert isinstance(found, dict)
    return found


def test_the_front_matter_is_yaml_with_the_names_of_the_hub() -> None:
    task = plain_record()["task"] | {"metrics": ["matthews", "accuracy"]}
    found = front_matter(model_card(make_record(task=task)))
    assert found["pipeline_tag"] == "text-classification"
    assert found["library_name"] == "transformers"
    assert found["metrics"] == ["matthews_correlation", "accuracy"]
    assert found["tags"] == ["lmdistill", "knowledge-distillation", "mixkd"]


def test_hostile_texts_stay_texts() -> None:
    task = plain_record()["task"] | {"name": NASTY, "labels": [NASTY, "x"]}
    card = model_card(make_record(NASTY, task=task, method={"name": NASTY}))
    tags = front_matter(card)["tags"]
    assert isinstance(tags, list)
    assert tags[-1] == NASTY
    body = card.split("---\n", 2)[2]
    assert "\n# not" not in body
    assert " <script>" not in body


def test_scores_of_student_teacher_and_constant_prediction_stand_side_by_side() -> None:
    card = model_card(make_record(accuracy=0.8612, selected="dev-best", alarms=["ding"]))
    assert "| dev accuracy, % | 86.12 | 90.00 | 51.00 |" in card
    assert "Dev-selected" in card
    assert "Alarm: ding" in card
    assert "from_pretrained(folder)" in card


def test_folders_of_the_machine_are_not_published() -> None:
    task = plain_record()["task"] | {"source": "/home/me/secret/glue"}
    card = model_card(make_record(task=task, teacher=network(6, "t") | {"source": "/home/me/secret/teacher"}))
    assert "secret" not in card
    assert "data from glue" in card


def test_the_run_readme_says_how_to_use_and_repeat_it() -> None:
    text = run_readme(make_record(), "runs/a b")
    assert "lmdistill predict 'runs/a b' texts.csv" in text
    assert make_record().command in text
    assert "`student/`" in text


def test_how_a_student_was_pruned_and_through_whom_it_learned_is_said() -> None:
    pruning = {"score": "gradient", "data": "train", "rows": 2000, "scope": "global", "multiple": 8}
    record = make_record(schedule=schedule(), recipe={"student": {"keep": 0.1, "pruning": pruning}})
    for text in (model_card(record), run_readme(record, "runs/a")):
        assert (
            "keeps 10 % of the teacher's heads and neurons and learned through the assistant with 30 %"
            in text
        )
        assert "- Pruning: by gradient on train rows, ranked over all layers." in text
    whole = model_card(make_record(schedule=schedule("path", keep=1.0), recipe=record.recipe))
    assert "Schedule: path." in whole
    assert "Pruning:" not in whole
    assert "- Schedule:" not in model_card(make_record(recipe=record.recipe))
    assert "Schedule: minidisc" in model_card(make_record(schedule=schedule()))  # a recipe without pruning


def test_a_class_in_the_folder_has_two_ways_to_be_loaded() -> None:
    card = model_card(make_record(), carried=True)
    assert "AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)" in card
    assert "AutoTokenizer.from_pretrained(folder, trust_remote_code=True)" in card  # or transformers asks
    assert (
        "import lmdistill\nfrom transformers import AutoModelForSequenceClassification, AutoTokenizer" in card
    )
    assert "AutoModelForSequenceClassification.from_pretrained(folder)\n" in card
    assert "trust_remote_code" not in model_card(make_record())
    assert "import lmdistill" not in model_card(make_record())
    assert "`student/`: the model; its README says how to load it" in run_readme(
        make_record(), "a", carried=True
    )
    assert "any program that reads Hugging Face folders" in run_readme(make_record(), "a")


def test_the_card_names_the_file_that_taught() -> None:
    answers = {
        "source": "/srv/kept/answers.jsonl",
        "fingerprint": "f",
        "kind": "votes",
        "texts": 9,
        "answered": 8,
        "unanswered": 1,
    }
    card = model_card(make_record("KD", teacher=None, answers=answers))
    assert "- Teacher: votes in answers.jsonl, for 8 training texts." in card
    assert "/srv" not in card
