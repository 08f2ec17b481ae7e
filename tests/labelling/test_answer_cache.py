import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmdistill.core.errors import RunError
from lmdistill.labelling.answer_cache import NAME, AnswerCache, Question
from lmdistill.labelling.api_reply import Reply
from lmdistill.labelling.cost import Usage
from lmdistill.labelling.request_settings import Asking, questions_of

QUESTION = Question(host="h/v1", model="m", prompt="p", logprobs=False, temperature=1.0, max_new=4)
REPLY = Reply(
    text="good \U0001f600 \ud800", finish="stop", top=(("good", -0.5),), input_tokens=3, output_tokens=1
)


def test_a_reply_comes_back_as_it_was(tmp_path):
    with AnswerCache(tmp_path, "a") as cache:
        number = cache.open_call(Usage(calls=1, input_tokens=9, output_tokens=9))
        cache.close_call(number, Usage(calls=1, input_tokens=3, output_tokens=1), QUESTION, REPLY)
    with AnswerCache(tmp_path, "b") as cache:
        assert cache.get(QUESTION) == REPLY
        assert cache.spent() == Usage()  # of another output


@pytest.mark.parametrize(
    "change",
    [{"host": "g/v1"}, {"model": "n"}, {"prompt": "q"}, {"logprobs": True}, {"temperature": 0.5}, {"max_new": 5}, {"sample": 1}],
)  # fmt: skip
def test_everything_that_is_asked_is_part_of_the_key(change, tmp_path):
    with AnswerCache(tmp_path, "a") as cache:
        cache.keep(QUESTION, REPLY)
        assert cache.get(replace(QUESTION, **change)) is None


@given(st.integers(1, 8), st.integers(0, 8), st.text(max_size=5))
def test_more_samples_never_change_those_that_are_there(samples, more, prompt):
    few, many = (
        questions_of("h", "m", Asking(samples=count), prompt, "samples")
        for count in (samples, samples + more)
    )
    assert many[:samples] == few
    assert len({question.key for question in many}) == samples + more


def test_a_reply_that_is_there_is_never_replaced(tmp_path):
    with AnswerCache(tmp_path, "a") as cache:
        cache.keep(QUESTION, REPLY)
        cache.keep(QUESTION, replace(REPLY, text="other"))
        assert cache.get(QUESTION) == REPLY


def test_a_call_that_was_killed_stays_counted_with_the_most_that_it_can_use(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from lmdistill.labelling.answer_cache import AnswerCache\nfrom lmdistill.labelling.cost import Usage\n"
        "cache = AnswerCache(Path(sys.argv[1]), 'a')\n"
        "first = cache.open_call(Usage(calls=1, input_tokens=100, output_tokens=10))\n"
        "cache.close_call(first, Usage(calls=1, input_tokens=40, output_tokens=2))\n"
        "cache.open_call(Usage(calls=1, input_tokens=100, output_tokens=10))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with AnswerCache(tmp_path, "a") as cache:
        assert cache.spent() == Usage(calls=2, input_tokens=140, output_tokens=12)


def test_threads_may_share_it(tmp_path):
    with AnswerCache(tmp_path, "a") as cache:

        def call(number):
            opened = cache.open_call(Usage(calls=1, input_tokens=5, output_tokens=5))
            cache.close_call(
                opened,
                Usage(calls=1, input_tokens=2, output_tokens=1),
                replace(QUESTION, sample=number),
                REPLY,
            )

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(call, range(40)))
        assert cache.spent() == Usage(calls=40, input_tokens=80, output_tokens=40)
        assert all(cache.get(replace(QUESTION, sample=number)) for number in range(40))


def test_what_a_server_gives_is_remembered(tmp_path):
    with AnswerCache(tmp_path, "a") as cache:
        assert cache.gives_logprobs("h m") is None
        for given_now in (True, False):
            cache.note_logprobs("h m", given_now)
            assert cache.gives_logprobs("h m") is given_now


def test_a_damaged_file_is_named_and_stays(tmp_path):
    (tmp_path / NAME).write_bytes(b"no database" * 100)
    with pytest.raises(
        RunError, match=rf"{NAME}, the cache of answers, cannot be used: .*Restore the file, or"
    ):
        AnswerCache(tmp_path, "a")
    assert (tmp_path / NAME).read_bytes() == b"no database" * 100


@pytest.mark.parametrize("text", ["{", "{}", '{"top": [1]}', '{"top": null, "sound": 1}'])
def test_a_damaged_reply_is_an_error(text, tmp_path):
    with AnswerCache(tmp_path, "a") as cache:
        cache.keep(QUESTION, REPLY)
    file = sqlite3.connect(tmp_path / NAME)
    with file:
        file.execute("UPDATE replies SET reply = ?", (text,))
    file.close()
    with AnswerCache(tmp_path, "a") as cache, pytest.raises(RunError, match="a reply that cannot be read"):
        cache.get(QUESTION)
