"""Synonyms from WordNet's files, read with NLTK."""

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
"""Folder of the files of Debian's package `wordnet`."""

NUM_LEXNAMES = 45
"""Number of WordNet's lexicographer files."""


def wordnet_synonyms(folder: str | None = None) -> Synonyms:
    """Return a function from a word to its synonyms: the lemmas of all its synsets, except itself, sorted.

    Words are lemmatized by WordNet, so "children" has the synonyms of "child". Lemmas with digits or dots are
    left out; lemmas of several words contain spaces.

    Args:
        folder: Folder with WordNet's `index.noun` and its other files. None looks in the folder that the
            environment variable WNSEARCHDIR names, then in NLTK's data, then in `SYSTEM_FOLDER`.

    Raises:
        MissingExtraError: NLTK or the files are not installed.
        DataError: The given folder contains no WordNet files.
    """
    try:
        import nltk.data  # noqa: F401 - an optional extra
    except ImportError:
        raise MissingExtraError(f"EDA needs NLTK, which is not installed. Run: {EXTRA_LINE}.") from None
    return _load_synonyms(_find_files(folder or os.environ.get("WNSEARCHDIR")))


def _find_files(folder: str | None) -> str:
    """The location of WordNet's files: a folder, or "nltk:" and the name of an NLTK resource."""
    import nltk.data

    if folder:
        if not (Path(folder) / "index.noun").is_file():
            raise DataError(
                f"{folder!r} holds no WordNet (no index.noun). Name the folder that has it, or leave it out."
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
        "EDA needs WordNet's files, and neither NLTK's data nor the system has them. "
        "Run: apt-get install wordnet, or set WNSEARCHDIR to their folder."
    )


@lru_cache(maxsize=2)
def _load_synonyms(location: str) -> Synonyms:
    """Load WordNet from `location`; cached, because reading its indexes takes about a second."""
    import nltk.data

    if location.startswith("nltk:"):
        root = nltk.data.find(location.removeprefix("nltk:"))
    else:
        root = location
        if location not in nltk.data.path:  # NLTK reads only folders on its path
            nltk.data.path.append(location)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NLTK warns that there are no other languages
        reader = _reader(root)

    @lru_cache(maxsize=100_000)
    def synonyms(word: str) -> tuple[str, ...]:
        lemmas = {name.replace("_", " ") for synset in reader.synsets(word) for name in synset.lemma_names()}
        return tuple(
            sorted(
                name
                for name in lemmas
                if name.lower() != word.lower() and name.replace(" ", "").replace("-", "").isalpha()
            )
        )

    return synonyms


def _reader(root: Any) -> Any:
    """An NLTK reader that needs only the files that every distribution of WordNet has.

    NLTK also requires `lexnames` and `index.sense`, which Debian's package lacks. `lexnames` names the
    lexicographer files, which synonyms do not need; `index.sense` maps between versions of WordNet, and here
    there is only one. Files are read completely into memory, because NLTK leaves them open otherwise; they
    are ASCII, so byte offsets are character offsets.
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
