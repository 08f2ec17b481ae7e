"""Things that write a file if they are run: Python, pickles, models with code."""

import builtins
import json
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

PARTS = """
    uses_teacher = False
    mixing = None
    name = "mine"
    identity = "mine"
    varied = True
    def check(self, student, teacher): ...
    def losses(self, student, teacher, batch): ...
    def require(self, keep): ...
    def __call__(self, texts, copies=None): return list(texts)
"""
"""What a method, an augmenter and a schedule have."""


@dataclass(frozen=True)
class Trap:
    """Ways to run code, each of which leaves the file `mark`."""

    mark: Path

    @property
    def code(self) -> str:
        """A line of Python."""
        return f"open({str(self.mark)!r}, 'w').close()"

    def module(self, path: Path | str = "trap.py") -> str:
        """Write a file with the class Mine, and return how a recipe names it."""
        head = "from dataclasses import dataclass\n@dataclass(frozen=True, kw_only=True)\nclass Mine:\n"
        Path(path).write_text(f"{self.code}\n{head}    weight: float = 1.0\n{PARTS}")
        return f"{path}:Mine"

    @property
    def pickled(self) -> bytes:
        """A pickle that runs the line when it is read."""
        code = self.code

        class Payload:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return builtins.exec, (code,)

        return pickle.dumps(Payload())

    def archive(self, path: Path) -> None:
        """Write what torch.load reads: a zip file around the pickle."""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", self.pickled)
            archive.writestr("archive/version", "3\n")

    def model_code(self, folder: Path, *names: str) -> None:
        """Write Python files that a model brings, and name them in its configurations."""
        for name in names:
            (folder / f"{name}.py").write_text(f"{self.code}\nclass Theirs: ...\n")
        for file, kinds in {
            "config.json": (
                "AutoConfig",
                "AutoModel",
                "AutoModelForSequenceClassification",
                "AutoModelForCausalLM",
            ),
            "tokenizer_config.json": ("AutoTokenizer",),
        }.items():
            value = f"{names[0]}.Theirs"
            table = json.loads((folder / file).read_text())
            entry = [None, value] if file.startswith("tokenizer") else value
            table["auto_map"] = dict.fromkeys(kinds, entry)
            (folder / file).write_text(json.dumps(table))


def works(trap: Trap, run: object) -> None:
    """The trap itself is no dud: what the product must not do does leave the mark."""
    run()  # type: ignore[operator]
    assert trap.mark.exists()
    trap.mark.unlink()
