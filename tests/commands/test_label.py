"""Labelling from Python: what is written, in which order, and what it costs."""

import json
from pathlib import Path

import pytest

from lmdistill.commands.label import label
from lmdistill.commands.plan_labelling import plan
from lmdistill.core.errors import ConfigError, DataError
from lmdistill.labelling.answer_cache import NAME
from lmdistill.labelling.api_client import Server
from lmdistill.labelling.cost import Limit, Prices, Usage
from lmdistill.labelling.label_words import label_words
from lmdistill.labelling.labelling_job import Labelling
from lmdistill.labelling.request_settings import Asking
from tests.labelling.scripted_server import by_text, reply, serve

pytest.importorskip("openai", reason="the client of servers is openai")

PROMPT = "{text}|{labels}"
LABELS = ["neg", "pos"]


def job(script, *, asking=None, limit=None, labels=LABELS, prompt=PROMPT, **server):
    quick = {"first_wait_s": 0.01, "longest_wait_s": 0.02, **server}
    return Labelling(
        server=Server(url=script.url, model="m", **quick),
        words=label_words(labels),
        prompt=prompt,
        asking=asking or Asking(samples=3),
        limit=limit,
    )


def write(path, *texts):
    rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def good(prompt):
    return "pos" if "good" in prompt else "neg"


def test_rows_keep_their_order_and_texts_and_equal_texts_are_asked_once(tmp_path):
    texts = ["good caf\u00e9", "bad \U0001f600", "good caf\u00e9", "bad \U0001f600", "bad\nlines", " spaces "]
    source = write(tmp_path / "t.jsonl", *texts)
    with serve(by_text(good)) as script:
        found = label(source, tmp_path / "out" / "a.jsonl", job(script))
    lines = read(tmp_path / "out" / "a.jsonl")
    assert [line["text"] for line in lines] == texts
    best = [max(line["probabilities"], key=line["probabilities"].get) for line in lines]
    assert best == ["pos", "neg", "pos", "neg", "neg", "neg"]
    assert lines[0] == {
        "text": "good caf\u00e9", "probabilities": {"neg": pytest.approx(2 / 9), "pos": pytest.approx(7 / 9)},
        "source": "logprobs", "samples": 1, "unassigned": pytest.approx(0.1), "model": "m",
    }  # fmt: skip
    assert sorted(script.prompts) == sorted(f"{text}|neg, pos" for text in set(texts))
    assert (found.answered, found.rejected, found.unanswered) == (6, {}, 0)
    assert found.spent == Usage(calls=4, input_tokens=120, output_tokens=8)


def test_a_pair_keeps_both_columns(tmp_path):
    source = tmp_path / "t.csv"
    source.write_text("premise,hypothesis,label\na good one,b,x\nc,d,y\n")
    with serve(by_text(good)) as script:
        label(source, tmp_path / "a.jsonl", job(script, prompt=None))
    assert [list(line)[:3] for line in read(tmp_path / "a.jsonl")] == [
        ["premise", "hypothesis", "probabilities"]
    ] * 2
    assert "premise: a good one\nhypothesis: b\nLabel:" in script.prompts[0]


def test_samples_are_counted_where_there_are_no_log_probabilities(tmp_path):
    said = iter(["pos", "pos", "neg", "neg", "hm", "neg"])
    source = write(tmp_path / "t.jsonl", "a", "b")
    with serve(lambda request, number: reply(next(said))) as script:
        found = label(source, tmp_path / "a.jsonl", job(script, concurrency=1))
    first, second = read(tmp_path / "a.jsonl")
    # the question about log-probabilities is the first sample; 2 of 3 for pos, then 2 of 2 for neg
    assert first["probabilities"] == pytest.approx({"neg": 1.5 / 4, "pos": 2.5 / 4})
    assert second["probabilities"] == pytest.approx({"neg": 2.5 / 3, "pos": 0.5 / 3})
    assert (second["source"], second["samples"], second["unassigned"]) == (
        "samples",
        2,
        pytest.approx(1 / 3, abs=1e-6),
    )
    assert (found.source, len(script.requests), found.unanimous) == ("samples", 6, 0.0)


def test_rejected_rows_are_in_a_file_of_their_own(tmp_path):
    odd = {"a": "I'm sorry, I can't.", "b": "\u001b]0;x\u0007 maybe", "c": "pos"}

    def answer(request, number):
        text = request["messages"][0]["content"][0]
        return (413, "too large", {}) if text == "d" else reply(odd[text])

    source = write(tmp_path / "t.jsonl", "c", "a", "b", "d", "a")
    with serve(answer) as script:
        found = label(source, tmp_path / "a.jsonl", job(script))
    assert [line["text"] for line in read(tmp_path / "a.jsonl")] == ["c"]
    rejected = read(tmp_path / "a.rejected.jsonl")
    assert [(line["text"], line["reason"]) for line in rejected] == [
        ("a", "refused"),
        ("b", "unparsable"),
        ("d", "unfit"),
        ("a", "refused"),
    ]
    assert rejected[1]["reply"] == odd["b"]
    assert b"\x1b" not in (tmp_path / "a.rejected.jsonl").read_bytes()
    assert found.rejected == {"refused": 2, "unparsable": 1, "unfit": 1}


