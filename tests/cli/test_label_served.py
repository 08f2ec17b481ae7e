"""`lmdistill label` against a real server: `transformers serve` with a tiny model that has learned two labels."""

import importlib.util
import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

from lmdistill.export.hugging_face import save
from tests.tiny_causal import END, tiny_language, tiny_language_tokenizer
from tests.tiny_recipe import environment, start

NEEDED = ("openai", "fastapi", "uvicorn")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"transformers serve needs {', '.join(NEEDED)}")

PRAISE, BLAME, NOUNS = ("fine", "bright"), ("dull", "slow"), ("film", "plot", "cast", "meal")
TEXTS = [
    f"the {noun} was {word}{'' if n == 0 else ' but' * n}"
    for n in range(3)
    for noun in NOUNS
    for word in (*PRAISE, *BLAME)
]
PROMPT = "{text} is"
SAMPLES = 3


def label_of(text):
    return "good" if set(text.split()) & set(PRAISE) else "bad"


def write_model(folder):
    """A chat model that answers with the label of a text, and samples."""
    tokenizer = tiny_language_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    network = tiny_language("llama", layers=2, tokenizer=tokenizer)
    rows = [tokenizer(f"{PROMPT.format(text=text)} {label_of(text)}")["input_ids"] + [END] for text in TEXTS]
    batches = [torch.tensor([row for row in rows if len(row) == length]) for length in {*map(len, rows)}]
    optimizer = torch.optim.Adam(network.model.parameters(), lr=0.01)
    for _ in range(180):
        for ids in batches:
            optimizer.zero_grad()
            logits = network.model(input_ids=ids).logits[:, -3:-1]
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, -2:].flatten()).backward()
            optimizer.step()
    network.model.generation_config.do_sample = True
    save(network, folder)


def is_up(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=1) as found:
            return found.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address and model of a running server."""
    folder = tmp_path_factory.mktemp("served")
    write_model(folder / "model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    words = [
        sys.executable,
        "-m",
        "transformers.cli.transformers",
        "serve",
        str(folder / "model"),
        "--device",
        "cpu",
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*words, "--host", "127.0.0.1", "--port", url.rpartition(":")[2]],
            stdout=log, stderr=log, env=environment(),
        )  # fmt: skip
        try:
            for _ in range(600):
                if process.poll() is not None or is_up(url):
                    break
                time.sleep(0.1)
            assert is_up(url), (folder / "log").read_text()
            yield url, str(folder / "model")
        finally:
            process.terminate()
            process.wait()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    rows = [{"text": text, "label": label_of(text)} for text in TEXTS]
    Path("human.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    Path("prompt.txt").write_text(PROMPT)
    return tmp_path


def command(server, folder, *more, out="answers.jsonl"):
    url, model = server
    return (
        "label", folder / "texts.jsonl", "--teacher", url, "--model", model, "--labels", "good,bad",
        "--prompt", folder / "prompt.txt", "--samples", SAMPLES, "--max-new", 4, "--out", folder / out, *more,
    )  # fmt: skip


def test_texts_are_labelled_by_samples_audited_killed_and_resumed(server, folder, lmdistill):
    process = start(*command(server, folder))
    while not (folder / "label_cache.sqlite").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)
    process.kill()
    process.communicate()
    assert process.returncode < 0
    said = lmdistill(*command(server, folder, "--audit", folder / "human.jsonl"))
    assert said.code == 0, said.err
    assert "gives no log-probabilities; probabilities come from 3 samples for each text" in said.err
    goes_on = re.search(r"audit: goes on after call (\d+) of 144", said.err)
    assert goes_on, said.err
    lines = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    answered = {line["text"] for line in lines}
    assert [line["text"] for line in lines] == [text for text in TEXTS if text in answered]
    assert len(answered) >= 0.9 * len(TEXTS)  # the model samples, so that a reply may be another word
    assert {(line["source"], line["samples"]) for line in lines} <= {
        ("samples", count) for count in (2, SAMPLES)
    }
    right = [
        max(line["probabilities"], key=line["probabilities"].get) == label_of(line["text"]) for line in lines
    ]
    assert sum(right) >= 0.9 * len(TEXTS)
    assert re.search(r"agreement, %: [\d.]+ \[[\d.]+, [\d.]+\] of \d+; \d rejected", said.out), said.out
    calls = re.search(r"(\d+) calls, (\d+) input", said.out)
    assert (
        len(TEXTS) * SAMPLES <= int(calls[1]) <= len(TEXTS) * SAMPLES + 4
    )  # those under way when it was killed


def test_log_probabilities_cannot_be_required_of_it(server, folder, lmdistill):
    said = lmdistill(*command(server, folder, "--probabilities", "logprobs"))
    assert said.code == 2
    assert "gives no log-probabilities for" in said.err


def test_another_model_than_the_one_it_serves_is_refused_with_its_words(server, folder, lmdistill):
    said = lmdistill(*command((server[0], "another"), folder))
    assert said.code == 2
    assert re.search(
        r"error: http://127\.0\.0\.1:\d+ refuses the first requests \(400: Server is pinned to ", said.err
    ), said.err
