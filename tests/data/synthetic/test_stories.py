"""The synthetic corpus: distinct, consistent, held out, the same for the same seed."""

import re

import pytest

from lmdistill.core.errors import ConfigError
from lmdistill.data.language.tokenization import encode_passages
from lmdistill.data.synthetic import stories_lexicon as words
from lmdistill.data.synthetic.stories import make_stories, split_of, stories_corpus, stories_tokenizer


@pytest.fixture(scope="module")
def corpus():
    return stories_corpus()


@pytest.fixture(scope="module")
def tokenizer(corpus):
    return stories_tokenizer(corpus)


def test_the_corpus_has_its_size_and_no_story_twice(corpus):
    texts = [*corpus.train["completion"], *corpus.dev["completion"]]
    assert (corpus.train.num_rows, corpus.dev.num_rows) == (4000, 400)
    assert len(set(texts)) == 4400
    assert all(45 <= len(text.split()) <= 85 for text in texts)
    assert 60 <= sum(len(text.split()) for text in texts) / len(texts) <= 72
    assert not any("{" in text or "  " in text for text in texts)


def test_no_dev_story_has_child_color_and_thing_in_common_with_training_of_any_seed():
    about = {
        split: {
            (s.child, s.color, s.thing) for seed in (0, 1) for s in make_stories(100, seed=seed, split=split)
        }
        for split in ("train", "dev")
    }
    assert about["train"]
    assert about["dev"]
    assert not about["train"] & about["dev"]
    assert all(split_of(*one) == "dev" for one in about["dev"])


def test_stories_are_consistent():
    for story in make_stories(200, seed=0, split="train"):
        assert story.child in story.opening
        assert story.child in story.rest
        assert story.thing in story.rest
        names = set(re.findall(r"[A-Z][a-z]+", story.text)) & {*words.GIRLS, *words.BOYS}
        assert names == {story.child}
        told = set(re.findall(r"\w+", story.text))
        assert told & set(words.COLORS) == {story.color}
        assert told & set(words.THINGS) - {"string"} == {story.thing}
        strangers = (
            {"he", "He", "his", "His", "him"} if story.child in words.GIRLS else {"she", "She", "her", "Her"}
        )
        assert not told & strangers
        assert not re.search(r"\b[Aa] [aeiou]|\b[Aa]n [^aeiou]", story.text), story.text


def test_a_seed_names_the_corpus():
    one, same, other = (stories_corpus(20, 5, seed=seed) for seed in (3, 3, 4))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.fingerprint != stories_corpus(20, 5, seed=3, prompted=True).fingerprint


def test_prompts_are_first_sentences():
    plain, prompted = stories_corpus(20, 5), stories_corpus(20, 5, prompted=True)
    for whole, row in zip(plain.train, prompted.train, strict=True):
        assert f"{row['prompt']} {row['completion']}" == whole["completion"]
        assert row["prompt"].count(".") == 1


def test_the_tokenizer_knows_every_word_and_writes_texts_back(corpus, tokenizer):
    assert 380 <= len(tokenizer) <= 600
    assert [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id] == [0, 1, 2]
    for text in [*corpus.train["completion"][:100], *corpus.dev["completion"][:200]]:
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == 1
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert tokenizer.unk_token_id in tokenizer("zebra")["input_ids"]


def test_the_tokenizer_is_the_same_each_time_and_for_both_forms():
    made = [stories_tokenizer(stories_corpus(300, 1, prompted=prompted)) for prompted in (False, True, False)]
    assert len({one.backend_tokenizer.to_str() for one in made}) == 1


def test_prompt_and_rest_have_the_tokens_of_the_whole_story(corpus, tokenizer):
    plain = encode_passages(corpus.dev.select(range(60)), tokenizer, max_length=128)
    prompted = encode_passages(stories_corpus(1, 60, prompted=True).dev, tokenizer, max_length=128)
    assert plain.rows["input_ids"][:] == prompted.rows["input_ids"][:]
    assert set(plain.rows["start"][:]) == {1}
    assert all(start > 5 for start in prompted.rows["start"])
    assert all(ids[-1] == 2 for ids in plain.rows["input_ids"])
    assert plain.counts.cut == plain.counts.dropped == 0


def test_no_stories_are_refused():
    with pytest.raises(ConfigError, match="got 0"):
        make_stories(0, seed=0, split="train")
