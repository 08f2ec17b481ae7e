"""On-policy batches: in a share of the steps the student completes the prompts itself."""

from dataclasses import dataclass, replace

from lmdistill.core.batch import Batch
from lmdistill.core.completions import Completions
from lmdistill.core.seeding import derive, generator
from lmdistill.data.batching.dataloader import BatchLoader
from lmdistill.data.language.collator import batch_prompts, collate_passages, prompt_length
from lmdistill.models.causal_lm import LanguageNetwork
from lmdistill.models.generation import generate_completions
from lmdistill.models.pruning.nested_candidates import NestedNetwork


@dataclass(frozen=True, kw_only=True)
class SampledFeed(BatchLoader):
    """A batch loader that replaces texts by the student's own completions of their prompts in some steps."""

    completions: Completions
    """Share of the steps, sampling temperature and longest completion."""

    padding: int
    """Token id of padding."""

    seed: int
    """Seed of the choice of steps and of the sampling."""

    begin: int = 1
    """Tokens of a passage that serve as its prompt if it has none, >= 1."""

    def regenerate(self, window: list[Batch], student: object, step: int) -> list[Batch]:
        """The batches of a step, or the current student's completions of their prompts.

        All processes decide alike in a step. Samples depend on the seed, the step and the rows.
        """
        if generator(self.seed, "on-policy", step).random() >= self.completions.student:
            return window
        writer = student.whole if isinstance(student, NestedNetwork) else student
        assert isinstance(writer, LanguageNetwork)
        return [self._written(batch, writer, step) for batch in window]

    def _written(self, batch: Batch, student: LanguageNetwork, step: int) -> Batch:
        """One batch with the student's completions."""
        assert batch.examples is not None
        prompts = self._prompts(batch)
        fresh = generate_completions(
            student,
            prompts,
            max_new=self.completions.max_new,
            temperature=self.completions.temperature,
            seed=derive(self.seed, "on-policy", step, int(batch.examples[0])),
            batch_size=len(prompts),
        )
        passages = [(prompt + new, len(prompt)) for prompt, new in zip(prompts, fresh, strict=True)]
        return replace(collate_passages(passages, self.padding), examples=batch.examples)

    def _prompts(self, batch: Batch) -> list[list[int]]:
        """The prompt of each row; for a plain text its first tokens."""
        rows, lengths = batch.inputs.ids.tolist(), (batch.inputs.mask.sum(1) + 1).tolist()
        return [
            ids[: prompt_length(len(prompt), length, self.begin)]
            for ids, length, prompt in zip(rows, lengths, batch_prompts(batch), strict=True)
        ]


def sampled(
    feed: BatchLoader, completions: Completions, *, padding: int, seed: int, begin: int
) -> BatchLoader:
    """`feed`, on-policy in the share of the steps that `completions` asks for."""
    if not completions.student:
        return feed
    return SampledFeed(
        sampler=feed.sampler,
        collator=feed.collator,
        workers=feed.workers,
        completions=completions,
        padding=padding,
        seed=seed,
        begin=begin,
    )
