"""Language models that are trained on the texts of a recipe first, once."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch

from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.language.conversations import Conversations
from lmdistill.engine.training_settings import Training
from lmdistill.methods import SFT
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.loading.causal_lm import load_causal
from lmdistill.recipes.language_model import LanguageRecipe
from lmdistill.recipes.serialization import plain, training_inputs
from lmdistill.runs.language.dataset import EncodedTexts, encode_texts
from lmdistill.runs.language.generation_prompts import generation_prompts
from lmdistill.runs.language.stage_adapter import LanguageAdapter
from lmdistill.runs.run_folder import RunFolder, to_be_made
from lmdistill.runs.stage import Stage, run_stage

log = logging.getLogger("lmdistill")

DTYPES: Mapping[str, torch.dtype | Literal["auto"]] = MappingProxyType(
    {"auto": "auto", "float32": torch.float32, "bfloat16": torch.bfloat16}
)
"""Names of the precision of weights in recipes."""


@dataclass(frozen=True, kw_only=True)
class TeacherCache:
    """Texts of a recipe, and the folder of networks that were trained on them."""

    recipe: LanguageRecipe
    """The whole recipe."""

    texts: Conversations
    """Training and dev passages."""

    folder: Path
    """Holds a run folder for each trained network, named by a fingerprint of all its inputs."""

    command: str
    """The command line, for the records."""

    def encode(self, tokenizer: Any) -> EncodedTexts:
        """The texts in tokens."""
        return encode_texts(self.texts, tokenizer, self.recipe.texts)

    def tuned(
        self, network: LanguageNetwork, training: Training, name: str, dtype: str = "float32"
    ) -> tuple[LanguageNetwork, Path]:
        """`network` after supervised training on the texts, and its run folder; kept in the cache."""
        recipe = self.recipe
        inputs = {
            "model": model_stats.fingerprint(network),
            "data": self.texts.fingerprint,
            "texts": plain(recipe.texts),
            "training": training_inputs(training),
        }
        folder = self.folder / f"{name}-{fingerprint(inputs)}"
        with to_be_made(RunFolder(path=folder)) as is_missing:
            if is_missing:
                log.info("training the %s on the texts first, into %s", name, folder)
                run_stage(self._supervised(network, training, name, folder))
            else:
                log.info("using the %s trained before, in %s", name, folder)
        return load_causal(folder / "student", dtype=DTYPES[dtype]), folder

    def _supervised(
        self, network: LanguageNetwork, training: Training, name: str, folder: Path
    ) -> Stage[LanguageNetwork]:
        """The run that trains `network` on the texts."""
        recipe = self.recipe
        adapter = LanguageAdapter(
            texts=self.texts,
            encoded=self.encode(network.tokenizer),
            prompts=generation_prompts(recipe.writing),
        )
        return Stage(
            kind="finetune",
            name=name,
            student=network,
            teacher=None,
            method=SFT(),
            training=training,
            adapter=adapter,
            folder=folder,
            recipe={"texts": plain(recipe.texts), "training": plain(training), "model": network.source},
            command=self.command,
        )
