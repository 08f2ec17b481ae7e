"""`lmdistill label` as a user meets it: one line for each mistake, no secret anywhere, and kills that cost nothing."""

import json
import re
import time
from pathlib import Path

import pytest

from lmdistill.labelling.answer_cache import NAME
from lmdistill.labelling.audit import ENOUGH
from tests.labelling.scripted_server import by_text, reply, serve
from tests.tiny_recipe import start

pytest.importorskip("openai", reason="the client of servers is openai")

KEY = "sk-very-secret-4711"


def good(prompt):
    return "pos" if "good" in prompt else "neg"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with texts, human labels and no key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    rows = [
        {"text": f"{'good' if n % 3 else 'bad'} film {n}", "label": "pos" if n % 3 else "neg"}
        for n in range(200)
    ]
    Path("texts.jsonl").write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows))
    Path("human.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:100]))
    return tmp_path


def command(script, *more, texts="texts.jsonl", out="answers.jsonl", labels="neg,pos"):
    url = script if isinstance(script, str) else script.url
    return ("label", texts, "--teacher", url, "--model", "m", "--labels", labels, "--out", out, *more)


def answers(path="answers.jsonl"):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def slow(request, number):
    time.sleep(0.02)
    return by_text(good)(request, number)


def killed_after(calls, script, *words):
    """Start the command and kill it when the server has got as many calls in all."""
    process = start(*words)
    while len(script.requests) < calls and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return process.returncode  # below 0 if it was still at work


def test_two_hundred_texts_killed_twice_give_the_file_of_one_run_and_nothing_is_paid_twice(folder, lmdistill):
    with serve(slow) as script:
        words = command(
            script, "--budget", "230calls", texts=folder / "texts.jsonl", out=folder / "answers.jsonl"
        )
        for calls in (60, 130):
            assert killed_after(calls, script, *words) < 0
            assert not Path("answers.jsonl").exists()
        last = lmdistill(*words)
        assert last.code == 0, last.err
        lost = len(script.requests) - 200
        assert 0 <= lost <= 2 * 4  # what was under way when it was killed
        counted = int(re.search(r"(\d+) calls", last.out)[1])
        # a call is counted before it is sent, so one that was killed in between never came to the server
        assert len(script.requests) <= counted <= 200 + 2 * 4
        counts = {prompt: script.prompts.count(prompt) for prompt in set(script.prompts)}
        assert len(counts) == 200
        assert sum(count - 1 for count in counts.values()) == lost
        once = lmdistill(*command(script, out="once.jsonl"))
    assert once.code == 0, once.err
    assert Path("once.jsonl").read_bytes() == Path("answers.jsonl").read_bytes()
    assert len(answers()) == 200
    assert {line["source"] for line in answers()} == {"logprobs"}
    assert not list(folder.glob(".*"))


def test_a_budget_holds_over_kills(folder, lmdistill):
    with serve(slow) as script:
        limits = ("--budget", "50calls", "--concurrency", "8")
        words = command(script, *limits, texts=folder / "texts.jsonl", out=folder / "answers.jsonl")
        for calls in (15, 30):
            assert killed_after(calls, script, *words) < 0
        last = lmdistill(*words)
        assert last.code == 2
        assert re.search(
            r"error: \d+ rows have no answer: the budget of 50 calls is reached\. The answers so far are in .*answers\.partial\.jsonl; ",
            last.err,
        )
        assert len(script.requests) <= 50
    assert len(answers("answers.partial.jsonl")) >= 50 - 2 * 8


def test_an_audit_comes_first_and_shows_intervals_classes_and_a_verdict(folder, lmdistill):
    wrong = {"bad film 0", "good film 1", "good film 2"}

    def answer(prompt):
        text = re.search(r"Text: (.*)\n", prompt)[1]
        return {"pos": "neg", "neg": "pos"}[good(prompt)] if text in wrong else good(prompt)

    with serve(by_text(answer)) as script:
        said = lmdistill(*command(script, "--audit", "human.jsonl"))
        assert said.code == 0, said.err
        assert len(script.requests) == 200
    assert "agreement, %: 97.0 [91.5, 99.4] of 100; 0 rejected" in said.out
    assert re.search(r"pos +│ +98.5 \[91.7, 100.0\] │ +97.0 \[89.5, 99.6\] │ +66 │ +65", said.out), said.out
    assert "people say pos: the teacher says 2 neg, 64 pos" in said.out
    assert "calibration error, %: 19.2" in said.out  # 0.97 against 7/9
    assert "good enough: the teacher agrees with people on 97.0 % of 100 texts, at least 91.5 %" in said.out
    strict = lmdistill(
        *command(serve_nothing(), "--audit", "human.jsonl", "--enough", "0.95", out="other.jsonl")
    )
    assert strict.code == 2


def serve_nothing():
    """An address at which nobody answers."""
    with serve(lambda *_: None) as script:
        return script.url


def test_a_teacher_that_only_knows_the_most_common_label_is_not_good_enough(folder, lmdistill):
    with serve(by_text(lambda prompt: "pos")) as script:
        said = lmdistill(*command(script, "--audit", "human.jsonl", "--enough", "0.5"))
    assert said.code == 0
    assert "not good enough: " in said.out
    assert "no better than always answering the most common label (66.0 %)" in said.out


def test_a_dry_run_prints_calls_tokens_and_cost_and_asks_nothing(folder, lmdistill):
    with serve(slow) as script:
        said = lmdistill(
            *command(script, "--dry-run", "--price-in", "1", "--price-out", "2", "--audit", "human.jsonl")
        )
        assert script.requests == []
    assert said.code == 0, said.err
    assert re.search(r"logprobs +│ +200 │", said.out)
    assert re.search(r"samples +│ +1,000 │", said.out)
    assert "300 rows with 200 different texts" in said.out
    assert sorted(path.name for path in folder.iterdir()) == ["human.jsonl", "texts.jsonl"]


@pytest.mark.parametrize("named", [False, True])
def test_the_key_is_never_shown_and_never_written(named, folder, lmdistill, monkeypatch):
    name = "MY_KEY" if named else "OPENAI_API_KEY"
    monkeypatch.setenv(name, KEY)
    more = ("--api-key-env", name) if named else ()

    def answer(request, number):
        if number < 5:
            return reply(
                f"Bearer {KEY}, pos", top=[("pos", 0.9)], refusal=f"{KEY} is wrong" if number == 1 else None
            )
        return 401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, {}

    with serve(answer) as script:
        said = lmdistill(*command(script.url.replace("//", "//me:hunter22@"), "--concurrency", "1", *more))
    assert script.keys
    assert said.code == 2
    assert (
        f"refuses the key in {name} (401: Incorrect API key provided: ***). Put a key of this server"
        in said.err
    )
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for secret in (KEY, "hunter22"):
        assert secret not in said.out + said.err
        assert secret.encode() not in written


def test_control_characters_of_a_server_do_not_reach_the_terminal(folder, lmdistill):
    evil = "\u001b\u0007\u202e\u009b"
    with serve(lambda *_: (404, {"error": {"message": f"no {evil} model"}}, {})) as script:
        said = lmdistill(*command(script))
    assert said.code == 2
    assert not set(evil) & set(said.out + said.err)
    Path("few.jsonl").write_text('{"text": "a"}\n{"text": "b"}\n')
    with serve(lambda *_: reply(f"{evil} hm")) as script:
        said = lmdistill(*command(script, texts="few.jsonl"))
    assert said.code == 2
    assert not set(evil) & set(said.out + said.err)
    assert Path("answers.rejected.jsonl").read_text(encoding="utf-8").isascii()
    assert not set(evil) & set(Path("answers.rejected.jsonl").read_text(encoding="utf-8"))


BAD = [
    ("no server", ("--teacher", "http://127.0.0.1:9/v1"), r"^no server answers at http://127\.0\.0\.1:9/v1 \(.*\)\. Start it, or correct --teacher\.$"),
    ("no address", ("--teacher", "localhost:8000"), r"^--teacher must be an address like http://localhost:8000/v1, got 'localhost:8000'\.$"),
    ("budget below one call", ("--budget", "100tokens"), r"^--budget 100 tokens is below one call, which may take \d+ tokens\. Raise it, or lower --max-new\.$"),
    ("budget without prices", ("--budget", "2"), r"^--budget 2 is money, and prices are not known\. "),
    ("one price", ("--price-in", "2"), r"^--price-out is missing\. Give both prices, or neither\.$"),
    ("same first token", ("--labels", "LABEL_0,LABEL_1"), r"^the words 'LABEL_0' and 'LABEL_1' begin with the same token, .*--label-word 'LABEL_1'=WORD, or use --probabilities samples\.$"),
    ("one label", ("--labels", "pos"), r"^there are 1 labels \(pos\)\. Name two or more\.$"),
    ("odd word", ("--label-word", "pos"), r"^--label-word takes LABEL=WORD, got 'pos'\.$"),
    ("word of no label", ("--label-word", "post=x"), r"^no label is called 'post'\. Did you mean 'pos'\?"),
    ("no such file", ("--prompt", "p.txt"), r"^the prompt p\.txt cannot be read \(No such file or directory\)"),
    ("key that is not set", ("--api-key-env", "NO_SUCH_KEY"), r"^the environment variable NO_SUCH_KEY is not set\. Put the key into it\.$"),
    ("odd samples", ("--samples", "0"), r"^--samples and --max-new must be >= 1, got 0 and 16\.$"),
    ("odd temperature", ("--temperature", "3"), r"^--temperature must be between 0 and 2, got 3\.0\.$"),
    ("odd output", ("--out", "answers.csv"), r"^answers\.csv cannot be written: answers are saved as \.jsonl\."),
    ("odd audit", ("--audit", "texts.jsonl"), r"^texts\.jsonl: it is not clear which column holds the label|^texts\.jsonl.*label"),
    ("odd aim", ("--audit", "human.jsonl", "--enough", "80"), r"^--enough must be between 0 and 1, got 80\. 0\.8 is 80 % agreement\.$"),
    ("no student", ("--choose", "3"), r"^--student is missing\. Give --choose N and --student RUN together\.$"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "more", "match"), BAD, ids=[what for what, *_ in BAD])
def test_a_mistake_is_one_line_and_leaves_nothing(what, more, match, folder, lmdistill):
    words = [
        word
        for word in command("http://127.0.0.1:9/v1")
        if "--labels" not in more or word not in ("--labels", "neg,pos")
    ]
    said = lmdistill(*words, *more)
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert (said.code, len(errors)) == (2, 1), said.err
    assert "Traceback" not in said.err
    assert re.search(match, errors[0].removeprefix("error: ")), errors[0]
    assert {path.name for path in folder.iterdir()} - {NAME} == {"human.jsonl", "texts.jsonl"}


def test_what_is_missing_is_named(folder, lmdistill):
    for words, match in (
        (("label", "texts.jsonl", "--out", "a.jsonl"), "--teacher is missing"),
        (("label", "texts.jsonl", "--out", "a.jsonl", "--teacher", "http://a"), "--model is missing"),
        (
            ("label", "texts.jsonl", "--out", "a.jsonl", "--teacher", "http://a", "--model", "m"),
            "--labels is missing",
        ),
        (("label", "texts.jsonl", "--out", "a.jsonl", "--student", "x"), "--choose is missing"),
    ):
        said = lmdistill(*words)
        assert (said.code, match in said.err) == (2, True), said.err


def test_log_probabilities_that_are_required_and_missing_are_one_line(folder, lmdistill):
    with serve(lambda *_: reply("pos")) as script:
        said = lmdistill(*command(script, "--probabilities", "logprobs"))
    assert said.code == 2
    assert "gives no log-probabilities for 'm'. Use --probabilities samples, or another server." in said.err


def test_labels_may_be_given_one_by_one_and_with_words_of_their_own(folder, lmdistill):
    Path("few.jsonl").write_text('{"text": "a"}\n')
    with serve(lambda *_: reply("bad", top=[("bad", 0.9)])) as script:
        words = [word for word in command(script, texts="few.jsonl") if word not in ("--labels", "neg,pos")]
        said = lmdistill(*words, "--labels", "no, never", "--labels", "yes", "--label-word", "no, never=bad")
    assert said.code == 0, said.err
    assert answers()[0]["probabilities"] == {"no, never": 1.0, "yes": 0.0}
    assert "bad, yes?" in script.prompts[0]


def test_texts_are_chosen_under_a_student_and_nobody_is_asked(place, lmdistill):
    said = lmdistill(
        "label", "texts.csv", "--choose", "7", "--student", "models/classifier", "--out", "chosen.jsonl"
    )
    assert said.code == 0, said.err
    assert said.out == "7 texts: chosen.jsonl\n"
    assert len(answers("chosen.jsonl")) == 7


def test_the_help_says_what_is_enough(lmdistill):
    assert f"Default: {ENOUGH}." in " ".join(re.sub("[│╭╰─]", " ", lmdistill("label", "--help").out).split())
