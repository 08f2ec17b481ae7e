"""Words and sentence patterns of the synthetic reviews. Results depend on them, so do not change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Words:
    """Words of one sentiment and part of speech."""

    seen: tuple[str, ...]
    """Words that occur in all splits."""

    held_out: tuple[str, ...]
    """Words that occur only in dev and test."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A kind of thing that is reviewed."""

    thing: str
    """The thing as a whole: "the film"."""

    parts: tuple[str, ...]
    """Parts of the thing in the singular: "the plot"."""

    many: tuple[str, ...]
    """Parts of the thing in the plural: "the jokes"."""

    described: tuple[str, ...]
    """The thing and parts that `adjectives` can describe."""

    adjectives: Mapping[bool, Words]
    """Adjectives that are specific to this domain: True -> positive, False -> negative."""

    facts: tuple[str, ...]
    """Sentences without an opinion."""


def _split(words: str) -> tuple[str, ...]:
    """Split a comma-separated list of words or phrases."""
    return tuple(" ".join(word.split()) for word in words.split(","))


def _pair(good: str, good_held_out: str, bad: str, bad_held_out: str) -> Mapping[bool, Words]:
    """Positive (True) and negative (False) words from comma-separated lists."""
    positive = Words(seen=_split(good), held_out=_split(good_held_out))
    negative = Words(seen=_split(bad), held_out=_split(bad_held_out))
    return MappingProxyType({True: positive, False: negative})


ADJECTIVES = _pair(
    "good, great, wonderful, excellent, lovely, brilliant, amazing, fantastic, pleasant, perfect, "
    "impressive, fine",
    "superb, marvellous, splendid, terrific, outstanding, magnificent, exquisite, sublime, first-rate, "
    "stellar, phenomenal, exceptional, glorious, fabulous, flawless, commendable",
    "bad, terrible, awful, poor, horrible, disappointing, weak, boring, mediocre, annoying, useless, "
    "unpleasant",
    "dreadful, atrocious, abysmal, lousy, dismal, appalling, woeful, shoddy, pathetic, ghastly, wretched, "
    "insipid, lacklustre, third-rate, deplorable, horrendous, crummy, slapdash",
)
"""Adjectives for all domains."""

NOUNS = _pair(
    "success, gem, joy, highlight, treat, pleasure",
    "masterpiece, triumph, marvel, winner, treasure, revelation",
    "failure, mess, disaster, problem, waste of money, disappointment",
    "fiasco, flop, catastrophe, travesty, nightmare, dud, debacle",
)
"""Nouns for a thing, used with an article: "a triumph"."""

VERBS = _pair(
    "impress, shine, please, work well, win us over, satisfy us",
    "dazzle, enchant, sparkle, astound us, captivate us, excel",
    "fail, annoy us, fall flat, disappoint, irritate us, let us down",
    "flounder, falter, stink, grate on the nerves, repel us, disgust us",
)
"""Verb phrases with a thing as the subject; the first word is inflected."""

FEELINGS = _pair(
    "love, like, enjoy, admire",
    "adore, cherish, relish, applaud, savour",
    "hate, dislike, curse, condemn",
    "loathe, despise, detest, resent, deplore",
)
"""Regular verbs with a person as the subject and a thing as the object."""

DOMAINS = (
    Domain(
        thing="the film",
        parts=("the plot", "the acting", "the ending", "the music", "the dialogue", "the camera work"),
        many=("the characters", "the jokes", "the songs", "the action scenes"),
        described=("the plot", "the ending", "the dialogue", "the film", "the characters", "the songs"),
        adjectives=_pair(
            "gripping, exciting, clever, touching",
            "riveting, enthralling, poignant, mesmerizing",
            "dull, predictable, silly, slow",
            "tedious, contrived, plodding, cringeworthy",
        ),
        facts=_split(
            "I saw it on a Tuesday, it lasts about two hours, we sat in the third row, "
            "it was shot in Norway, my cousin bought the tickets, it is the second film of this director, "
            "the cinema was half full"
        ),
    ),
    Domain(
        thing="the restaurant",
        parts=("the food", "the service", "the soup", "the wine list", "the dessert", "the dining room"),
        many=("the waiters", "the noodles", "the side dishes", "the cocktails"),
        described=("the food", "the soup", "the dessert", "the noodles", "the side dishes", "the cocktails"),
        adjectives=_pair(
            "delicious, fresh, tasty, rich in flavour",
            "scrumptious, mouthwatering, delectable, luscious",
            "stale, bland, greasy, oversalted",
            "inedible, rancid, unpalatable, soggy",
        ),
        facts=_split(
            "we had booked a table for six, it is near the station, we paid by card, they close at eleven, "
            "there were four of us, it opened in the spring, we came straight from work"
        ),
    ),
    Domain(
        thing="the phone",
        parts=("the screen", "the battery", "the sound", "the camera", "the charger", "the software"),
        many=("the buttons", "the menus", "the speakers", "the updates"),
        described=("the screen", "the battery", "the charger", "the software", "the phone", "the buttons"),
        adjectives=_pair(
            "reliable, well made, fast, solid",
            "dependable, nimble, sturdy, ingenious",
            "unreliable, badly made, flimsy, buggy",
            "glitchy, rickety, cumbersome, defective",
        ),
        facts=_split(
            "I bought it in March, it came in a small box, it weighs half a pound, mine is the blue one, "
            "I use it for work, the parcel took four days, it replaces one from 2015"
        ),
    ),
    Domain(
        thing="the hotel",
        parts=("the room", "the breakfast", "the pool", "the view", "the garden", "the reception"),
        many=("the beds", "the bathrooms", "the corridors", "the balconies"),
        described=("the room", "the hotel", "the pool", "the beds", "the bathrooms", "the corridors"),
        adjectives=_pair(
            "clean, comfortable, cosy, elegant",
            "spotless, luxurious, immaculate, inviting",
            "dirty, uncomfortable, noisy, shabby",
            "filthy, squalid, grimy, decrepit",
        ),
        facts=_split(
            "we stayed for three nights, it is close to the airport, our window faced the street, "
            "we arrived by train, it has ninety beds, my firm paid the bill, breakfast starts at seven"
        ),
    ),
    Domain(
        thing="the book",
        parts=("the story", "the style", "the opening", "the title", "the translation", "the last part"),
        many=("the chapters", "the heroes", "the drawings", "the short stories"),
        described=("the story", "the book", "the style", "the opening", "the chapters", "the short stories"),
        adjectives=_pair(
            "absorbing, inspiring, fascinating, funny",
            "engrossing, spellbinding, enlightening, hilarious",
            "confusing, tiresome, empty, pretentious",
            "long-winded, incoherent, vapid, banal",
        ),
        facts=_split(
            "I read it on the train, it has three hundred pages, I borrowed it from a neighbour, "
            "it came out in May, it is her third novel, a friend gave it to me, the cover is green"
        ),
    ),
)
"""All kinds of things that are reviewed."""

