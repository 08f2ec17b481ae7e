"""Splitting of a text into words and the gaps between them, so that words can be replaced separately."""

import re

WORD = re.compile(r"([^\W\d_]+(?:['’-][^\W\d_]+)*)")
"""A word: letters, also with apostrophes or hyphens inside."""

FUNCTION_WORDS: frozenset[str] = frozenset(
    """
    a an the this that these those each every either neither some any all both such
    i me my mine myself you your yours yourself yourselves he him his himself she her hers herself
    it its itself we us our ours ourselves they them their theirs themselves one
    who whom whose which what when where why how there here
    am is are was were be been being do does did doing done have has had having
    can could may might must shall should will would ought
    not no nor never none nothing nobody n't cannot
    and or but if then else than as because while although though unless until since whether so
    at by for from in into of off on onto out over under up down to toward towards with within without
    about above across after against along among around before behind below beneath beside between beyond
    during except through throughout upon via per
    too very just only also again once ever
    s t d m ll re ve
    """.split()  # noqa: SIM905 - a list literal would be one word a line
)
"""Function words of English, with negations and the parts of contractions that tokenizers produce.

EDA and TinyBERT do not replace stop words. This list replaces the usual lists, which must be downloaded.
Numbers are not in it, because they are not words for `split_words`.
"""


def split_words(text: str) -> list[str]:
    """Split `text` into pieces: gaps at even indices, words at odd ones. The joined pieces are `text`.

    Examples:
        >>> split_words("It's good, isn't it?")
        ['', "It's", ' ', 'good', ', ', "isn't", ' ', 'it', '?']
    """
    return WORD.split(text)


def is_content_word(word: str) -> bool:
    """Whether `word` is not a function word, so that replacing it by a synonym makes a paraphrase.

    Examples:
        >>> is_content_word("movie"), is_content_word("The"), is_content_word("isn't")
        (True, False, False)
    """
    lower = word.lower().replace("’", "'")
    return (
        lower not in FUNCTION_WORDS
        and lower.split("'")[0] not in FUNCTION_WORDS
        and not lower.endswith("n't")
    )


def match_case(word: str, model: str) -> str:
    """`word` in the case of `model`: all capitals, a capital first letter, or unchanged.

    Examples:
        >>> match_case("film", "MOVIE"), match_case("film", "Movie"), match_case("film", "movie")
        ('FILM', 'Film', 'film')
    """
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def collapse_whitespace(text: str) -> str:
    r"""`text` with each run of white space replaced by one space, and none at the ends.

    Examples:
        >>> collapse_whitespace(" a\n b ")
        'a b'
    """
    return " ".join(text.split())
