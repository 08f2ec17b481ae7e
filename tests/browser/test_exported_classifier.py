"""The page of examples/browser in a real browser: the answers are ours, and nothing is read from elsewhere."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lmdistill.commands.export import export
from lmdistill.commands.exported_files import Export
from lmdistill.data.load_task import load_task
from lmdistill.serving.predictor import load_predictor
from tests.browser.conftest import Opened
from tests.export.exported_folders import EXAMPLES, GLUE, LABELS, NEEDS, REAL, TEXTS, classifier, edit

LOGITS = """async ([graph, texts]) => {
    const { open } = await import("./page.mjs");
    return (await open(graph)).logits(texts);
}"""
"""Logits of texts, by the page's own code."""


class Silent(SimpleHTTPRequestHandler):
    """What `python -m http.server` answers with, without a line for each request."""

    def log_message(self, *said: Any) -> None:
        pass


@contextmanager
def served(folder: Path, exported: Path | None) -> Iterator[str]:
    """Address of the page beside an exported folder."""
    folder.mkdir()
    for path in [*EXAMPLES.glob("*.*"), EXAMPLES / "node_modules"]:
        (folder / path.name).symlink_to(path)
    if exported is not None:
        (folder / "model").symlink_to(exported)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def opened(browser: Any, address: str) -> Iterator[Opened]:
    """The page, once it has said whether the model was loaded."""
    page = browser.new_context().new_page()
    one = Opened(page=page, address=address)
    page.on("console", lambda said: one.errors.append(said.text) if said.type != "info" else None)
    page.on("pageerror", lambda error: one.errors.append(str(error)))
    page.on("request", lambda request: one.requests.append(request.url))
    page.goto(address)
    page.get_by_text("Ready.").or_(page.locator("#status.wrong")).wait_for(timeout=90_000)
    yield one
    page.context.close()


def logits(one: Opened, graph: str, texts: list[Any]) -> np.ndarray:
    return np.array(one.page.evaluate(LOGITS, [graph, texts]))


@pytest.fixture(scope="module")
def exported(browser, tmp_path_factory):
    if not (EXAMPLES / "node_modules").is_dir():
        pytest.skip(NEEDS)
    return classifier(tmp_path_factory)


def test_the_page_answers_as_we_do(browser, exported, tmp_path):
    names = (LABELS[0], "<b>fine</b>", LABELS[2])
    folder = edit(exported, tmp_path / "out", labels=names, default="onnx")
    ours = load_predictor(exported, graph="onnx").logits(TEXTS)
    with served(tmp_path / "page", folder) as address, opened(browser, address) as one:
        np.testing.assert_allclose(logits(one, "onnx", TEXTS), ours, atol=1e-4)
        small = load_predictor(exported, graph="onnx-int8")
        alone = np.concatenate([small.logits([text]) for text in TEXTS])
        found = logits(one, "onnx-int8", TEXTS)
        np.testing.assert_allclose(found, alone, atol=0.02)
        for text, values in zip(TEXTS[:5], ours, strict=False):
            one.page.fill("#first", text)
            one.page.click("#button")
            one.page.get_by_text("Answered in").wait_for()
            (given,) = one.page.locator("tr.given").all()
            shares = np.exp(values) / np.exp(values).sum()
            cells = given.locator("td").all_inner_texts()
            assert cells[0] == names[values.argmax()]
            assert cells[1] == f"{100 * shares.max():.1f} %"
        assert one.page.locator("#answer b").count() == 0  # names are text
        assert one.page.locator("#answer tr").count() == 3
        assert one.page.get_by_label("Second text").is_hidden()
        assert {url.startswith(address) for url in one.requests} == {True}
        assert one.errors == []


def test_a_page_without_a_model_says_so(browser, exported, tmp_path):
    with served(tmp_path / "page", None) as address, opened(browser, address) as one:
        said = one.page.locator("#status").inner_text()
        assert said == (
            "The model was not loaded: There is no model/lmdistill.json. Put an exported folder there."
        )
        assert one.page.locator("#button").is_disabled()


@pytest.mark.slow
def test_pairs_have_two_fields(browser, exported, tmp_path):
    folder = edit(exported, tmp_path / "out", pairs=True, default="onnx")
    first, second = "the film was good", "a dull plot"
    ours = load_predictor(folder).logits([first], [second])[0]
    with served(tmp_path / "page", folder) as address, opened(browser, address) as one:
        one.page.get_by_label("Text", exact=True).fill(first)
        one.page.get_by_label("Second text").fill(second)
        one.page.click("#button")
        one.page.get_by_text("Answered in").wait_for()
        assert one.page.locator("tr.given td").first.inner_text() == LABELS[ours.argmax()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not (REAL.exists() and GLUE.exists()), reason="../shared is not here")
def test_a_real_classifier_answers_as_here(browser, exported, tmp_path):
    folder = tmp_path / "out"
    export(REAL, folder, Export(int8=True, timed_texts=0), overrides=("task=sst2", f"data.source={GLUE}"))
    texts = list(load_task("sst2", data=str(GLUE)).split("dev")["sentence1"][:50])
    with served(tmp_path / "page", folder) as address, opened(browser, address) as one:
        for graph, limit in {"onnx": 1e-4, "onnx-int8": 0.25}.items():
            predictor = load_predictor(folder, graph=graph)
            ours = np.concatenate([predictor.logits([text]) for text in texts])
            found = logits(one, graph, texts)
            np.testing.assert_allclose(found, ours, atol=limit)
            assert (found.argmax(1) == ours.argmax(1)).all()
