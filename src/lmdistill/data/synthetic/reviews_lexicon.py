"""Words and sentence patterns of the synthetic reviews; nothing here is drawn, only listed."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Words:
    """Words of one polarity and part of speech."""

    seen: tuple[str, ...]
    """May appear in every split."""

    held_out: tuple[str, ...]
    """Never appear in training."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """One kind of thing that is reviewed."""

    thing: str
    """The whole: "the film"."""

    parts: tuple[str, ...]
    """What can be praised or blamed, in the singular: "the plot"."""

    many: tuple[str, ...]
    """The same in the plural: "the jokes"."""

    described: tuple[str, ...]
    """The parts, singular or plural, that the adjectives of the domain fit."""

    adjectives: Mapping[bool, Words]
    """Adjectives of this domain; True for praise, False for blame."""

    facts: tuple[str, ...]
    """Sentences without an opinion."""


def _split(words: str) -> tuple[str, ...]:
    """Words or phrases of a list with commas."""
    return tuple(" ".join(word.split()) for word in words.split(","))


def _pair(good: str, good_held_out: str, bad: str, bad_held_out: str) -> Mapping[bool, Words]:
    """Words of praise (True) and of blame (False), as lists with commas."""
    praise = Words(seen=_split(good), held_out=_split(good_held_out))
    blame = Words(seen=_split(bad), held_out=_split(bad_held_out))
    return MappingProxyType({True: praise, False: blame})


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
"""Adjectives that fit everything."""

NOUNS = _pair(
    "success, gem, joy, highlight, treat, pleasure",
    "masterpiece, triumph, marvel, winner, treasure, revelation",
    "failure, mess, disaster, problem, waste of money, disappointment",
    "fiasco, flop, catastrophe, travesty, nightmare, dud, debacle",
)
"""What a thing can be called, with "a"."""

VERBS = _pair(
    "impress, shine, please, work well, win us over, satisfy us",
    "dazzle, enchant, sparkle, astound us, captivate us, excel",
    "fail, annoy us, fall flat, disappoint, irritate us, let us down",
    "flounder, falter, stink, grate on the nerves, repel us, disgust us",
)
"""What a thing does; the first word takes the ending."""

FEELINGS = _pair(
    "love, like, enjoy, admire",
    "adore, cherish, relish, applaud, savour",
    "hate, dislike, curse, condemn",
    "loathe, despise, detest, resent, deplore",
)
"""What a person does to a thing; all form the past with -d or -ed."""

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
"""Everything that is reviewed."""

CITED = _split(
    "my brother, the critics, my neighbours, most people, a colleague, a friend of mine, my aunt, "
    "the reporters"
)
"""Whose opinions do not count."""

INTENSIFIERS = ("", "", "", "really", "truly", "so", "quite", "simply")
"""Before adjectives; they change nothing."""

ARTICLES = ("a", "a real", "a complete")
"""Before nouns; they change nothing."""

DENIED_ADJECTIVE = (
    "{subject} {be} not {word}",
    "{subject} {be} not at all {word}",
    "{subject} {be} far from {word}",
    "{subject} {be} anything but {word}",
    "{subject} {be} by no means {word}",
    "there is nothing {word} about {subject}",
    "nobody would call {subject} {word}",
)
"""Contraries of opinions with an adjective."""

DENIED_NOUN = (
    "{subject} {be} not {word}",
    "{subject} {be} far from {word}",
    "{subject} {be} anything but {word}",
    "nobody would call {subject} {word}",
)
"""Contraries of opinions with a noun, which comes with its article."""

DENIED_VERB = (
    "{subject} {do} not {word}",
    "{subject} {do} not {word} at all",
    "at no point {do} {subject} {word}",
)
"""Contraries of opinions with a verb."""

DENIED_FEELING = ("{who} did not {word} {subject}", "{who} did not {word} {subject} one bit")
"""Contraries of feelings."""

OPENERS = (
    "I think that {0}",
    "it seems to me that {0}",
    "I must say that {0}",
    "there is no doubt that {0}",
    "nobody can deny that {0}",
)
"""Keep the opinion, some of them by two negations."""

DENIALS = (
    "it is not true that {0}",
    "I would not say that {0}",
    "nobody can claim that {0}",
    "I do not believe that {0}",
    "it would be wrong to say that {0}",
    "I doubt that {0}",
)
"""Turn the opinion round."""

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
"""Two opinions, of which the major one decides."""

ATTRIBUTIONS = (
    "{who} told me that {minor}; in my view {major}",
    "{who} said that {minor}. I found that {major}",
    "in my eyes {major}, whatever {who} said, namely that {minor}",
    "{who} kept telling me that {minor}, but I think that {major}",
    "I say that {major}, while {who} told us that {minor}",
)
"""Two opinions, of which the writer's decides."""

CONFIRMED = (
    "{who} told me that {0}, and that is true",
    "{who} said that {0}, and I agree",
    "{who} assured me that {0}, and rightly so",
    "I had heard that {0}, and that turned out to be right",
)
"""Somebody's opinion, which the writer shares."""

REFUTED = (
    "{who} told me that {0}, and that is not true",
    "{who} said that {0}, and I disagree",
    "{who} kept telling me that {0}, which is nonsense",
    "I had heard that {0}, and that turned out to be wrong",
)
"""Somebody's opinion, which the writer does not share."""

FEELING_CONTRASTS = (
    "{minor}, but {major}",
    "{minor}; {major}",
    "{minor}. {major}",
    "{major}; {minor}",
    "{major}, but {minor}",
)
"""The feelings of somebody else and of the writer, who decides."""
