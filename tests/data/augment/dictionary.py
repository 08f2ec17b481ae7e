"""A WordNet of three synsets, in WordNet's own file format: every line is found by its byte offset."""

from pathlib import Path

SYNSETS = {
    "noun": [["movie", "film", "motion_picture"], ["film", "coat"], ["house"]],
    "verb": [["watch", "see", "view"]],
    "adj": [["good", "fine", "A1"], ["big", "large"]],
    "adv": [["quickly", "fast"]],
}
LETTERS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}


def write_wordnet(folder: Path) -> Path:
    """The folder, with the files that NLTK reads and Debian ships."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, synsets in SYNSETS.items():
        letter = LETTERS[kind]
        data = "  1 WordNet 3.0 Copyright of nobody\n"
        places: dict[str, list[int]] = {}
        for lemmas in synsets:
            offset = len(data)
            words = " ".join(f"{lemma} 0" for lemma in lemmas)
            data += f"{offset:08d} 03 {letter} {len(lemmas):02x} {words} 000 | made up\n"
            for lemma in lemmas:
                places.setdefault(lemma.lower(), []).append(offset)
        index = "  1 WordNet 3.0 Copyright of nobody\n"
        for lemma, offsets in sorted(places.items()):
            joined = " ".join(f"{offset:08d}" for offset in offsets)
            index += f"{lemma} {letter} {len(offsets)} 0 {len(offsets)} 0 {joined}\n"
        (folder / f"data.{kind}").write_text(data)
        (folder / f"index.{kind}").write_text(index)
        (folder / f"{kind}.exc").write_text("")
    return folder
