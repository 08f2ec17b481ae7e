"""The benchmark of answers: what it asks, and what it writes."""

import csv

import pytest

from benchmarks import serving
from lmdistill.export.hugging_face import save
from tests.tiny import WORDS, tiny

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporters' own, which differ between versions


def test_texts_have_the_length_that_is_asked_for():
    network = tiny(layers=1)
    for tokens in (5, 16):
        texts = serving.texts_of(network, tokens, 3)
        assert [len(network.tokenizer(text)["input_ids"]) for text in texts] == [tokens] * 3
        assert set(" ".join(texts).split()) <= set(WORDS)


@pytest.mark.slow
def test_it_prints_tables_and_appends_to_the_results(tmp_path, capsys, monkeypatch):
    save(tiny(layers=2), tmp_path / "model")
    monkeypatch.setattr(serving, "LENGTHS", (8,))
    sizes = ["--runs", "2", "--starts", "1", "--threads", "1"]
    serving.main([*sizes, "--model", str(tmp_path / "model"), "--results", str(tmp_path / "results.csv")])
    assert "student, openvino-int8" in capsys.readouterr().out
    lines = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert {line["setting"] for line in lines} == {
        "batch 1, 8 tokens",
        "batch 32, 8 tokens",
        "start of a process",
    }
    assert all(float(line["value"]) > 0 for line in lines)
    ours = {line["measure"]: float(line["value"]) for line in lines if line["way"] == serving.TEACHER}
    assert ours["times as fast"] == 1
