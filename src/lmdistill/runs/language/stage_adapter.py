"""What a run does for language models: deliver passages, score the dev passages, evaluate the student."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

import numpy as np
from jaxtyping import Int

from lmdistill.core.completions import completions_of
from lmdistill.core.protocols import Method, Net
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.conversations import Conversations
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.language_modeling import language_scores
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.lora import merge_lora
from lmdistill.runs.language.dataset import EncodedTexts
from lmdistill.runs.language.evaluation import (
    TeacherScores,
    disagreements,
    language_cost,
    language_quality,
    language_task,
    written,
)
from lmdistill.runs.language.generation_prompts import GenerationPrompts
from lmdistill.runs.language.on_policy import sampled
from lmdistill.runs.stage import EncodedData, Evaluation, Stage


@dataclass(frozen=True, kw_only=True)
class LanguageAdapter:
    """Passages for language models; implements `StageAdapter` and `EncodedData`."""

    texts: Conversations
    """Where the passages come from."""

    encoded: EncodedTexts
    """The passages in tokens; training passages may hold the teacher's completions instead of the texts'."""

    prompts: GenerationPrompts
    """What the student completes at the end."""

    teacher_scores: TeacherScores = field(default_factory=dict)
    """Dev scores of teachers, shared by the runs of a recipe so that each teacher is evaluated once."""

    @property
    def unit(self) -> Literal["examples", "tokens"]:
        """Progress counts tokens."""
        return "tokens"

    @property
    def stand_in(self) -> None:
        """None: a network teaches."""
        return

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the texts."""
        return self.texts.fingerprint

    def encode(self, student: LanguageNetwork, teacher: LanguageNetwork | None) -> "LanguageAdapter":
        """The passages as they are: student and teacher share one tokenizer."""
        return self

    @property
    def saved_as(self) -> None:
        """None: weights are saved as they are."""
        return

    def compact(
        self, stage: Stage[LanguageNetwork], encoded: EncodedData[LanguageNetwork]
    ) -> tuple[Stage[LanguageNetwork], EncodedData[LanguageNetwork]]:
        """Stage and data as they are."""
        return stage, encoded

    def feed(self, method: Method, training: Training) -> BatchLoader:
        """The training batches; for on-policy methods the student writes some of them."""
        return sampled(
            self.encoded.feed(method, training),
            completions_of(method),
            padding=self.encoded.padding,
            seed=training.seed,
            begin=self.prompts.begin,
        )

    def dev_scores(self, network: Net, device: str) -> Mapping[str, float]:
        """Mean log-likelihood of dev tokens, which selects, the same in nats, and next-token accuracy."""
        model = cast(LanguageNetwork, network)
        scores = language_scores(model, self.encoded.dev_batches(), device=device)
        return {"log_likelihood": -scores.nats, "nats": scores.nats, "accuracy": scores.accuracy}

    @property
    def num_train(self) -> int:
        """Number of training passages."""
        return len(self.encoded.train.rows)

    @property
    def labelled_rows(self) -> Int[np.ndarray, " k"]:
        """Numbers of all training passages: each has its next tokens as labels."""
        return np.arange(self.num_train)

    def select(self, train: Sequence[int], dev: Sequence[int]) -> "LanguageAdapter":
        """The training passages with these numbers as training data, and others of them as dev passages."""
        return replace(self, encoded=self.encoded.select(train, dev), teacher_scores={})

    def loss(self, network: Net, device: str) -> float:
        """Mean -log q(token) of dev tokens."""
        return language_scores(cast(LanguageNetwork, network), self.encoded.dev_batches(), device=device).nats

    def evaluate(self, stage: Stage[LanguageNetwork], device: str) -> Evaluation:
        """Likelihood, completions, costs and per-passage likelihoods of the student beside its reference."""
        student, reference = merge_lora(stage.student), stage.reference
        quality, rows = language_quality(self.encoded, student, reference, device, self.teacher_scores)
        folders = {"student": stage.student_folder, "teacher": stage.teacher_folder}
        facts = {
            "task": language_task(self.texts, self.encoded, with_teacher=stage.teacher is not None),
            **quality,
            **written(self.prompts, student, stage.folder, device),
            **language_cost(self.encoded, student, reference, folders, device),
        }
        quotes = disagreements(self.encoded, rows, student.tokenizer)
        return Evaluation(facts=facts, predictions=rows, disagreements=quotes)
