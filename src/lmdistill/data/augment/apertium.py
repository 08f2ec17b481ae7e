"""Back-translation with Apertium, a rule-based translation program that runs offline and on CPUs."""

import logging
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from lmdistill.core.errors import ConfigError, MissingExtraError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.data.augment.word_splitting import collapse_whitespace

PROGRAM = "apertium"
INSTALL = "apt-get install apertium apertium-eng-spa"

_log = logging.getLogger("lmdistill")


@dataclass(frozen=True, kw_only=True)
class Apertium:
    """Translate texts into another language and back with Apertium.

    Apertium translates hundreds of sentences per second, word by word: word order and prepositions change,
    rare words stay. Runs of white space become single spaces; a text without capitals stays without.

    Limitation: a word of a kind that Apertium's tagger has not seen changes the tagger for later texts of the
    same process. So a few texts in a hundred are translated differently after other texts. Each process
    therefore gets a fixed number of texts (`batch_size`, part of the identity); `workers` has no effect on
    results.
    """

    name: ClassVar[str] = "apertium"
    varied: ClassVar[bool] = False

    there: str = "eng-spa"
    """Apertium's name of the language pair from the language of the data, such as "eng-spa"."""

    back: str = "spa-eng"
    """Apertium's name of the language pair back into the language of the data."""

    batch_size: int = 256
    """Number of texts per Apertium process, >= 1; changes a few results."""

    workers: int = 1
    """Number of processes that run in parallel, >= 1."""

    def __post_init__(self) -> None:
        for field in ("batch_size", "workers"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be >= 1, got {getattr(self, field)}.")

    @property
    def identity(self) -> str:
        """Fingerprint of the language pairs and the batch size."""
        return fingerprint(self.name, self.there, self.back, self.batch_size)

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Translate each text there and back; `copies` has no effect."""
        _ = self._pairs  # check the installation before threads start
        starts = range(0, len(texts), self.batch_size)
        with ThreadPoolExecutor(self.workers) as pool:
            parts = pool.map(self._round_trip, (texts[s : s + self.batch_size] for s in starts))
            return [text for part in parts for text in part]

    def _round_trip(self, texts: Sequence[str]) -> list[str]:
        """Translate one batch there and back."""
        there, back = self._pairs
        results = translate(back, translate(there, texts))
        return [new.lower() if old == old.lower() else new for old, new in zip(texts, results, strict=True)]

    @cached_property
    def _pairs(self) -> tuple[str, str]:
        """Both language pairs, after a check that they are installed and work."""
        installed = installed_pairs()
        for pair in (self.there, self.back):
            if pair not in installed:
                known = ", ".join(installed) or "none"
                raise MissingExtraError(
                    f"apertium has no language pair {pair!r}, only {known}. Set there and back to "
                    f"installed pairs, or run: apt-get install apertium-{pair}."
                )
            probe = _run("yes.\n", pair)
            if probe.returncode:
                raise MissingExtraError(f"apertium {pair} fails: {_error_line(probe)}. Run: {INSTALL}.")
        return self.there, self.back


def installed_pairs() -> tuple[str, ...]:
    """The installed language pairs of Apertium, sorted.

    Raises:
        MissingExtraError: Apertium is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise MissingExtraError(f"apertium is not installed. Run: {INSTALL}.")
    listed = subprocess.run([PROGRAM, "-l"], capture_output=True, check=False)
    return tuple(sorted(listed.stdout.decode().split()))


def translate(pair: str, texts: Sequence[str]) -> list[str]:
    """Translate texts with one Apertium process; the results are in the order of the texts.

    Each text becomes a paragraph, because Apertium ends a sentence at an empty line and moves no words across
    it. If the number of translated paragraphs differs, the batch is halved until it agrees.

    Args:
        pair: Name of an installed language pair.
        texts: Texts to translate; control characters become spaces.

    Returns:
        A translation of each text; "" for blank texts and for texts that Apertium cannot translate.
    """
    clean = [collapse_whitespace(re.sub(r"[\x00-\x1f\x7f]", " ", text)) for text in texts]
    non_empty = [i for i, text in enumerate(clean) if text]
    results = [""] * len(clean)
    for i, text in zip(non_empty, _paragraphs(pair, [clean[i] for i in non_empty]), strict=True):
        results[i] = text
    return results


def _paragraphs(pair: str, lines: list[str]) -> list[str]:
    """A translation of each line; no line may be empty."""
    if not lines:
        return []
    process = _run("".join(f"{line}\n\n" for line in lines), pair)
    parts = process.stdout.decode(errors="replace").removesuffix("\n\n").split("\n\n")
    if process.returncode == 0 and len(parts) == len(lines):
        return [collapse_whitespace(part) for part in parts]
    if len(lines) > 1:
        middle = len(lines) // 2
        return _paragraphs(pair, lines[:middle]) + _paragraphs(pair, lines[middle:])
    if process.returncode == 0:
        return [collapse_whitespace(" ".join(parts))]
    _log.warning(
        "apertium %s cannot translate %.60r (%s); the text is dropped.", pair, lines[0], _error_line(process)
    )
    return [""]


def _run(text: str, pair: str) -> subprocess.CompletedProcess[bytes]:
    """Run Apertium on `text`; -u leaves unknown words unmarked."""
    data = text.encode(errors="replace")
    return subprocess.run([PROGRAM, "-u", pair], input=data, capture_output=True, check=False)


def _error_line(process: subprocess.CompletedProcess[bytes]) -> str:
    """The last line that a process wrote to stderr, or its exit code."""
    lines = process.stderr.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {process.returncode}")
