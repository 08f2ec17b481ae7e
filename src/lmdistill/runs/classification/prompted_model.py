"""A language model that answers by prompt, as a teacher; implements `TeacherModel`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lmdistill.core.batch import Inputs
from lmdistill.core.errors import ConfigError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.core.progress import progress
from lmdistill.data.batching.tokenizer_checks import longest_input, tokenizer_fingerprint
from lmdistill.data.tasks.task import Task, texts_fingerprint
from lmdistill.engine.accelerator import make_accelerator
from lmdistill.engine.training_settings import Training
from lmdistill.evaluation.label_likelihood import Question, mean_log_likelihoods, padded
from lmdistill.labelling.label_prompt import CONTENT_FREE, LabelPrompt
from lmdistill.labelling.label_words import label_words
from lmdistill.labelling.prompt_template import prompt_template
from lmdistill.models import model_stats
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import max_positions
from lmdistill.recipes.label_scoring import Scoring
from lmdistill.records.teaching_facts import PromptFacts
from lmdistill.runs.classification.costs import TimedNetwork, typical_rows
from lmdistill.runs.classification.teacher_outputs import NetworkOutputs
from lmdistill.stores.classifier_logits import logits_manifest


@dataclass(frozen=True, kw_only=True)
class PromptedModel:
    r"""A causal language model that scores the label words behind a prompt.

    .. math:: s_l(x) = \frac{1}{|w_l|} \log p(w_l | prompt(x)), \quad
              z_l(x) = s_l(x) - \frac{1}{3} \sum_c s_l(c)

    c are the texts without content `N/A`, `[MASK]` and "". The logits are z minus its mean over the labels.

    References:
        Zhao et al., "Calibrate Before Use", 2021, section 5 (contextual calibration; the texts without
        content). Deviations: scores are means of log-probabilities over texts and tokens, where they average
        probabilities; and the softmax is of their difference, where equation 1 has it of the ratio of
        probabilities. Holtzman et al., "Surface Form Competition", 2021 (domain-conditional PMI), which is
        log p(w | x) - log p(w | domain). Deviation: length-normalised, and averaged over the three texts.
    """

    network: LanguageNetwork
    """The language model."""

    source: str
    """Folder or hub id as the user named it."""

    prompt: LabelPrompt
    """The prompt with the label words."""

    calibrate: bool = True
    """Whether scores behind prompts without content are subtracted."""

    @property
    def seed(self) -> None:
        """None: it is not fine-tuned."""
        return None

    @property
    def folder(self) -> None:
        """None: it is not fine-tuned."""
        return None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides the logits beside weights, tokenizer and texts."""
        template = self.prompt.tokenizer.chat_template if self.prompt.chat else None
        return {
            "prompt": fingerprint(self.prompt.template.text),
            "words": list(self.prompt.words.words),
            "calibrated": list(CONTENT_FREE) if self.calibrate else [],
            "chat_template": None if template is None else fingerprint(str(template)),
            "weights": str(self.network.model.dtype),
        }

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of weights, prompt, words and settings."""
        return fingerprint(model_stats.fingerprint(self.network), self.prompt.max_length, self.settings)

    def logits(self, task: Task, split: str) -> Float[np.ndarray, "n v"]:
        """The logits for a split of the task, computed now."""
        return self._logits(self._questions(task, split, range(task.split(split).num_rows)))

    def stored(self, task: Task, outputs: NetworkOutputs) -> Float[np.ndarray, "n v"]:
        """The logits for the training texts, from a store that is made if it is missing."""
        wanted = logits_manifest(
            model=model_stats.fingerprint(self.network),
            tokenizer=tokenizer_fingerprint(self.network.tokenizer),
            texts=texts_fingerprint(task.train),
            max_length=self.prompt.max_length,
            rows=task.train.num_rows,
            labels=task.spec.labels,
            settings=self.settings,
        )

        def compute(first: int, last: int) -> Float[np.ndarray, "k v"]:
            return self._logits(self._questions(task, "train", range(first, last)))

        return outputs.stored(task, wanted, compute)

    def part(self, task: Task) -> TimedNetwork:
        """The network on prompts of the first dev split; a pass is what gives the answers of an example."""
        split = task.spec.splits[0]
        questions = self._questions(task, split, range(task.split(split).num_rows))
        lengths = np.array([len(question.prompt) for question in questions])

        def inputs(size: int) -> Inputs:
            return padded([ids for row in typical_rows(lengths, size) for ids in questions[row].inputs()])

        own = Path(self.network.source)
        return TimedNetwork(network=self.network, inputs=inputs, folder=own if own.is_dir() else None)

    def facts(self, task: Task) -> dict[str, Any]:
        """For the record: the prompt, the words of the labels, and the share of texts cut to fit."""
        labels, words = self.prompt.words.labels, self.prompt.words.words
        cut = {
            split: float(np.mean([self.prompt.question(texts)[1] for texts in _texts(task, split)]))
            for split in task.spec.splits
        }
        facts = PromptFacts(
            template=self.prompt.template.text,
            words=dict(zip(labels, words, strict=True)),
            calibrated=self.calibrate,
            content_free=dict(zip(labels, self._content_free.tolist(), strict=True)),
            chat_template=self.prompt.chat,
            truncated=cut,
        )
        return {"prompt": facts}

    @cached_property
    def _content_free(self) -> Float[np.ndarray, " v"]:
        """Score of each label behind prompts without content, averaged over them."""
        return np.asarray(self._scores(self.prompt.content_free).mean(axis=0))

    def _logits(self, questions: Sequence[Question]) -> Float[np.ndarray, "n v"]:
        """The logits for some questions."""
        scores = self._scores(questions)
        if self.calibrate:
            scores = scores - self._content_free
        centred: Float[np.ndarray, "n v"] = scores - scores.mean(axis=1, keepdims=True)
        return centred.astype(np.float32)

    def _scores(self, questions: Sequence[Question]) -> Float[np.ndarray, "n v"]:
        """Mean log-probability of the tokens of each label's word."""
        device = str(make_accelerator(Training()).device)
        self.network.to(device)
        with progress("prompting", len(questions), unit="text", minor=True) as shown:
            return mean_log_likelihoods(self.network, questions, device=device, on_question=shown.update)

    def _questions(self, task: Task, split: str, rows: range) -> list[Question]:
        """The questions of some rows of a split."""
        return [self.prompt.question(texts)[0] for texts in _texts(task, split, rows)]


