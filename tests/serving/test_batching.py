import asyncio
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import ModelError
from lmdistill.serving.batching import Batcher, QueueFullError, groups_of_similar_length
from tests.serving.event_loop import run_alone
from tests.serving.tiny_export import expected, opened, stub_predictor, text_of

LENGTHS = st.lists(st.integers(0, 500), max_size=40)
TEXTS = [text_of(*range(number, number + 1 + number % 37)) for number in range(90)]


def asked(predictor, requests, *, close=True, **named):
    """Logits of requests that come at the same time, or their errors, and the sizes of the batches."""
    sizes = []

    async def whole():
        settings = {"max_batch": 8, "max_wait": 0.01, "max_queue": 1000, **named}
        batcher = Batcher(predictor, on_batch=sizes.append, **settings)
        batcher.start()
        found = await asyncio.gather(*(batcher.logits(texts) for texts in requests), return_exceptions=True)
        assert batcher.unanswered == 0
        await batcher.close()
        return found

    return run_alone(whole()), sizes


@given(LENGTHS, st.floats(1.0, 4.0))
def test_groups_hold_each_text_once_from_short_to_long_and_bound_the_padding(lengths, most):
    groups = groups_of_similar_length(lengths, most)
    flat = [number for group in groups for number in group]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[number] for number in flat] == sorted(lengths)
    for group in groups:
        mine = [lengths[number] for number in group]
        assert len(mine) == 1 or len(mine) * max(mine) <= most * sum(mine) + 1e-9


@given(st.integers(1, 100), st.integers(1, 40))
def test_texts_of_one_length_are_one_group(length, count):
    assert len(groups_of_similar_length([length] * count)) == 1


def test_every_text_gets_its_own_logits_whoever_asks_beside_it(tmp_path):
    """Batched and alone, by the runtime and in float64."""
    predictor = opened(tmp_path / "out")
    requests = [TEXTS[start : start + 1 + start % 4] for start in range(0, 80, 4)]
    found, sizes = asked(predictor, requests)
    assert max(sizes) == 8
    for texts, logits in zip(requests, found, strict=True):
        np.testing.assert_allclose(logits, predictor.logits(texts), atol=1e-5)
        np.testing.assert_allclose(logits, [expected(text) for text in texts], atol=1e-5)


def test_pairs_are_answered_as_the_predictor_answers_them(tmp_path):
    predictor = opened(tmp_path / "out", pairs=True)
    pairs = list(zip(TEXTS[:20], reversed(TEXTS[:20]), strict=True))
    (found,), _ = asked(predictor, [pairs])
    np.testing.assert_allclose(found, predictor.logits(*map(list, zip(*pairs, strict=True))), atol=1e-5)


def test_a_batch_gathers_what_comes_at_the_same_time_and_is_never_larger():
    _, sizes = asked(stub_predictor(), [[text] for text in TEXTS[:20]])
    assert sizes == [8, 8, 4]


def test_a_text_alone_waits_no_longer_than_it_is_told():
    began = time.monotonic()
    asked(stub_predictor(), [TEXTS[:1]], max_wait=0.05)
    assert 0.05 <= time.monotonic() - began < 3


def test_texts_that_have_waited_for_the_graph_do_not_wait_again():
    """A second request comes while the graph computes for longer than a text may wait for others."""

    async def whole():
        first = threading.Event()

        def slow(inputs):
            if not first.is_set():
                first.set()
                time.sleep(0.5)
            return np.zeros((len(inputs["input_ids"]), 3), dtype=np.float32)

        batcher = Batcher(stub_predictor(slow), max_batch=8, max_wait=0.5, max_queue=9)
        batcher.start()
        one = asyncio.ensure_future(batcher.logits([TEXTS[0]] * 8))  # a whole batch does not wait
        while not first.is_set():
            await asyncio.sleep(0.001)
        began = time.monotonic()
        await batcher.logits(TEXTS[1:2])
        waited = time.monotonic() - began
        await one
        await batcher.close()
        return waited

    assert run_alone(whole()) < 0.9  # 0.5 for the graph, not 0.5 more


