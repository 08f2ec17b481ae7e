"""Settings of how a prompted language model scores label words."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How the label words of a prompted decoder are scored."""

    calibrate: bool = True
    """Subtract from the score of each word its score behind prompts without content (`N/A`, `[MASK]`,
    nothing): words that the model prefers anyway are then not preferred."""

    chat_template: bool = True
    """Send the prompt through the chat template of the tokenizer, if it has one."""
