import importlib.util
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmdistill.core.errors import DataError, MissingExtraError
from lmdistill.data.augment import wordnet
from tests.data.augment.dictionary import write_wordnet

needs_nltk = pytest.mark.skipif(importlib.util.find_spec("nltk") is None, reason="nltk is not installed")


@pytest.fixture(autouse=True)
def data_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """NLTK's search path as it was, and no WordNet opened before."""
    monkeypatch.delenv("WNSEARCHDIR", raising=False)
    if importlib.util.find_spec("nltk"):
        import nltk.data

        monkeypatch.setattr(nltk.data, "path", [])
    wordnet._load_synonyms.cache_clear()
    yield
    wordnet._load_synonyms.cache_clear()


@needs_nltk
def test_synonyms_come_sorted_from_all_senses_without_the_word_itself(tmp_path: Path) -> None:
    synonyms = wordnet.wordnet_synonyms(str(write_wordnet(tmp_path)))
    assert synonyms("movie") == ("film", "motion picture")
    assert synonyms("film") == ("coat", "motion picture", "movie")
    assert synonyms("Movies") == ("film", "motion picture", "movie")
    assert synonyms("zebra") == ()


@needs_nltk
def test_the_folder_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WNSEARCHDIR", str(write_wordnet(tmp_path)))
    assert wordnet.wordnet_synonyms()("movie") == ("film", "motion picture")


@needs_nltk
def test_wordnet_is_found_in_the_data_of_nltk_unpacked_or_zipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk.data

    write_wordnet(tmp_path / "unpacked" / "corpora" / "wordnet")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "unpacked")])
    assert wordnet.wordnet_synonyms()("movie") == ("film", "motion picture")

    (tmp_path / "zipped" / "corpora").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "zipped" / "corpora" / "wordnet.zip", "w") as archive:
        archive.mkdir("wordnet")
        for file in (tmp_path / "unpacked" / "corpora" / "wordnet").iterdir():
            archive.write(file, f"wordnet/{file.name}")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "zipped")])
    assert wordnet.wordnet_synonyms()("movie") == ("film", "motion picture")


@needs_nltk
def test_a_folder_without_wordnet_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no WordNet"):
        wordnet.wordnet_synonyms(str(tmp_path))


@needs_nltk
def test_without_the_files_the_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordnet, "SYSTEM_FOLDER", tmp_path)
    with pytest.raises(MissingExtraError, match=r"apt-get install wordnet, or set WNSEARCHDIR"):
        wordnet.wordnet_synonyms()


def test_without_nltk_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk.data", None)
    with pytest.raises(MissingExtraError, match=r'EDA needs NLTK.*pip install "lmdistill\[augment\]"'):
        wordnet.wordnet_synonyms()


@needs_nltk
@pytest.mark.skipif(
    not (wordnet.SYSTEM_FOLDER / "index.noun").is_file(), reason="the package wordnet of Debian is not here"
)
def test_the_real_wordnet_of_the_system_knows_films() -> None:
    synonyms = wordnet.wordnet_synonyms()
    assert {"film", "picture", "motion picture"} <= set(synonyms("movie"))
    assert "kid" in synonyms("children")
