"""Words and sentences of the synthetic stories. Results depend on them, so do not change them.

The fields in braces, such as {child}, have the same value in all sentences of a story.
"""

Patterns = tuple[str, ...]
"""Alternative sentences for one position of a story."""


def _words(text: str) -> tuple[str, ...]:
    """Split a list of words at spaces."""
    return tuple(text.split())


GIRLS = _words(
    "Lily Mia Anna Rosa Emma Nora Zoe Ella Ruby Lucy Sara Ivy Amy Kate Mary Jane Clara Alice Lena Molly"
)
BOYS = _words(
    "Tom Ben Max Sam Leo Tim Jack Noah Finn Hugo Adam Paul Luke Jim Omar Theo Peter Oscar Felix Henry"
)

THINGS = _words(
    "ball kite hat doll drum boat book cup bag shoe scarf lamp bell key box ring coat car train robot "
    "brush bucket spoon flag whistle blanket basket mitten puppet clock crown hammer mask pillow rope "
    "wagon ladle apron ribbon purse compass lantern teapot plate fan marble trumpet sled"
)
COLORS = _words("red blue green yellow pink purple orange brown white black gray golden")
PLACES = _words("park garden beach forest farm school market river lake hill barn yard field village")
HOMES = _words("bakery church bridge mill station castle library shop pond harbor")
ANIMALS = _words("dog cat bird fox duck rabbit goat squirrel crow monkey pony mouse pig hen bear")
SIZES = _words("big small young old fat thin fast sleepy wild naughty")
FOODS = _words("apple cookie carrot nut cake pear bun banana peach sandwich")
SPOTS = _words("bench bush rock table fence tree wall gate ladder stone")
BOXES = _words("shelf bed chair window door desk")
TOOLS = _words("stick net pole branch hook broom")
MENDERS = _words("glue tape string nails thread")

TRAITS = _words("kind brave shy clever happy quiet funny curious gentle cheerful friendly lively polite")
WEATHER = _words("sunny rainy windy cold warm cloudy bright snowy foggy lovely")
TIMES = _words("morning afternoon evening")
BAD = _words("sad upset worried angry scared lonely")
GOOD = _words("glad proud thankful excited joyful relieved")
CRIES = ("began to cry", "wanted to cry", "sat down and cried", "did not know what to do", "called for help")

WOMEN = _words("mother grandma sister aunt teacher")
MEN = _words("father grandpa brother uncle neighbor")

OPENINGS = (
    "Once upon a time there was a {trait} {kind} named {child}.",
    "{child} was a {trait} {kind} who lived near the {home}.",
    "There once was a {kind} named {child} who lived by the old {home}.",
    "In a house near the {home} lived a {trait} {kind} named {child}.",
    "A {trait} {kind} named {child} lived next to the {home}.",
)
GIFTS = (
    "{She} had a {color} {thing} that {her} {giver} had made.",
    "For {her} birthday {her} {giver} gave {her2} a {color} {thing}.",
    "Of all {her} toys {she} loved {her} {color} {thing} the most.",
    "One day {her} {giver} bought {her2} a new {color} {thing}.",
    "{Her} favorite toy was a {color} {thing}, a gift from {her} {giver}.",
)
OUTINGS = (
    "One {weather} {time} {child} took the {thing} to the {place}.",
    "On a {weather} {time} {she} went to the {place} and took the {thing} with {her2}.",
    "{child} ran to the {place} with the {thing} on a {weather} {time}.",
    "It was a {weather} {time}, so {child} played with the {thing} at the {place}.",
)
FEELINGS = (
    "{child} was very {bad} and {cries}.",
    "{child} felt {bad} and {cries}.",
    "Now {she} was so {bad} that {she} {cries}.",
)
HELPS = (
    '{Her} {helper} came and said, "Do not worry, {child}, I can help you."',
    '"What is wrong, {child}?" asked {her} {helper}, who was at the {place} too.',
    '{Her} {helper} heard {her2} and said, "We can do this together, {child}."',
    '"Please help me," {she} said to {her} {helper}, and {her} {helper} smiled.',
)
THANKS = (
    '"Thank you!" said {child}, who was {good} to have the {color} {thing} back.',
    "{child} was {good} and gave {her} {helper} a hug.",
    "{child} felt {good} and thanked {her} {helper}.",
)
ENDINGS = (
    "From that day on {child} kept the {color} {thing} near the {box}.",
    "That night {child} put the {color} {thing} next to the {box} and slept well.",
    "{child} and {her} {helper} took the {color} {thing} home from the {place}.",
    "{child} never forgot that {weather} {time} at the {place}.",
)

PROBLEMS = (
    (
        ("But when {she} wanted to go home, the {thing} was gone.", "But {she} lost the {thing} there."),
        (
            "{child} and {her} {helper} looked under every {spot} and found the {color} {thing}.",
            "{Her} {helper} looked for a long time, and there it was, under a {spot}!",
        ),
    ),
    (
        (
            "But the wind blew the {thing} high up into a {spot2}.",
            "But {she} threw the {thing} too high, and it got stuck on a {spot2}.",
        ),
        (
            "{Her} {helper} took a long {tool} and got the {thing} down from the {spot2}.",
            "With a {tool} {child} and {her} {helper} pulled the {color} {thing} from the {spot2}.",
        ),
    ),
    (
        (
            "But a {size} {animal} took the {thing} and ran away.",
            "But a {size} {animal} jumped out and stole the {thing}.",
        ),
        (
            "{Her} {helper} gave the {animal} a {food}, and the {size} {animal} gave back the {thing}.",
            "The {animal} was only hungry, so {her} {helper} gave it a {food} "
            "and took the {color} {thing} back.",
        ),
    ),
    (
        (
            "But the {thing} fell into the deep water.",
            "But {she} slipped, and the {thing} fell into the water.",
        ),
        (
            "{Her} {helper} used a {tool} to pull the {color} {thing} out of the water.",
            "{child} and {her} {helper} fished the wet {thing} out of the water with a {tool}.",
        ),
    ),
    (
        (
            "But {she} fell over a {spot2}, and the {thing} broke.",
            "But a {size} {animal} stepped on the {thing}, and it broke.",
        ),
        (
            "{child} and {her} {helper} went home and fixed the {color} {thing} with {mender}.",
            "{Her} {helper} had some {mender}, and soon the {thing} was as good as new.",
        ),
    ),
    (
        (
            "But the {thing} fell into the mud and got very dirty.",
            "But a {size} {animal} pushed the {thing} into the mud.",
        ),
        (
            "{child} and {her} {helper} washed the {thing} with soap, and it was {color} again.",
            "{Her} {helper} cleaned off the mud until the {thing} was clean and {color} again.",
        ),
    ),
)
"""Pairs of sentences for a problem and sentences for its solution."""
