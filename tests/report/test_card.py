import yaml

from lmdistill.report.card import model_card, run_readme
from tests.report.factory import make_record, network, plain_record

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


def test_scores_of_student_teacher_and_constant_answer_stand_side_by_side() -> None:
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
