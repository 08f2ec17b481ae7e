"""Tiny tokenizers of each kind whose vocabulary can be trimmed, and random ones."""

from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LETTERS = "abc"
TEXTS = st.lists(st.text("abcd ", max_size=12), min_size=1, max_size=4)
"""Texts with a letter that no vocabulary has."""


def wrapped(inner, special=SPECIAL):
    """A tokenizer of transformers that writes [CLS] text [SEP] text [SEP]."""
    pad, unknown, first, last = special
    ids = {token: inner.token_to_id(token) for token in (first, last)}
    inner.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {last} $B:1 {last}:1", special_tokens=list(ids.items())
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=pad, unk_token=unknown, cls_token=first, sep_token=last,
        model_max_length=64,
    )  # fmt: skip


def word_piece(pieces, **options):
    """WordPiece with these pieces after the special ones."""
    ids = {piece: number for number, piece in enumerate((*SPECIAL, *pieces))}
    inner = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", **options))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece(prefix="##")
    return wrapped(inner)


def bpe(letters, merges, **options):
    """BPE with these merges in the order of their rank."""
    pieces = dict.fromkeys((*SPECIAL, *letters, *(first + second for first, second in merges)))
    ids = {piece: number for number, piece in enumerate(pieces)}
    inner = Tokenizer(models.BPE(ids, list(merges), unk_token="[UNK]", **options))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return wrapped(inner)


def unigram(scored):
    """Unigram with these pieces and scores after the special ones."""
    vocabulary = [*((token, 0.0) for token in SPECIAL), *scored]
    inner = Tokenizer(models.Unigram(vocabulary, unk_id=1))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return wrapped(inner)


def byte_bpe(texts, size=300):
    """BPE on bytes, trained on texts."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    inner.train_from_iterator(texts, trainer)
    return wrapped(inner)


@st.composite
def word_pieces(draw):
    """A random vocabulary of WordPiece, which may lack single letters."""
    parts = st.text(LETTERS, min_size=1, max_size=4)
    pieces = draw(
        st.lists(st.tuples(st.sampled_from(("", "##")), parts).map("".join), max_size=14, unique=True)
    )
    return word_piece(pieces)


@st.composite
def bpes(draw):
    """Random merges, each of pieces that the ones before make; two pairs may make the same piece."""
    letters = draw(st.lists(st.sampled_from(LETTERS), min_size=1, unique=True))
    pieces, merges = list(letters), []
    for _ in range(draw(st.integers(0, 10))):
        pair = draw(st.sampled_from(pieces)), draw(st.sampled_from(pieces))
        if pair not in merges and len("".join(pair)) <= 6:
            merges.append(pair)
            pieces = list(dict.fromkeys((*pieces, "".join(pair))))
    return bpe(letters, merges, ignore_merges=draw(st.booleans()), fuse_unk=draw(st.booleans()))


@st.composite
def unigrams(draw):
    """Random pieces with scores that are often equal; single letters may lack."""
    pieces = draw(st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=12, unique=True))
    scores = draw(st.lists(st.integers(-16, -1), min_size=len(pieces), max_size=len(pieces)))
    return unigram([(piece, score / 2) for piece, score in zip(pieces, scores, strict=True)])


ANY = st.one_of(word_pieces(), bpes(), unigrams())
