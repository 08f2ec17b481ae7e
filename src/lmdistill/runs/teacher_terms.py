"""Licence of the teacher of a run: what the recipe states, or else the model card in the teacher's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmdistill.core.errors import LmdistillError
from lmdistill.models.loading.resolve import resolve
from lmdistill.recipes.bounded_yaml import yaml_from
from lmdistill.records.teacher_terms import TeacherTerms

CARD = "README.md"
"""The model card in a model's folder; its front matter is YAML between lines of dashes."""

LONGEST = 100_000
"""Characters of a card that are read, at most."""


def teacher_terms(recipe: Mapping[str, Any]) -> TeacherTerms | None:
    """The terms of the teacher that a resolved recipe names; None if it names none.

    Args:
        recipe: With `teacher.model`, `teacher.models` or `teacher.answers`, and perhaps `teacher.licence` and
            `teacher.answers_use`.
    """
    teacher = recipe.get("teacher")
    if not isinstance(teacher, Mapping):
        return None
    several = [str(model) for model in teacher.get("models") or () if isinstance(model, str)]
    names = (
        [str(teacher["answers"])] if teacher.get("answers") else several or [str(teacher.get("model") or "")]
    )
    known = list(dict.fromkeys(name for name in names if name))
    if not known:
        return None
    found = dict.fromkeys(licence for name in known if (licence := licence_of(name)) is not None)
    return TeacherTerms(
        teacher=", ".join(known),
        licence=teacher.get("licence") or ", ".join(found) or None,
        answers_use=teacher.get("answers_use"),
    )


def licence_of(model: str) -> str | None:
    """The licence in the front matter of the card in a model's folder.

    Returns:
        None for a model of the hub, and where the folder has no card or the card states no licence.
    """
    try:
        with (Path(resolve(model)) / CARD).open(encoding="utf-8", errors="replace") as file:
            card = file.read(LONGEST)
        front = card.split("\n---", 1)[0].removeprefix("---\n") if card.startswith("---\n") else ""
        fields = yaml_from(front, CARD)
    except (OSError, LmdistillError):  # no folder, or a card that is not ours to correct
        return None
    if not isinstance(fields, Mapping) or not fields.get("license"):
        return None
    stated = fields["license"]
    names = [str(one) for one in (stated if isinstance(stated, list) else [stated])]
    other = fields.get("license_name")
    return ", ".join(f"{name} ({other})" if name == "other" and other else name for name in names)
