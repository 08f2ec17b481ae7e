"""Evaluation of trained language models for the record: likelihood, agreement, completions, cost."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch

from lmdistill.core.atomic_io import write_text
from lmdistill.core.batch import Inputs
from lmdistill.data.language.conversations import Conversations
from lmdistill.evaluation.efficiency import latencies
from lmdistill.evaluation.generation_quality import Generation, generation_scores
from lmdistill.evaluation.language_modeling import LanguageScores, language_scores
from lmdistill.evaluation.process_memory import disk_bytes
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import end_token_ids, generate_completions
from lmdistill.models.model_stats import count_parameters, fingerprint
from lmdistill.records.calibration_facts import Bin, Calibration
from lmdistill.records.disagreements import Text, most_unlike, shortened
from lmdistill.records.predictions import Prediction
from lmdistill.records.schema import (
    NetworkFacts,
    TaskFacts,
    TokenFacts,
)
from lmdistill.runs.classification.evaluation import LATENCY_PRECISION, LATENCY_RUNS
from lmdistill.runs.language.dataset import EncodedTexts
from lmdistill.runs.language.generation_prompts import GenerationPrompts

WRITINGS = "generations.jsonl"
"""File of the student's completions, one JSON object a line."""


def language_task(texts: Conversations, encoded: EncodedTexts, *, with_teacher: bool) -> TaskFacts:
    """The task fields of a record."""
    metrics = ("nats", "perplexity", "accuracy_of_tokens", *(("agreement",) if with_teacher else ()))
    synthetic = texts.source.startswith("synthetic")
    return TaskFacts(
        name="stories" if synthetic else PurePath(texts.source).name.partition(".")[0] or texts.source,
        kind="language",
        labels=(),
        metrics=metrics,
        source=texts.source,
        fingerprint=texts.fingerprint,
        dev_fingerprint=replace(texts, splits={"dev": texts.dev}).fingerprint,
        rows={"train": len(encoded.train.rows), "dev": len(encoded.dev.rows)},
        truncated={"train": encoded.train.counts.cut_share, "dev": encoded.dev.counts.cut_share},
        synthetic=synthetic,
        notes=(*texts.notes, *encoded.notes),
    )


TeacherScores = dict[str, LanguageScores]
"""Dev scores of every teacher that was evaluated before, by the teacher's fingerprint."""


def language_quality(
    encoded: EncodedTexts,
    student: LanguageNetwork,
    teacher: LanguageNetwork | None,
    device: str,
    known: TeacherScores,
) -> tuple[dict[str, Any], list[Prediction]]:
    """The quality fields of a record, and the likelihood of every dev passage.

    Args:
        encoded: The texts in tokens.
        student: Evaluated on the dev passages.
        teacher: Evaluated beside it, or None.
        device: Where they run.
        known: Scores of teachers on the same passages, so that the runs of a recipe share them; filled here.
    """
    ours = language_scores(student, encoded.dev_batches(), teacher=teacher, device=device)
    theirs = None
    if teacher is not None:
        name = fingerprint(teacher)
        if name not in known:
            known[name] = language_scores(teacher, encoded.dev_batches(), device=device)
        theirs = known[name]
    others = {} if theirs is None else {"teacher": theirs.nats}
    quality = {
        "metrics": {"dev": _metrics(ours)},
        "teacher_metrics": None if theirs is None else {"dev": {**_metrics(theirs), "agreement": 1.0}},
        "majority": {"dev": uniform_scores(student.vocabulary)},
        "alarms": uniform_alarms({"student": ours.nats, **others}, student.vocabulary),
        "calibration": _calibration(ours),
        "teacher_calibration": None if theirs is None else _calibration(theirs),
        "tokens": _tokens(ours),
        "positions": ours.positions,
    }
    lengths = encoded.dev.lengths
    predictions = [
        Prediction(
            example=row,
            split="dev",
            label=float(one.tokens),
            student=(round(one.nats, 4),),
            teacher=None if one.teacher_nats is None else (round(one.teacher_nats, 4),),
            tokens=int(lengths[row]),
        )
        for row, one in sorted(ours.passages.items())
    ]
    return quality, predictions


def uniform_scores(vocabulary: int) -> dict[str, float]:
    """The scores of a model that gives every token the same probability.

    Args:
        vocabulary: Number of tokens, >= 1.

    Examples:
        >>> uniform_scores(512)["perplexity"]
        512.0
    """
    return {"nats": math.log(vocabulary), "perplexity": float(vocabulary)}


def uniform_alarms(nats: Mapping[str, float], vocabulary: int) -> tuple[str, ...]:
    """One sentence for each network that predicts dev tokens no better than uniform guessing.

    Args:
        nats: Role of a network -> its mean -log q(token).
        vocabulary: Number of tokens, >= 1.
    """
    return tuple(
        f"the {who} is worse than uniform guessing on dev: its perplexity is "
        f"{math.exp(min(value, 700)):.2f}, and that of a uniform guess among {vocabulary} tokens is "
        f"{vocabulary}: it has learned nothing of use. Train it longer, on more examples, or at another "
        "learning rate (lmdistill distill --find-rate)."
        for who, value in nats.items()
        if value >= math.log(vocabulary)
    )


