"""The licence of a teacher: from the recipe, or from the card in its folder; never a guess."""

import pytest

from lmdistill.recipes.files import read_recipe
from lmdistill.records.record import read_record
from lmdistill.runs.run_recipe import run_recipe
from lmdistill.runs.teacher_terms import licence_of, teacher_terms
from tests.tiny_recipe import write_recipe


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# Model\n", "apache-2.0"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit, apache-2.0"),
        ("---\nlicense: other\nlicense_name: gemma\n---\n", "other (gemma)"),
        ("---\ntags: [a]\n---\nlicense: mit\n", None),
        ("license: mit\n", None),
        ("---\nlicense: {mit\n---\n", None),
        ("---\n- license\n---\n", None),
        ("", None),
    ],
)
def test_a_card_states_a_licence_in_its_front_matter_or_none(tmp_path, card, licence):
    (tmp_path / "README.md").write_text(card)
    assert licence_of(str(tmp_path)) == licence


def test_a_model_without_a_folder_or_a_card_states_none(tmp_path):
    assert licence_of("owner/name") is None
    assert licence_of(str(tmp_path)) is None
    assert licence_of("packaged:nothing") is None


def test_the_recipe_comes_first_and_answers_and_several_teachers_are_named(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    model = str(tmp_path)
    assert teacher_terms({"teacher": {"model": model, "licence": None}}).licence == "mit"
    given = teacher_terms({"teacher": {"model": model, "licence": "own", "answers_use": "research"}})
    assert (given.licence, given.answers_use) == ("own", "research")
    answers = teacher_terms({"teacher": {"model": model, "answers": "answers.jsonl"}})
    assert (answers.teacher, answers.licence) == ("answers.jsonl", None)
    several = teacher_terms({"teacher": {"model": "x", "models": [model, model, "owner/name"]}})
    assert (several.teacher, several.licence) == (f"{model}, owner/name", "mit")
    assert teacher_terms({"teacher": None}) is None
    assert teacher_terms({"teacher": {"model": None}}) is None


def test_record_and_card_of_a_run_name_the_teacher_and_its_terms(tmp_path, no_pages):
    path = write_recipe(
        tmp_path / "given", epochs=1, methods={"FT": {"name": "finetune"}, "KD": {"name": "kd"}}
    )
    card = tmp_path / "given" / "model" / "README.md"
    card.write_text("---\nlicense: mit\n---\n")
    alone, taught = run_recipe(
        read_recipe(path, ["teacher.answers_use=classifiers of *reviews*"]), tmp_path / "out", command="test"
    )
    terms = read_record(taught).teacher_terms
    assert (terms.licence, terms.answers_use) == ("mit", "classifiers of *reviews*")
    said = (taught / "student" / "README.md").read_text()
    assert (
        "Licence of the teacher model: mit. What its answers may be used for: classifiers of \\*rev" in said
    )
    assert read_record(alone).teacher_terms == terms  # its layers are the teacher's
    card.write_text("No front matter.")
    (again,) = run_recipe(read_recipe(path, ["methods={KD: {name: kd}}"]), tmp_path / "bare", command="test")
    assert (
        "Licence of the teacher model: not stated. What its answers may be used for: not stated."
        in (again / "student" / "README.md").read_text()
    )
