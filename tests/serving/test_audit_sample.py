"""Which texts an audit has: each with the same probability, deferred or not, with the teacher's answer."""

import asyncio
import json
import math
import random

import pytest

pytest.importorskip("prometheus_client", reason="a server counts with prometheus-client")

from lmdistill.serving.answers import Answer
from lmdistill.serving.audit_file import AuditFile
from lmdistill.serving.audit_sample import AuditSample
from lmdistill.serving.server_metrics import ServerMetrics
from lmdistill.serving.teacher_client import TeacherClient, TeacherError
from tests.serving.event_loop import run_alone

SURE = Answer(value="red", confidence=0.9)
UNSURE = Answer(value="red", confidence=0.4, deferred=True)


class Teacher(TeacherClient):
    """Answers blue; fails for some texts, and never answers others."""

    def __init__(self):
        self.asked, self.at_once, self.most = [], 0, 0

    async def ask(self, texts):
        self.asked += texts
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(60 if texts[0].startswith("never") else 0)
            if texts[0].startswith("fails"):
                raise TeacherError("no")
        finally:
            self.at_once -= 1
        return ["blue"] * len(texts)


def sampled(path, offers, *, share=1.0, teacher=None, columns=(), seed=None, wait=5.0):
    """The rows after some requests, each of texts, answers and the teacher's answers; and the metrics."""

    async def whole():
        metrics = ServerMetrics(lambda: 0)
        chance = random.Random() if seed is None else random.Random(seed)
        sample = AuditSample(
            file=AuditFile(path), share=share, columns=columns, graph="onnx", teacher=teacher, metrics=metrics,
            chance=chance,
        )  # fmt: skip
        for offer in offers:
            sample.offer(*offer)
        await sample.close(wait)
        return metrics.page().decode()

    page = run_alone(whole())
    return [json.loads(line) for line in path.read_text().splitlines()], page


def test_the_sample_is_uniform_whatever_the_answers_are(tmp_path):
    """4,000 texts, a third of them deferred: the counts are within 4 standard deviations of their binomials."""
    total, share = 4000, 0.1
    offers = [
        ([f"{n} {k}" for k in range(4)], [UNSURE if (n + k) % 3 == 0 else SURE for k in range(4)], [None] * 4)
        for n in range(total // 4)
    ]
    rows, _ = sampled(tmp_path / "a.jsonl", offers, share=share, seed=11)
    of_all = {
        text: answer.deferred
        for texts, answers, _ in offers
        for text, answer in zip(texts, answers, strict=True)
    }

    def near(rows, count):
        return abs(len(rows) - count * share) <= 4 * math.sqrt(count * share * (1 - share))

    deferred = [row for row in rows if row["defer"]]
    assert near(rows, total)
    assert near(deferred, sum(of_all.values()))
    for place in range(4):  # no position in a request is preferred
        assert near([row for row in rows if row["text"].endswith(f" {place}")], total // 4)
    numbers = [row["text"].split()[0] for row in rows]
    assert max(map(numbers.count, numbers)) < 4  # texts of one request are drawn independently
    assert all(of_all[row["text"]] is row["defer"] for row in rows)
    assert len({row["text"] for row in rows}) == len(rows)


def test_two_samples_are_different(tmp_path):
    offers = [([str(n)], [SURE], [None]) for n in range(200)]
    found = [
        [row["text"] for row in sampled(tmp_path / f"{n}.jsonl", offers, share=0.5)[0]] for n in range(2)
    ]
    assert found[0] != found[1]


def test_the_teacher_is_asked_about_what_was_not_deferred_and_every_row_is_written(tmp_path):
    teacher = Teacher()
    texts = ["sure", "unsure", "fails", *[f"more {n}" for n in range(9)]]
    answers = [SURE, UNSURE, *[SURE] * 10]
    rows, page = sampled(
        tmp_path / "a.jsonl", [(texts, answers, [None, "green", *[None] * 10])], teacher=teacher
    )
    assert {row["text"]: row["teacher"] for row in rows} == {
        "sure": "blue", "unsure": "green", "fails": None, **{f"more {n}": "blue" for n in range(9)},
    }  # fmt: skip
    assert "unsure" not in teacher.asked
    assert teacher.most == 2
    assert "lmdistill_audit_rows_total 12.0" in page
    assert "lmdistill_teacher_failures_total 1.0" in page


def test_rows_whose_teacher_never_answers_are_written_at_the_end(tmp_path):
    texts = [f"never {n}" for n in range(5)]
    rows, _ = sampled(tmp_path / "a.jsonl", [(texts, [SURE] * 5, [None] * 5)], teacher=Teacher(), wait=0.1)
    assert sorted((row["text"], row["teacher"]) for row in rows) == [(text, None) for text in texts]


@pytest.mark.parametrize(
    ("text", "columns", "named"),
    [
        ("a", (), {"text": "a"}),
        ("a", ("review",), {"review": "a"}),
        ("a", ("title", "body"), {"text": "a"}),  # joined columns: the model reads one text
        ("a", ("time",), {"text": "a"}),
        (("a", "b"), (), {"first": "a", "second": "b"}),
        (("a", "b"), ("premise", "hypothesis"), {"premise": "a", "hypothesis": "b"}),
    ],
)
def test_texts_stand_in_the_columns_of_the_run(tmp_path, text, columns, named):
    ((row,), _) = sampled(tmp_path / "a.jsonl", [([text], [SURE], [None])], columns=columns)
    time = row.pop("time")
    assert time.endswith("Z")
    assert "T" in time
    assert row == {
        **named, "predicted": "red", "confidence": 0.9, "defer": False, "graph": "onnx", "teacher": None,
    }  # fmt: skip


def test_a_full_disk_is_counted_and_said_and_nothing_else_fails(tmp_path, monkeypatch, caplog):
    def full(self, row):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AuditFile, "write", full)
    rows, page = sampled(tmp_path / "a.jsonl", [(["secret"], [SURE], [None])])
    assert rows == []
    assert "lmdistill_audit_failures_total 1.0" in page
    assert "secret" not in caplog.text
