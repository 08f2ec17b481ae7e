"""Runs of classifiers and of language models have the same files, but for what only one kind needs."""

from pathlib import Path

RUNS = Path(__file__).parents[2] / "src" / "lmdistill" / "runs"

ONLY = {
    "classification": {
        "combined_teacher",
        "costs",
        "ensemble",
        "origin",
        "preconditions",
        "prompted",
        "prompted_model",
        "quality",
        "linear_model",
        "linear_run",
        "recorded_teacher",
        "representation_map",
        "risk",
        "seen_texts",
        "split_alarms",
        "stand_in",
        "teacher_models",
        "teacher_outputs",
        "trimmed_vocabulary",
    },
    "language": {
        "generation_prompts",
        "on_policy",
        "teacher_cache",
        "teacher_completions",
        "training_defaults",
    },
}
"""Files without a counterpart: maps and thresholds are of classes, a head for other classes is replaced, linear
models read whole texts, and answers to whole texts are stored, combined and stand in for a teacher, whose models
all count as its cost; only classifiers are certified on texts that they
have not seen; only a recipe for classifiers has more checks than one file holds, and only their
vocabularies are trimmed; only language models generate, are tuned in a cache and have training settings that follow
their size."""


def test_both_kinds_have_the_same_files():
    files = {kind: {path.stem for path in (RUNS / kind).glob("*.py")} for kind in ONLY}
    assert files["classification"] - ONLY["classification"] == files["language"] - ONLY["language"]
    assert all(ONLY[kind] <= files[kind] for kind in ONLY)