def prompted_model(
    network: LanguageNetwork,
    task: Task,
    template: str | None,
    *,
    words: Mapping[str, str],
    max_length: int,
    scoring: Scoring,
    place: str,
) -> PromptedModel:
    """A language model as the teacher of a task with classes.

    Args:
        network: The language model.
        task: Its labels and text columns.
        template: The prompt; None for the built-in one.
        words: Label to what stands for it; the label itself for others.
        max_length: Most tokens of the texts of an example.
        scoring: How words are scored.
        place: What to call the prompt in messages.

    Raises:
        ConfigError: If the task is not one of classes, or the prompt or the words cannot be used.
        UnknownNameError: If a word is for a label that does not exist, or the prompt has an unknown field.
    """
    spec = task.spec
    if spec.kind != "classification":
        raise ConfigError(
            f"a prompt is for tasks with one class a text, and {spec.name} has "
            f"{'scores' if spec.kind == 'regression' else 'several labels a text'}. Leave it out."
        )
    chosen = label_words(spec.labels, words)
    prompt = LabelPrompt(
        template=prompt_template(template, spec.columns, chosen, place=place),
        words=chosen,
        tokenizer=network.tokenizer,
        chat=scoring.chat_template and bool(network.tokenizer.chat_template),
        max_length=max_length,
        longest=longest_input(network.tokenizer, max_positions(network)),
    )
    _ = prompt.content_free  # what cannot be used is refused here
    return PromptedModel(network=network, source=network.source, prompt=prompt, calibrate=scoring.calibrate)


def _texts(task: Task, split: str, rows: range | None = None) -> list[tuple[str, ...]]:
    """The one or two texts of the rows of a split."""
    whole = task.split(split).select_columns(["sentence1", "sentence2"]).with_format(None)
    part = whole if rows is None else whole.select(rows)
    pairs = zip(part["sentence1"][:], part["sentence2"][:], strict=True)
    return [pair if task.is_pair else pair[:1] for pair in pairs]
