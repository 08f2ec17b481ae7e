"""Back-translation by rules, offline and without a GPU: the program Apertium."""

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
    """Translate texts into another language and back with Apertium's rules.

    Hundreds of sentences a second, word by word and rough: word order and prepositions change, rare words
    stay. White space comes back as single blanks; a text without capitals comes back without.

    One thing it cannot keep: a word of a new kind alters Apertium's tagger for the texts after it in the same
    process, so a few texts in a hundred translate differently in other company. A process therefore gets a
    fixed number of texts (`batch_size`, which is part of the identity); workers change nothing.
    """

    name: ClassVar[str] = "apertium"
    varied: ClassVar[bool] = False

    there: str = "eng-spa"
    """Apertium's name of the pair out of the language of the data."""

    back: str = "spa-eng"
    """Apertium's name of the pair back into it."""

    batch_size: int = 256
    """Texts a process, >= 1."""

    workers: int = 1
    """Processes at a time, >= 1."""

    def __post_init__(self) -> None:
        for field in ("batch_size", "workers"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} must be >= 1, got {getattr(self, field)}.")

    @property
    def identity(self) -> str:
        """Names the two pairs and the texts a process."""
        return fingerprint(self.name, self.there, self.back, self.batch_size)

    def __call__(self, texts: Sequence[str], copies: Sequence[int] | None = None) -> list[str]:
        """Each text, there and back; `copies` changes nothing."""
        _ = self._pairs  # before the threads ask for them
        starts = range(0, len(texts), self.batch_size)
        with ThreadPoolExecutor(self.workers) as pool:
            parts = pool.map(self._round_trip, (texts[s : s + self.batch_size] for s in starts))
            return [text for part in parts for text in part]

    def _round_trip(self, texts: Sequence[str]) -> list[str]:
        """One batch, there and back."""
        there, back = self._pairs
        results = translate(back, translate(there, texts))
        return [new.lower() if old == old.lower() else new for old, new in zip(texts, results, strict=True)]

    @cached_property
    def _pairs(self) -> tuple[str, str]:
        """Both directions, once it is sure that they translate."""
        installed = installed_pairs()
        for pair in (self.there, self.back):
            if pair not in installed:
                known = ", ".join(installed) or "none"
                raise MissingExtraError(
                    f"apertium has no language pair {pair!r}, only {known}; set there and back to pairs "
                    f"that it has, or try: apt-get install apertium-{pair}."
                )
            probe = _run("yes.\n", pair)
            if probe.returncode:
                raise MissingExtraError(f"apertium {pair} fails: {_complaint(probe)}. Try: {INSTALL}.")
        return self.there, self.back


def installed_pairs() -> tuple[str, ...]:
    """Names of the directions that Apertium can translate here, sorted.

    Raises:
        MissingExtraError: The program is not installed.
    """
    if shutil.which(PROGRAM) is None:
        raise MissingExtraError(f"apertium is not installed; {INSTALL}.")
    listed = subprocess.run([PROGRAM, "-l"], capture_output=True, check=False)
    return tuple(sorted(listed.stdout.decode().split()))


def translate(pair: str, texts: Sequence[str]) -> list[str]:
    """`texts` through one process, aligned: a text that cannot be told from its neighbours runs alone.

    Texts become paragraphs, since Apertium ends a sentence at an empty line and moves no words across it. If
    as many paragraphs do not come back, the batch is halved until they do.
    """
    clean = [collapse_whitespace(re.sub(r"[\x00-\x1f\x7f]", " ", text)) for text in texts]
    wanted = [i for i, text in enumerate(clean) if text]
    results = [""] * len(clean)
    for i, text in zip(wanted, _paragraphs(pair, [clean[i] for i in wanted]), strict=True):
        results[i] = text
    return results


def _paragraphs(pair: str, lines: list[str]) -> list[str]:
    """One translated line for each line; the lines are not empty."""
    if not lines:
        return []
    done = _run("".join(f"{line}\n\n" for line in lines), pair)
    parts = done.stdout.decode(errors="replace").removesuffix("\n\n").split("\n\n")
    if done.returncode == 0 and len(parts) == len(lines):
        return [collapse_whitespace(part) for part in parts]
    if len(lines) > 1:
        middle = len(lines) // 2
        return _paragraphs(pair, lines[:middle]) + _paragraphs(pair, lines[middle:])
    if done.returncode == 0:
        return [collapse_whitespace(" ".join(parts))]
    _log.warning("apertium %s gave up on %.60r (%s); the text is left out.", pair, lines[0], _complaint(done))
    return [""]


def _run(text: str, pair: str) -> subprocess.CompletedProcess[bytes]:
    """`text` through one process; -u leaves unknown words unmarked."""
    sent = text.encode(errors="replace")
    return subprocess.run([PROGRAM, "-u", pair], input=sent, capture_output=True, check=False)


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line of what a process said against us."""
    lines = done.stderr.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), f"exit code {done.returncode}")
