"""lmdistill label: probabilities of labels from a model behind an OpenAI-compatible server."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmdistill.cli.console import say
from lmdistill.cli.path_arguments import run_or_model, writable
from lmdistill.core.errors import ConfigError

if TYPE_CHECKING:
    from lmdistill.labelling.cost import Limit, Prices
    from lmdistill.labelling.label_words import LabelWords


class Probabilities(StrEnum):
    """Where probabilities come from."""

    auto = "auto"
    logprobs = "logprobs"
    samples = "samples"


def label(
    texts: Annotated[
        Path, typer.Argument(help="File of texts: JSON lines, CSV, TSV, Parquet, or text with one per line.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Output file, .jsonl: the texts with the probabilities of the labels.",
            callback=writable,
        ),
    ],
    teacher: Annotated[
        str | None, typer.Option(help="Address of the server, such as http://localhost:8000/v1.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model, as the server knows it.")] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(help="Labels, separated by commas; or the option once for each label."),
    ] = None,
    label_word: Annotated[
        list[str] | None,
        typer.Option(help="LABEL=WORD: what the model writes for a label. Default: the label itself."),
    ] = None,
    prompt: Annotated[
        Path | None,
        typer.Option(help="File with the prompt: {text} or names of the text columns, and {labels}."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the text; give it twice for pairs. Default: by the usual names."),
    ] = None,
    probabilities: Annotated[
        Probabilities,
        typer.Option(help="From log-probabilities or from samples; auto asks the server what it gives."),
    ] = Probabilities.auto,
    samples: Annotated[
        int, typer.Option(help="Replies for each text where there are no log-probabilities, >= 1.")
    ] = 5,
    temperature: Annotated[
        float, typer.Option(help="Sampling temperature of samples; log-probabilities are those of 1.")
    ] = 1.0,
    max_new: Annotated[int, typer.Option(help="Maximum length of a reply in tokens, >= 1.")] = 16,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print calls, tokens and, with prices, cost; ask nothing.")
    ] = False,
    price_in: Annotated[
        float | None, typer.Option(help="Price of a million tokens of prompts, in any currency.")
    ] = None,
    price_out: Annotated[
        float | None, typer.Option(help="Price of a million tokens of replies, in the same currency.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(help="Most to spend for this --out in all: 2.50 (needs prices), 500calls, 90000tokens."),
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at the same time, >= 1.")] = 4,
    retries: Annotated[int, typer.Option(help="Further tries of a request that failed, >= 0.")] = 5,
    timeout: Annotated[float, typer.Option(help="Seconds that the server may be silent, > 0.")] = 60.0,
    api_key_env: Annotated[
        str | None,
        typer.Option(help="Environment variable with the key. Default: OPENAI_API_KEY, if it is set."),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(help="File with human labels; it is asked first, and compared with the answers."),
    ] = None,
    audit_label: Annotated[
        str | None, typer.Option(help="Column of the human labels. Default: by the usual names.")
    ] = None,
    enough: Annotated[
        float | None,
        typer.Option(help="Agreement with human labels that is good enough, in [0, 1]. Default: 0.8."),
    ] = None,
    choose: Annotated[
        int | None,
        typer.Option(help="Write the N texts that are worth asking about to --out, and ask nothing."),
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="Run or model folder of the first student, for --choose.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of --choose.", min=0)] = 0,
) -> None:
    """Label the texts of a file with a large model behind a server, with probabilities. It can be resumed."""
    if choose is not None or student is not None:
        _choose(texts, out, student, choose, text=text or (), seed=seed)
        return
    from lmdistill.labelling.api_client import Server
    from lmdistill.labelling.labelling_job import Labelling
    from lmdistill.labelling.request_settings import Asking

    server = Server(
        url=_given("--teacher", teacher),
        model=_given("--model", model),
        key_env=api_key_env,
        timeout_s=timeout,
        retries=retries,
        concurrency=concurrency,
    )
    kind: Any = probabilities.value
    asking = Asking(probabilities=kind, samples=samples, temperature=temperature, max_new=max_new)
    words = _words(labels or [], label_word or [])
    prices, limit = _spending(price_in, price_out, budget)
    job = Labelling(
        server=server, words=words, prompt=_prompt(prompt), asking=asking, prices=prices, limit=limit
    )
    from lmdistill.cli.print_labelling import show_audit, show_labelled, show_plan
    from lmdistill.commands.audit_labels import audit as run_audit
    from lmdistill.commands.label import label as run_labelling
    from lmdistill.commands.plan_labelling import plan

    columns = text or ()
    if dry_run:
        show_plan(plan([texts, *([audit] if audit else [])], out, job, text=columns), job)
        return
    if audit is not None:
        aims = {} if enough is None else {"enough": enough}
        show_audit(run_audit(audit, out, job, text=columns, label_column=audit_label, **aims))
    show_labelled(run_labelling(texts, out, job, text=columns), job)


def _given(option: str, value: str | None) -> str:
    """The value of an option that must be given to ask a server."""
    if value is None:
        raise ConfigError(f"{option} is missing. Name the server with --teacher and its model with --model.")
    return value


def _words(labels: Sequence[str], renamed: Sequence[str]) -> "LabelWords":
    """The labels as they are typed: one list with commas, or an option for each."""
    from lmdistill.labelling.label_words import label_words

    names = labels[0].split(",") if len(labels) == 1 else labels
    pairs = [pair.partition("=") for pair in renamed]
    for name, equals, word in pairs:
        if not (name and equals and word):
            raise ConfigError(f"--label-word takes LABEL=WORD, got {name + equals + word!r}.")
    if not names:
        raise ConfigError("--labels is missing. Name all labels, as in --labels negative,positive.")
    return label_words(names, {name.strip(): word for name, _, word in pairs})


def _prompt(path: Path | None) -> str | None:
    """The text of the prompt file; None for the default prompt."""
    from lmdistill.labelling.prompt_template import read_prompt

    return read_prompt(path)


def _spending(
    price_in: float | None, price_out: float | None, budget: str | None
) -> "tuple[Prices | None, Limit | None]":
    """Prices and budget as they are typed."""
    from lmdistill.labelling.cost import Prices, parse_budget

    if (price_in is None) != (price_out is None):
        name = "--price-out" if price_out is None else "--price-in"
        raise ConfigError(f"{name} is missing. Give both prices, or neither.")
    prices = None
    if price_in is not None and price_out is not None:
        prices = Prices(input=price_in, output=price_out)
    return prices, None if budget is None else parse_budget(budget, prices)


def _choose(
    texts: Path, out: Path, student: str | None, count: int | None, *, text: Sequence[str], seed: int
) -> None:
    """Write the texts that are worth asking about."""
    if student is None or count is None:
        name = "--student" if student is None else "--choose"
        raise ConfigError(f"{name} is missing. Give --choose N and --student RUN together.")
    from lmdistill.commands.choose_texts import choose_texts

    chosen = choose_texts(texts, out, run_or_model(student), count, text=text, seed=seed)
    say(f"{chosen} texts: {out}")
