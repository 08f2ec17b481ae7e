"""A method in a file of the user's own: chosen by path, recorded by path, refused with a reason."""

from pathlib import Path

import pytest

from lmdistill.core.errors import ConfigError, MismatchError
from lmdistill.recipes.files import read_recipe, recipe_of, recipe_text
from lmdistill.recipes.serialization import plain
from lmdistill.records.record import read_record
from tests.docs.commands import commands, run
from tests.docs.pages import EXAMPLES
from tests.tiny import make_batch, tiny

NAME = "examples/new_method.py:Gap"


def test_the_run_is_recorded_under_the_path_that_was_typed(world: Path) -> None:
    (command,) = commands(EXAMPLES / "new_method.sh")
    recipe = read_recipe(command[2], [word for word in command if "=" in word], allow_code=True)
    assert set(recipe.methods) == {"FT", "KD", "MixKD", "Gap"}
    run([*command, "--set", f"methods={{Gap: {{name: {NAME}, weight: 0.2}}}}"])  # without the other three
    record = read_record(world / "runs" / "gap")
    assert record.method == plain(recipe.methods["Gap"]) == {"name": NAME, "weight": 0.2}


def test_a_recipe_with_it_can_be_written_and_read_again(world: Path) -> None:
    recipe = read_recipe("demo", [f"methods.Gap.name={NAME}", "methods.Gap.weight=0.2"], allow_code=True)
    (world / "again.yaml").write_text(recipe_text(recipe))
    assert plain(read_recipe(world / "again.yaml", allow_code=True)) == plain(recipe)


def test_it_teaches_the_gap_and_nothing_else(world: Path) -> None:
    method = recipe_of({"method": {"name": NAME, "weight": 2.0}}, code="run").methods["Gap"]
    student, teacher, batch = tiny(seed=2), tiny(layers=4, seed=1), make_batch()
    terms = method.losses(student, teacher, batch)
    best = [net(batch.inputs).logits.sort(-1).values for net in (student, teacher)]
    gaps = [logits[:, -1] - logits[:, -2] for logits in best]
    assert terms["gap"].item() == pytest.approx(2 * (gaps[0] - gaps[1]).square().sum().item(), rel=1e-5)
    assert method.losses(teacher, teacher, batch)["gap"].item() == 0
    with pytest.raises(MismatchError, match="gap needs a teacher, got none"):
        method.check(student, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no dataclass 'Mine'"),
        ("class Mine: ...", "has no dataclass 'Mine'"),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Mine: ...",
            r"mine.py:Mine is no method; it must have check, losses, mixing, uses_teacher\.",
        ),
    ],
)
def test_what_is_no_method_is_refused(text: str, message: str, world: Path) -> None:
    Path("mine.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        recipe_of({"method": {"name": "mine.py:Mine"}}, code="run")


def test_a_file_that_is_not_there_is_named(world: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no Python file none\.py"):
        recipe_of({"method": {"name": "none.py:Mine"}}, code="run")
