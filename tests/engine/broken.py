"""Methods that go wrong at a chosen row."""

from dataclasses import dataclass
from typing import Literal

import torch

from lmdistill.methods import FineTune


@dataclass(frozen=True, kw_only=True)
class Broken:
    """Fine-tuning whose loss, or its gradient, is no number in a batch that holds one row."""

    row: int
    what: Literal["loss", "gradient"] = "loss"
    uses_teacher = False
    mixing = None

    def check(self, student, teacher):
        pass

    def losses(self, student, teacher, batch):
        label = FineTune().losses(student, teacher, batch)["label"]
        if self.row not in batch.examples:
            return {"label": label, "other": torch.zeros(())}
        if self.what == "loss":
            return {"label": label, "other": label * float("nan")}
        return {"label": label, "other": (label * 0).sqrt()}  # 0, whose derivative is no number
