from pathlib import Path

import pytest

from lmdistill.analysis.compare import compare
from lmdistill.records.record import RecordedRun
from lmdistill.report.tables.quality import grid
from tests.report.factory import make_record


def notes_of(*, partner, grouped):
    method = {"name": "mixkd", "alpha_sm": 1.0} | ({} if partner is None else {"partner": partner})
    recipe = {"training": {"group_by_length": grouped}}
    runs = [
        RecordedRun(path=Path("ft"), record=make_record("FT", method={"name": "finetune"})),
        RecordedRun(path=Path("mixed"), record=make_record("MixKD", method=method, recipe=recipe)),
    ]
    (table,) = compare(runs)
    return "\n".join(grid(table).notes)


def test_pairs_of_equally_long_texts_are_named_with_the_rows_that_have_them():
    notes = notes_of(partner="batch", grouped=True)
    assert "MixKD: mixup pairs come from the same batch (partner: batch)" in notes
    assert "FT: mixup" not in notes


@pytest.mark.parametrize(("partner", "grouped"), [("train", True), ("batch", False), (None, True)])
def test_other_pairs_need_no_note(partner, grouped):
    assert "mixup pairs" not in notes_of(partner=partner, grouped=grouped)


def test_many_rows_are_counted_instead_of_named():
    method = {"name": "mixkd", "alpha_sm": 1.0, "partner": "batch"}
    runs = [
        RecordedRun(path=Path(f"r{i}"), record=make_record(f"M{i}", method=method, recipe={"training": {}}))
        for i in range(5)
    ]
    (table,) = compare(runs)
    assert any(note.startswith("5 rows with mixup: mixup pairs") for note in grid(table).notes)
