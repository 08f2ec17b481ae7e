"""A recipe for language models with its texts loaded and its teacher trained."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from lmdistill.core.errors import ConfigError
from lmdistill.core.protocols import Method
from lmdistill.data.language.prompts import open_prompts
from lmdistill.engine.distributed import main_process_first
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain
from lmdistill.runs.expand import Cell
from lmdistill.runs.language.data import load_texts
from lmdistill.runs.language.dataset import EncodedTexts, encode_texts
from lmdistill.runs.language.evaluation import TeacherScores
from lmdistill.runs.language.generation_prompts import Prompt, generation_prompts, recipe_prompts
from lmdistill.runs.language.schedule_adapter import language_adapter
from lmdistill.runs.language.stage_adapter import LanguageAdapter
from lmdistill.runs.language.student import make_student
from lmdistill.runs.language.teacher import prepare_teacher
from lmdistill.runs.language.teacher_cache import TeacherCache
from lmdistill.runs.language.teacher_completions import training_texts
from lmdistill.runs.schedules.adapter import ScheduleAdapter
from lmdistill.runs.stage import Stage


@dataclass(frozen=True, kw_only=True)
class PreparedLanguage:
    """A recipe for language models, ready to run; implements `PreparedRecipe`."""

    cache: TeacherCache
    """Recipe, texts, and the folder of trained teachers."""

    teacher: LanguageNetwork
    """The trained teacher."""

    teacher_folder: Path | None
    """Where its weights lie; None if they are not in a local folder."""

    encoded: EncodedTexts
    """The texts in tokens."""

    prompts: tuple[Prompt, ...]
    """What students complete at the end."""

    teacher_scores: TeacherScores = field(default_factory=dict)
    """Dev scores of teachers by fingerprint; filled by the first run that needs them."""

    def adapter(self, method: Method) -> LanguageAdapter:
        """The texts as the stages of a run with `method` use them."""
        texts, encoded = training_texts(method, self.cache, self.encoded, self.teacher)
        prompts = generation_prompts(self.cache.recipe.writing, *self.prompts)
        return LanguageAdapter(
            texts=texts, encoded=encoded, prompts=prompts, teacher_scores=self.teacher_scores
        )

    def stage(self, cell: Cell[LanguageRecipe]) -> Stage[LanguageNetwork]:
        """The run of one method and seed as if there were no schedule; its student is not pruned yet."""
        return Stage(
            kind="distill",
            name=cell.name,
            student=make_student(self.cache, self.teacher, seed=cell.seed),
            teacher=self.teacher,
            method=cell.method,
            training=cell.training,
            adapter=self.adapter(cell.method),
            folder=cell.folder,
            recipe=plain(cell.recipe),
            command=self.cache.command,
        )

    def schedule_adapter(self, stage: Stage[LanguageNetwork]) -> ScheduleAdapter[LanguageNetwork]:
        """What a schedule needs to prune and judge language models."""
        return language_adapter(stage, self.adapter(stage.method), self.cache.recipe.texts)

    def last_stage(self, stage: Stage[LanguageNetwork]) -> Stage[LanguageNetwork]:
        """`stage` with the folder of the recipe's teacher, which earlier stages do not name."""
        return replace(stage, teacher_folder=self.teacher_folder)


def prepare_language(recipe: LanguageRecipe, out: Path, *, command: str) -> PreparedLanguage:
    """Load the texts and the teacher; train the teacher first where the recipe asks for it."""
    with main_process_first():
        texts = load_texts(recipe.texts)
    cache = TeacherCache(recipe=recipe, texts=texts, folder=out.parent / "teachers", command=command)
    if recipe.writing.prompts is not None:
        open_prompts(Path(recipe.writing.prompts))  # fails before the teacher is trained
    teacher, folder = prepare_teacher(cache)
    encoded = encode_texts(texts, teacher.tokenizer, recipe.texts)
    return PreparedLanguage(
        cache=cache,
        teacher=teacher,
        teacher_folder=None if folder is None else _model_folder(folder),
        encoded=encoded,
        prompts=recipe_prompts(recipe.writing, recipe.texts, encoded, teacher.tokenizer),
    )


def train_language_teacher(recipe: LanguageRecipe, cache: Path, *, command: str) -> Path:
    """Train the teacher of a recipe into `cache`, unless it is there; the folder of its model.

    Raises:
        ConfigError: If the teacher needs no training.
    """
    with main_process_first():
        texts = load_texts(recipe.texts)
    if recipe.teacher.model is not None and not recipe.teacher.tune:
        raise ConfigError(
            f"the teacher {recipe.teacher.model} is used as it is. Set teacher.tune=true to train it first."
        )
    folder = prepare_teacher(TeacherCache(recipe=recipe, texts=texts, folder=cache, command=command))[1]
    assert folder is not None
    return _model_folder(folder)


def _model_folder(folder: Path) -> Path:
    """Where the weights lie: in the folder of a model, or in that of the run that trained it."""
    return folder / "student" if (folder / "student").is_dir() else folder
