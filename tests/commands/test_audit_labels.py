"""An audit: human labels beside those of a scripted teacher."""

import json

import pytest

from lmdistill.commands.audit_labels import audit
from lmdistill.commands.label import label
from lmdistill.core.errors import ConfigError, DataError
from lmdistill.labelling.audit import share_of
from lmdistill.labelling.cost import Limit
from tests.commands.test_label import good, job
from tests.labelling.scripted_server import by_text, serve

pytest.importorskip("openai", reason="the client of servers is openai")


def human(path, hits, total):
    """Human labels of which the teacher agrees with the first ones."""
    rows = [
        {"text": f"{'good' if n % 2 else 'bad'} {n}", "label": "pos" if (n % 2 == 1) == (n < hits) else "neg"}
        for n in range(total)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_figures_are_those_of_the_answers_and_are_written_down(tmp_path):
    source, out = human(tmp_path / "h.jsonl", 90, 100), tmp_path / "a.jsonl"
    with serve(by_text(good)) as script:
        found = audit(source, out, job(script))
        assert found.agreement == share_of(90, 100)
        assert [one.label for one in found.classes] == ["neg", "pos"]
        assert found.is_good_enough  # at least 82.4 %
        stored = json.loads((tmp_path / "a.audit.json").read_text())
        assert stored["agreement"] == {
            "hits": 90,
            "total": 100,
            "low": found.agreement.low,
            "high": found.agreement.high,
        }
        assert (stored["verdict"], stored["model"]) == (found.verdict, "m")
        assert len(script.requests) == 100
        label(source, out, job(script))  # its answers are there
        assert len(script.requests) == 100


def test_a_teacher_that_is_not_good_enough_is_called_so(tmp_path):
    source = human(tmp_path / "h.jsonl", 30, 40)
    with serve(by_text(good)) as script:
        found = audit(source, tmp_path / "a.jsonl", job(script))
        assert audit(source, tmp_path / "a.jsonl", job(script), enough=0.55).is_good_enough
    assert not found.is_good_enough
    assert "not good enough" in found.verdict


def test_a_budget_that_does_not_reach_is_said_and_not_exceeded(tmp_path):
    source = human(tmp_path / "h.jsonl", 30, 40)
    with serve(by_text(good)) as script:
        limit = Limit(amount=25.0, unit="calls")
        with pytest.raises(
            ConfigError, match="15 of 40 audited texts have no answer: the budget of 25 calls is reached"
        ):
            audit(source, tmp_path / "a.jsonl", job(script, limit=limit))
        assert len(script.requests) == 25


def test_labels_of_other_tasks_are_refused_before_anything_is_asked(tmp_path):
    (tmp_path / "h.jsonl").write_text('{"text": "a", "label": "great"}\n')
    with (
        serve(by_text(good)) as script,
        pytest.raises(DataError, match="human label 'great' is none of neg, pos"),
    ):
        audit(tmp_path / "h.jsonl", tmp_path / "a.jsonl", job(script))
    assert script.requests == []