CITED = _split(
    "my brother, the critics, my neighbours, most people, a colleague, a friend of mine, my aunt, "
    "the reporters"
)
"""Other people, whose opinions do not count."""

INTENSIFIERS = ("", "", "", "really", "truly", "so", "quite", "simply")
"""Adverbs before adjectives, which do not change the sentiment."""

ARTICLES = ("a", "a real", "a complete")
"""Articles before nouns, which do not change the sentiment."""

DENIED_ADJECTIVE = (
    "{subject} {be} not {word}",
    "{subject} {be} not at all {word}",
    "{subject} {be} far from {word}",
    "{subject} {be} anything but {word}",
    "{subject} {be} by no means {word}",
    "there is nothing {word} about {subject}",
    "nobody would call {subject} {word}",
)
"""Negations of opinions with an adjective."""

DENIED_NOUN = (
    "{subject} {be} not {word}",
    "{subject} {be} far from {word}",
    "{subject} {be} anything but {word}",
    "nobody would call {subject} {word}",
)
"""Negations of opinions with a noun; {word} contains its article."""

DENIED_VERB = (
    "{subject} {do} not {word}",
    "{subject} {do} not {word} at all",
    "at no point {do} {subject} {word}",
)
"""Negations of opinions with a verb."""

DENIED_FEELING = ("{who} did not {word} {subject}", "{who} did not {word} {subject} one bit")
"""Negations of feelings."""

OPENERS = (
    "I think that {0}",
    "it seems to me that {0}",
    "I must say that {0}",
    "there is no doubt that {0}",
    "nobody can deny that {0}",
)
"""Sentences that keep the sentiment of an opinion, some with a double negation."""

DENIALS = (
    "it is not true that {0}",
    "I would not say that {0}",
    "nobody can claim that {0}",
    "I do not believe that {0}",
    "it would be wrong to say that {0}",
    "I doubt that {0}",
)
"""Sentences that negate an opinion."""

CONTRASTS = (
    "{minor}, but {major}",
    "{minor}, yet {major}",
    "{minor}; still, {major}",
    "{minor}, but in the end {major}",
    "although {minor}, {major}",
    "even though {minor}, {major}",
    "granted, {minor}. However, {major}",
    "{major}, although {minor}",
    "{major}, even if {minor}",
    "{major}, and never mind that {minor}",
)
"""Sentences with two opinions, of which the major one counts."""

ATTRIBUTIONS = (
    "{who} told me that {minor}; in my view {major}",
    "{who} said that {minor}. I found that {major}",
    "in my eyes {major}, whatever {who} said, namely that {minor}",
    "{who} kept telling me that {minor}, but I think that {major}",
    "I say that {major}, while {who} told us that {minor}",
)
"""Sentences with the opinions of another person and of the writer, which counts."""

CONFIRMED = (
    "{who} told me that {0}, and that is true",
    "{who} said that {0}, and I agree",
    "{who} assured me that {0}, and rightly so",
    "I had heard that {0}, and that turned out to be right",
)
"""Sentences with the opinion of another person, which the writer shares."""

REFUTED = (
    "{who} told me that {0}, and that is not true",
    "{who} said that {0}, and I disagree",
    "{who} kept telling me that {0}, which is nonsense",
    "I had heard that {0}, and that turned out to be wrong",
)
"""Sentences with the opinion of another person, which the writer does not share."""

FEELING_CONTRASTS = (
    "{minor}, but {major}",
    "{minor}; {major}",
    "{minor}. {major}",
    "{major}; {minor}",
    "{major}, but {minor}",
)
"""Sentences with the feelings of another person and of the writer, which count."""
