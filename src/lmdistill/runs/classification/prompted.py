"""A recipe's teacher that answers by prompt."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from lmdistill.core.errors import ConfigError
from lmdistill.labelling.prompt_template import read_prompt
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.recipes.classifier import Recipe, Teacher
from lmdistill.runs.classification.combined_teacher import CombinedTeacher
from lmdistill.runs.classification.data import Examples
from lmdistill.runs.classification.ensemble import hold_out, with_temperature
from lmdistill.runs.classification.prompted_model import prompted_model
from lmdistill.runs.classification.teacher import PreparedTeacher
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs

DEFAULT = "default"
"""What stands for the built-in prompt in place of a file."""


def require_own_student(recipe: Recipe) -> None:
    """Check that students of a prompted teacher have a model of their own, before the teacher is loaded.

    Raises:
        ConfigError: If they have none.
    """
    if recipe.student.model is None:
        raise ConfigError(
            f"teacher.prompt has {recipe.teacher.names[0]} answer by prompt, and no classifier can be made "
            "of its layers. Set student.model to an encoder, such as packaged:all-MiniLM-L6-v2."
        )


def prepare_prompted(
    settings: Teacher,
    examples: Examples,
    *,
    max_length: int,
    cache: Path,
    check: Callable[[PreparedTeacher], None],
) -> tuple[PreparedTeacher, tuple[str, ...]]:
    """Load a decoder that answers by prompt; its outputs are computed when they are first read.

    Args:
        settings: The model, its prompt and how it is scored.
        examples: What it answers.
        max_length: Most tokens of the texts of an example.
        cache: Folder of fine-tuned teachers; outputs are kept in `outputs` inside.
        check: Raises what would go wrong with such a teacher.

    Returns:
        The teacher, and notes for the task.

    Raises:
        ConfigError: If the task is not one of classes, or the prompt or the words cannot be used.
        DataError: If the prompt cannot be read.
        ModelError: If the model cannot be loaded, or is no causal language model.
    """
    assert settings.prompt is not None
    path = None if settings.prompt == DEFAULT else Path(settings.prompt)
    template = read_prompt(path)
    if template is not None:
        template = template.removesuffix("\n")  # the end of the last line, which editors write
    dtype: torch.dtype | Literal["auto"] = "auto" if torch.cuda.is_available() else torch.float32
    network = load_causal(settings.names[0], dtype=dtype, trust_remote_code=settings.trust_remote_code)
    model = prompted_model(
        network,
        examples.whole,
        template,
        words=settings.label_words,
        max_length=max_length,
        scoring=settings.scoring,
        place="the prompt" if path is None else f"the prompt {path}",
    )
    outputs = NetworkOutputs(cache=cache / "outputs") if settings.store_outputs else None
    teacher = CombinedTeacher(models=(model,), task=examples.whole, outputs=outputs)
    prepared = PreparedTeacher(network=None, backbone=None, folder=None, stand_in=teacher)
    check(prepared)
    if not settings.fit_temperature:
        return prepared, ()
    fitted, note = with_temperature(teacher, hold_out(examples.original)[1])
    return PreparedTeacher(network=None, backbone=None, folder=None, stand_in=fitted), (note,)
