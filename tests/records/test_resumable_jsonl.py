"""An interrupted file of JSON lines goes on where it was whole."""

import logging

import pytest

from lmdistill.records.resumable_jsonl import CHUNK, ResumableLines, encoded

ROWS = [{"number": number, "text": "é\u2028 a\r\nb"} for number in range(3 * CHUNK)]


def written(path, chunks):
    with ResumableLines(path, len(ROWS)) as file:
        for number in range(chunks):
            file.append(ROWS[CHUNK * number : CHUNK * (number + 1)])
    return path


def kept(path):
    with ResumableLines(path, len(ROWS)) as file:
        return file.rows


def test_what_was_written_is_kept_and_continued(tmp_path):
    path = written(tmp_path / "deep" / "a.part", 2)
    with ResumableLines(path, len(ROWS)) as file:
        assert file.rows == ROWS[: 2 * CHUNK]
        file.append(ROWS[2 * CHUNK :])
        file.finish(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == "".join(map(encoded, ROWS)).encode()
    assert list(path.parent.iterdir()) == []


def test_a_chunk_that_a_kill_cut_is_written_again(tmp_path):
    path = written(tmp_path / "a.part", 2)
    with path.open("ab") as file:
        file.write(b'{"number": 12')
    assert kept(path) == ROWS[: 2 * CHUNK]
    assert path.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("name", ["a.part", "a.part.sha256"])
@pytest.mark.parametrize("at", [3, 40, -3])
def test_what_has_changed_is_begun_again_and_that_is_said(name, at, tmp_path, caplog):
    path = written(tmp_path / "a.part", 2)
    content = bytearray((tmp_path / name).read_bytes())
    content[at] ^= 4
    (tmp_path / name).write_bytes(bytes(content))
    with caplog.at_level(logging.WARNING, "lmdistill"):
        assert kept(path) == []
    assert caplog.messages == [f"{path} has changed since it was written; it is begun again."]
    assert path.read_bytes() == b""


def test_a_file_of_version_0_1_is_continued_from_its_whole_chunks_and_that_is_said(tmp_path, caplog):
    path = tmp_path / "a.part"
    path.write_text("".join(map(encoded, ROWS[: CHUNK + 5])), encoding="utf-8")
    with caplog.at_level(logging.INFO, "lmdistill"):
        assert kept(path) == ROWS[:CHUNK]
    assert "no checksum, as in version 0.1" in caplog.text
    path.write_text("".join(map(encoded, ROWS)), encoding="utf-8")
    assert kept(path) == ROWS


def test_a_broken_line_of_version_0_1_is_begun_again(tmp_path, caplog):
    path = tmp_path / "a.part"
    path.write_text("{}\nno json\n{}\n")
    with caplog.at_level(logging.WARNING, "lmdistill"):
        assert kept(path) == []
    assert "is damaged; it is begun again" in caplog.text
