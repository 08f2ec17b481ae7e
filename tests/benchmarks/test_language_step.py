import csv

import pytest
import torch

from benchmarks import language_step
from lmdistill.core.batch import Batch
from tests.tiny_causal import language_batch, tiny_language

pytestmark = pytest.mark.skipif(
    not language_step.MODEL.is_dir(), reason="shared/models/stories260k is not there"
)


def test_it_prints_its_table_and_appends_to_the_results(tmp_path, capsys):
    results = tmp_path / "results.csv"
    language_step.main(
        [
            "--pairs",
            "stories260k",
            "--steps",
            "2",
            "--rounds",
            "1",
            "--batch-size",
            "4",
            "--results",
            str(results),
        ]
    )
    assert "stories260k: plain loop" in capsys.readouterr().out
    with results.open(newline="") as file:
        lines = list(csv.DictReader(file))
    rates = {line["way"]: float(line["value"]) for line in lines if line["measure"] == "tokens/s"}
    assert set(rates) == {"ours", "ours, random batches", "plain loop"}
    assert min(rates.values()) > 0


def test_the_plain_loop_computes_the_loss_of_ours():
    student, teacher, batch = (
        tiny_language(layers=1, seed=1),
        tiny_language(layers=2, seed=2),
        language_batch(),
    )
    assert isinstance(batch, Batch)
    plain = language_step._plain_loss(student.model, teacher.model, batch).detach()
    ours = sum(language_step.TokenKD().losses(student, teacher, batch).values()).detach() / batch.count
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)