def test_no_answer_at_all_is_an_error_and_the_replies_are_kept(tmp_path):
    source = write(tmp_path / "t.jsonl", "a", "b")
    with (
        serve(lambda *_: reply("hm")) as script,
        pytest.raises(
            DataError,
            match=r"^none of the 2 texts has an answer; the first is unparsable: no reply names a label\. .*a\.rejected\.jsonl\.$",
        ),
    ):
        label(source, tmp_path / "a.jsonl", job(script))
    assert len(read(tmp_path / "a.rejected.jsonl")) == 2
    assert not (tmp_path / "a.jsonl").exists()


def test_an_output_that_is_there_is_refused_before_anything_is_asked(tmp_path):
    source = write(tmp_path / "t.jsonl", "a")
    (tmp_path / "a.jsonl").write_text("mine")
    with serve(by_text(good)) as script, pytest.raises(DataError, match=r"exists\. Choose another --out"):
        label(source, tmp_path / "a.jsonl", job(script))
    assert script.requests == []
    assert (tmp_path / "a.jsonl").read_text() == "mine"


def test_the_budget_stops_in_time_and_a_larger_one_continues(tmp_path):
    source, out = write(tmp_path / "t.jsonl", *(f"good {n}" for n in range(20))), tmp_path / "a.jsonl"
    with serve(by_text(good)) as script:
        found = label(source, out, job(script, limit=Limit(amount=7.0, unit="calls")))
        assert (found.answered, found.unanswered, found.path) == (7, 13, tmp_path / "a.partial.jsonl")
        assert found.stopped == "the budget of 7 calls is reached"
        assert len(script.requests) == 7
        assert not out.exists()
        again = label(source, out, job(script, limit=Limit(amount=7.0, unit="calls")))
        assert (again.answered, len(script.requests)) == (7, 7)
        last = label(source, out, job(script, limit=Limit(amount=20.0, unit="calls")))
    assert (last.answered, last.unanswered, len(script.requests)) == (20, 0, 20)
    assert not (tmp_path / "a.partial.jsonl").exists()
    assert len(set(script.prompts)) == 20


@pytest.mark.parametrize("amount", [0.001, 0.01])
def test_money_is_never_exceeded_whatever_the_server_reports(amount, tmp_path):
    prices = Prices(input=2.0, output=10.0)
    source = write(tmp_path / "t.jsonl", *(f"good {n}" for n in range(30)))

    def answer(request, number):
        return reply("pos", usage=(20 + 37 * number % 400, 1 + number % 16))

    limit = Limit(amount=amount, unit="money", prices=prices)
    with serve(answer) as script:
        asked = job(script, limit=limit, asking=Asking(probabilities="samples", samples=2))
        if amount < prices.cost(Usage(input_tokens=530, output_tokens=16)):
            with pytest.raises(
                ConfigError, match=r"^--budget 0.001 is below one call, which may take 0.0012\d*\. Raise it"
            ):
                label(source, tmp_path / "a.jsonl", asked)
            assert script.requests == []
            return
        found = label(source, tmp_path / "a.jsonl", asked)
    assert found.unanswered > 0
    assert 0 < prices.cost(found.spent) <= amount


def test_more_samples_ask_only_for_the_new_ones_and_another_prompt_for_all(tmp_path):
    source = write(tmp_path / "t.jsonl", "a", "b")
    with serve(lambda *_: reply("pos")) as script:
        for samples, prompt, calls in ((2, PROMPT, 4), (5, PROMPT, 10), (5, "{text}?", 20)):
            asking = Asking(probabilities="samples", samples=samples)
            label(source, tmp_path / f"a{calls}.jsonl", job(script, asking=asking, prompt=prompt))
            assert len(script.requests) == calls
    assert {line["samples"] for line in read(tmp_path / "a10.jsonl")} == {5}


def test_the_order_of_the_labels_is_that_of_the_output(tmp_path):
    source = write(tmp_path / "t.jsonl", "good")
    with serve(by_text(good)) as script:
        for order in (["neg", "pos"], ["pos", "neg"]):
            label(source, tmp_path / f"{order[0]}.jsonl", job(script, labels=order, prompt="{text}"))
    found = [read(tmp_path / f"{name}.jsonl")[0]["probabilities"] for name in LABELS]
    assert [list(one) for one in found] == [["neg", "pos"], ["pos", "neg"]]
    assert found[0] == found[1]
    assert len(script.requests) == 1


def test_a_plan_counts_what_is_not_in_the_cache_and_asks_nothing(tmp_path):
    texts = [f"good {n}" for n in range(6)]
    source, out = write(tmp_path / "t.jsonl", *texts, texts[0]), tmp_path / "a.jsonl"
    with serve(by_text(good)) as script:
        before = plan([source], out, job(script))
        assert script.requests == []
        assert not (tmp_path / NAME).exists()
        assert (before.rows, before.texts) == (7, 6)
        assert {kind: usage.calls for kind, usage in before.usage.items()} == {"logprobs": 6, "samples": 18}
        label(write(tmp_path / "part.jsonl", *texts[:4]), tmp_path / "b.jsonl", job(script))
        after = plan([source], out, job(script))
    assert {kind: usage.calls for kind, usage in after.usage.items()} == {"logprobs": 2, "samples": 18}
    for usage, most in zip(after.usage.values(), after.largest.values(), strict=True):
        assert usage.input_tokens < most.input_tokens
        assert usage.output_tokens <= most.output_tokens


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("text\n")
    with serve(by_text(good)) as script, pytest.raises(DataError, match="no rows"):
        label(tmp_path / "t.csv", tmp_path / "a.jsonl", job(script))
