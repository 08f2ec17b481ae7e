"""Synonyms from WordNet files, read by NLTK from wherever they are installed."""

import io
import os
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from lmdistill.core.errors import DataError, MissingExtraError
from lmdistill.data.augment.pretrained import EXTRA_LINE

Synonyms = Callable[[str], tuple[str, ...]]
"""Word -> its synonyms, sorted."""

SYSTEM_FOLDER = Path("/usr/share/wordnet")
"""Where Debian's package `wordnet` puts its files."""

NUM_LEXNAMES = 45


def wordnet_synonyms(folder: str | None = None) -> Synonyms:
    """A function from a word to its synonyms: lemmas of all its synsets, without the word itself, sorted.

    WordNet's own lemmatizer is at work ("children" has the synonyms of "child"); lemmas with digits or dots
    are left out, and those of several words come with blanks.

    Args:
        folder: Folder with WordNet's `index.noun` and its siblings. None looks at the environment variable
            WNSEARCHDIR, then at NLTK's data, then at `SYSTEM_FOLDER`.

    Raises:
        MissingExtraError: NLTK or the files are not installed.
        DataError: The folder that was named holds no WordNet.
    """
    try:
        import nltk.data  # noqa: F401 - an optional extra
    except ImportError:
        raise MissingExtraError(f"EDA needs NLTK, which is not installed; {EXTRA_LINE}.") from None
    return _opened(_located(folder or os.environ.get("WNSEARCHDIR")))


def _located(folder: str | None) -> str:
    """Where the files are: a folder, or NLTK's address of a zip file."""
    import nltk.data

    if folder:
        if not (Path(folder) / "index.noun").is_file():
            raise DataError(
                f"{folder!r} holds no WordNet (no index.noun); name the folder that has it, or none."
            )
        return str(Path(folder).resolve())
    for address in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            nltk.data.find(address)
        except LookupError:
            continue
        return f"nltk:{address}"
    if (SYSTEM_FOLDER / "index.noun").is_file():
        return str(SYSTEM_FOLDER)
    raise MissingExtraError(
        "EDA needs WordNet's files, and neither NLTK's data nor the system has them; "
        "apt-get install wordnet, or set WNSEARCHDIR to their folder."
    )


@lru_cache(maxsize=2)
def _opened(where: str) -> Synonyms:
    """The synonyms of the WordNet at `where`; reading its indexes takes a second, so it is done once."""
    import nltk.data

    if where.startswith("nltk:"):
        root = nltk.data.find(where.removeprefix("nltk:"))
    else:
        root = where
        if where not in nltk.data.path:  # how NLTK is told that it may read a folder
            nltk.data.path.append(where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has no other languages, and says so
        reader = _reader(root)

    @lru_cache(maxsize=100_000)
    def synonyms(word: str) -> tuple[str, ...]:
        lemmas = {name.replace("_", " ") for found in reader.synsets(word) for name in found.lemma_names()}
        return tuple(
            sorted(
                name
                for name in lemmas
                if name.lower() != word.lower() and name.replace(" ", "").replace("-", "").isalpha()
            )
        )

    return synonyms


def _reader(root: Any) -> Any:
    """NLTK's reader over the files that every distribution of WordNet has.

    NLTK also wants `lexnames` and `index.sense`, which Debian leaves out: the first names the lexicographers'
    files, which synonyms do not need; the second maps versions, and there is only one here. Files are read
    whole, since NLTK leaves them open otherwise; they are ASCII, so their byte offsets hold for characters.
    """
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class Reader(WordNetCorpusReader):  # type: ignore[misc]
        def open(self, file: str) -> Any:
            if file == "lexnames":
                return io.StringIO("".join(f"{i:02d}\tunnamed\t0\n" for i in range(NUM_LEXNAMES)))
            with super().open(file) as stream:
                return io.StringIO(stream.read())

        def map_wn(self, version: str = "wordnet") -> None:
            return None

    return Reader(root, None)
