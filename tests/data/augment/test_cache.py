import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lmdistill.core.errors import RunError
from lmdistill.data.augment.cache import AugmentationCache
from tests.data.augment.fakes import Table

KILLED = """
import os, signal, sys
from pathlib import Path
from lmdistill.data.augment.cache import AugmentationCache
from tests.data.augment.fakes import Table

class Killer:
    name, identity, varied = "table", Table().identity, True
    def __call__(self, texts, copies=None):
        if "c" in texts:
            os.kill(os.getpid(), signal.SIGKILL)
        return Table()(texts, copies)

store = AugmentationCache(Path(sys.argv[1]))
for batch in (["a", "b"], ["c", "d"]):
    store.results(Killer(), batch)
"""


def test_results_are_aligned_with_texts_and_repeats_are_computed_once(tmp_path: Path) -> None:
    table = Table()
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        results = store.results(table, ["a", "b", "a", "a"], [0, 0, 0, 1])
    assert results.texts == ["a #0", "b #0", "a #0", "a #1"]
    assert table.asked == [("a", 0), ("b", 0), ("a", 1)]
    assert (results.from_store, results.computed) == (0, 3)


def test_a_second_call_computes_only_what_is_missing(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        store.results(Table(), ["a", "b"])
    table = Table()
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        results = store.results(table, ["c", "b", "a"])
        assert len(store) == 3
    assert results.texts == ["c #0", "b #0", "a #0"]
    assert table.asked == [("c", 0)]
    assert (results.from_store, results.computed) == (2, 1)


def test_augmenters_with_different_identities_share_a_file_but_no_results(tmp_path: Path) -> None:
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        store.results(Table(known={"a": "x"}), ["a"])
        assert store.results(Table(known={"a": "y"}, identity="other"), ["a"]).texts == ["y"]


def test_blank_texts_never_reach_the_augmenter(tmp_path: Path) -> None:
    table = Table()
    with AugmentationCache(tmp_path / "store.sqlite") as store:
        assert store.results(table, ["", " \n", "a"]).texts == ["", "", "a #0"]
    assert table.asked == [("a", 0)]


def test_a_process_that_is_killed_leaves_every_batch_that_it_finished(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], cwd=root, env=dict(os.environ), check=False
    )
    assert done.returncode == -signal.SIGKILL
    table = Table()
    with AugmentationCache(path) as store:
        assert store.results(table, ["a", "b", "c", "d"]).texts == ["a #0", "b #0", "c #0", "d #0"]
    assert table.asked == [("c", 0), ("d", 0)]


def test_an_augmenter_that_loses_a_text_is_refused_and_nothing_is_filed(tmp_path: Path) -> None:
    class Loser:
        name, identity, varied = "loser", "x", True

        def __call__(self, texts, copies=None):  # type: ignore[no-untyped-def]
            return list(texts)[1:]

    with AugmentationCache(tmp_path / "store.sqlite") as store:
        with pytest.raises(RunError, match="'loser' returned 1 texts for 2"):
            store.results(Loser(), ["a", "b"])
        assert len(store) == 0


def test_a_file_that_is_no_store_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes, which nobody may overwrite\n" * 50)
    with pytest.raises(RunError, match=r"notes\.txt' cannot be used: file is not a database"):
        AugmentationCache(path)
    assert path.read_text().startswith("my notes")


def changed(path: Path, old: bytes, new: bytes) -> None:
    """Change bytes of the file on disk, the log of SQLite included."""
    for file in (path, path.with_name(path.name + "-wal")):
        if file.exists():
            file.write_bytes(file.read_bytes().replace(old, new))


def test_a_damaged_result_is_computed_again_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.sqlite"
    with AugmentationCache(path) as store:
        store.results(Table(), ["first", "second"])
    assert b"first #0" in path.read_bytes()
    changed(path, b"first #0", b"farst #0")
    table = Table()
    with AugmentationCache(path) as store, caplog.at_level("WARNING", "lmdistill"):
        assert store.results(table, ["first", "second"]).texts == ["first #0", "second #0"]
        assert store.results(table, ["first"]).computed == 0
    assert table.asked == [("first", 0)]
    assert caplog.messages == [f"1 results in {path} are damaged; they are computed again."]


def test_a_result_that_is_no_text_any_more_is_computed_again(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with AugmentationCache(path) as store:
        store.results(Table(), ["first"])
    changed(path, b"first #0", b"fi\xffst #0")
    with AugmentationCache(path) as store:
        assert store.results(Table(), ["first"]).texts == ["first #0"]


def test_results_of_version_0_1_have_no_checksum_and_are_used(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with AugmentationCache(path) as store:
        store.results(Table(), ["a"])
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE checksums")
    table = Table()
    with AugmentationCache(path) as store:
        assert store.results(table, ["a"]).texts == ["a #0"]
    assert table.asked == []


def test_a_file_that_sqlite_cannot_read_is_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.sqlite"
    texts = [f"text {number}" for number in range(400)]
    with AugmentationCache(path) as store:
        before = store.results(Table(), texts).texts
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)  # all pages but the first
    path.write_bytes(bytes(content))
    with AugmentationCache(path) as store, caplog.at_level("WARNING", "lmdistill"):
        assert store.results(Table(), texts).texts == before
    assert "is made again, and kept as" in caplog.text
    assert path.with_name("store.sqlite.damaged").exists()
    with AugmentationCache(path) as store:
        assert store.results(Table(), texts).computed == 0
