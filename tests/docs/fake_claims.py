"""Claims about records that never ran, and what is said of them."""

from pathlib import Path
from typing import Any

import yaml

from docs.build.claim_verdicts import lines
from tests.report.studies import cell

CLAIM: dict[str, Any] = {
    "paper": "mixkd",
    "says": "TMKD is better than KD.",
    "source": "Table 1",
    "sure": "paper",
    "kind": "comparison",
    "within": ["study"],
    "pairs": [[{"row": "TMKD"}, {"row": "KD"}]],
    "expect": "better",
}
FOLDERS = {
    "study": {"about": "one", "rows": ["FT", "KD", "TMKD", "MixKD", "MiniDisc"]},
    "later": {"about": "two", "rows": ["FT", "KD", "TMKD"]},
}


def ask(repository: Path, *claims: dict[str, Any]) -> list[tuple[str, str]]:
    """Verdicts on the claims, each with what was looked at or is missing."""
    text = yaml.safe_dump({"folders": FOLDERS, "claims": list(claims)})
    (repository / "claims.yaml").write_text(text)
    return [(line.verdict, line.finding.missing or line.finding.setting) for line in lines("mixkd")]


def runs(repository: Path, *, tmkd: float, kd: float, seeds: int = 2, **settings: Any) -> None:
    for seed in range(seeds):
        for method, score in (("TMKD", tmkd), ("KD", kd)):
            cell(repository / "results" / "study", method, score, seed=seed, **settings)