def disagreements(encoded: EncodedTexts, predictions: Sequence[Prediction], tokenizer: Any) -> list[Text]:
    """Dev passages whose likelihood differs most between student and teacher, as prompt and answer."""

    def text(ids: Sequence[int]) -> str:
        """Decoded and shortened."""
        return shortened(tokenizer.decode(list(ids), skip_special_tokens=True).strip())

    def parts(row: Mapping[str, Any]) -> tuple[str, ...]:
        """Prompt and answer of a passage."""
        ids, start = row["input_ids"], row["start"]
        return tuple(decoded for one in (ids[:start], ids[start:]) if (decoded := text(one)))

    return [
        Text(example=one.example, split=one.split, texts=parts(encoded.dev.rows[one.example]))
        for one in most_unlike(predictions)
    ]


def _calibration(scores: LanguageScores) -> Calibration:
    """Calibration of the most likely token."""
    return Calibration(
        ece=scores.calibration_error,
        brier=None,
        nll=scores.nats,
        bins=tuple(
            Bin(confidence=one.confidence, accuracy=one.accuracy, count=one.count)
            for one in scores.reliability
            if one.confidence is not None and one.accuracy is not None
        ),
    )


def _metrics(scores: LanguageScores) -> dict[str, float | None]:
    """Metrics of the table."""
    metrics: dict[str, float | None] = {
        "nats": scores.nats,
        "perplexity": scores.perplexity,
        "accuracy_of_tokens": scores.accuracy,
    }
    beside = scores.imitation
    return metrics if beside is None else {**metrics, "agreement": beside.whole.agreement}


def _tokens(scores: LanguageScores) -> TokenFacts | None:
    """Scores of easy and hard tokens; None without a teacher."""
    beside = scores.imitation
    if beside is None:
        return None
    return TokenFacts(easy=beside.easy, hard=beside.hard, histogram=beside.histogram)


def written(
    prompts: GenerationPrompts, student: LanguageNetwork, folder: Path, device: str
) -> dict[str, Any]:
    """Let the student complete the prompts greedily, write its texts and score them.

    The completion is greedy.
    """
    if not prompts.prompts:
        return {"written": None}  # nothing was asked for
    generations = completed(prompts, student, device)
    lines = (json.dumps(asdict(one), ensure_ascii=False) for one in generations)
    write_text(folder / WRITINGS, "".join(f"{line}\n" for line in lines))
    return {"written": writing_scores(generations)}


def completed(prompts: GenerationPrompts, student: LanguageNetwork, device: str) -> list[Generation]:
    """The student's greedy completion of each prompt, beside the reference."""
    token_ids = [list(prompt.ids) for prompt in prompts.prompts]
    new = generate_completions(student.to(device), token_ids, max_new=prompts.max_new, seed=0, batch_size=16)
    ends = end_token_ids(student)
    read = student.tokenizer.decode
    return [
        Generation(
            prompt=read(list(one.ids), skip_special_tokens=True),
            reference=one.reference,
            completion=read(tokens, skip_special_tokens=True),
            tokens=len(tokens),
            ended=bool(tokens) and tokens[-1] in ends,
        )
        for one, tokens in zip(prompts.prompts, new, strict=True)
    ]


def writing_scores(generations: Sequence[Generation]) -> dict[str, float]:
    """ROUGE-L, distinct n-grams, length and share of ended completions, by name.

    ROUGE-L is left out where the extra `eval` is not installed, or nobody else wrote anything.
    """
    rouge = find_spec("rouge_score") is not None and any(one.reference for one in generations)
    return generation_scores(generations, rouge=rouge).metrics()


def language_cost(
    encoded: EncodedTexts,
    student: LanguageNetwork,
    teacher: LanguageNetwork | None,
    folders: Mapping[str, Path | None],
    device: str,
) -> dict[str, Any]:
    """Size of both networks, and the latency of one next token after a dev passage of median length."""
    nets = {"student": student} if teacher is None else {"student": student, "teacher": teacher}
    here = {name: net.to(device) for name, net in nets.items()}
    times = latencies(
        here, typical_passage(encoded), runs=LATENCY_RUNS, device=device, precision=LATENCY_PRECISION
    )
    return {
        "teacher": None,
        **{
            name: NetworkFacts(
                source=net.source,
                layers=net.num_layers,
                parameters=count_parameters(net),
                disk_bytes=disk_bytes(place) if (place := folders.get(name)) else None,
                fingerprint=fingerprint(net),
                latency={"1": times[name]},
            )
            for name, net in nets.items()
        },
    }


def typical_passage(encoded: EncodedTexts) -> Inputs:
    """A dev passage of median length."""
    lengths = encoded.dev.lengths
    middle = int(np.argsort(lengths, kind="stable")[len(lengths) // 2])
    ids = torch.tensor([encoded.dev.rows[middle]["input_ids"]])
    return Inputs(ids=ids, mask=torch.ones_like(ids))