def test_the_graph_runs_in_one_thread_and_8_bit_graphs_of_onnx_read_one_text_at_a_time():
    seen, running = [], threading.Lock()

    def run(inputs):
        assert running.acquire(blocking=False)
        time.sleep(0.001)
        running.release()
        seen.append(len(inputs["input_ids"]))
        return np.zeros((len(inputs["input_ids"]), 3), dtype=np.float32)

    found, sizes = asked(stub_predictor(run, graph="onnx-int8"), [[text] for text in TEXTS[:20]])
    assert all(logits.shape == (1, 3) for logits in found)
    assert seen == sizes == [1] * 20


def test_a_request_that_finds_no_room_is_refused_whole_and_the_others_are_answered():
    requests = [TEXTS[:6], TEXTS[6:12], TEXTS[12:16]]
    found, _ = asked(stub_predictor(), requests, max_queue=10)
    assert isinstance(found[1], QueueFullError)
    for number in (0, 2):
        np.testing.assert_allclose(found[number], [expected(one) for one in requests[number]], atol=1e-5)


def test_a_text_that_breaks_the_graph_fails_its_own_request_alone():
    bad = text_of(7, 7, 7)
    healthy = stub_predictor().run

    def run(inputs):
        if (inputs["input_ids"] == 9).all(axis=1).any():  # word 7
            raise ModelError("cannot compute")
        return healthy(inputs)

    texts = [text_of(*range(n, n + 3)) for n in range(10, 15)]
    found, _ = asked(stub_predictor(run), [texts[:2], [bad], texts[2:]])
    assert isinstance(found[1], ModelError)
    np.testing.assert_allclose(np.vstack([found[0], found[2]]), [expected(one) for one in texts], atol=1e-5)


def test_what_a_tokenizer_refuses_fails_alone():
    found, _ = asked(stub_predictor(), [TEXTS[:2], [17], TEXTS[2:4]], max_batch=8)
    assert isinstance(found[1], Exception)
    assert found[0].shape == found[2].shape == (2, 3)


def test_the_worker_goes_on_after_logits_of_a_wrong_shape():
    broken = [True]

    def run(inputs):
        size = len(inputs["input_ids"]) - broken[0]
        return np.zeros((size, 3), dtype=np.float32)

    async def whole():
        batcher = Batcher(stub_predictor(run), max_batch=4, max_wait=0.0, max_queue=9)
        batcher.start()
        with pytest.raises(ValueError, match="shorter"):
            await asyncio.wait_for(batcher.logits(TEXTS[:2]), 5)
        broken[0] = False
        assert (await asyncio.wait_for(batcher.logits(TEXTS[:2]), 5)).shape == (2, 3)
        await batcher.close()

    run_alone(whole())


def test_requests_that_are_given_up_are_not_computed_and_close_leaves_nobody_waiting():
    seen, go = [], threading.Event()

    def run(inputs):
        seen.append(len(inputs["input_ids"]))
        go.wait(5)
        return np.zeros((len(inputs["input_ids"]), 3), dtype=np.float32)

    async def whole():
        batcher = Batcher(stub_predictor(run), max_batch=2, max_wait=0.0, max_queue=9)
        batcher.start()
        first = asyncio.ensure_future(batcher.logits([TEXTS[3]]))
        while not seen:
            await asyncio.sleep(0.001)
        gone = asyncio.ensure_future(batcher.logits(TEXTS[4:6]))
        late = asyncio.ensure_future(batcher.logits([TEXTS[6]]))
        await asyncio.sleep(0)
        gone.cancel()
        go.set()
        await asyncio.wait_for(asyncio.gather(first, late), 5)
        assert batcher.unanswered == 0
        go.clear()
        left = asyncio.ensure_future(batcher.logits(TEXTS[:4]))
        while len(seen) < 3:
            await asyncio.sleep(0.001)
        closing = asyncio.ensure_future(batcher.close())
        await asyncio.sleep(0.01)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(left, 5)
        await closing

    run_alone(whole())
    assert seen[:2] == [1, 1]  # the two that were given up are in no batch


def test_no_texts_have_no_logits():
    (found,), sizes = asked(stub_predictor(), [[]])
    assert found.shape == (0, 3)
    assert sizes == []
