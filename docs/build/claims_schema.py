"""What the papers claim: `docs/claims.yaml`, read and checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from docs.build.record_fields import FACETS, SCORES
from lmdistill.core.errors import ConfigError, UnknownNameError

SURE: Mapping[str, str] = {
    "paper": "stated in the paper",
    "computed": "computed from what the paper states",
    "code": "read in the authors' code",
    "figure": "read off a figure of the authors",
    "secondary": "as others tell it",
    "replication": "of a replication by others",
    "plan": "asked before the runs",
    "unavailable": "what the paper is for; its numbers are not available to us",
}
"""How sure it is that the paper says so."""


class Part(BaseModel):
    """A piece of the file: a misspelt key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Folder(Part):
    """A folder of records that claims may name, there already or to come."""

    about: str
    """What was run."""
    rows: Annotated[tuple[str, ...], Field(min_length=1)]
    """First words of the labels of its rows."""


class Side(Part):
    """Some of the runs: all seeds of one row in each setting."""

    row: str
    """What the labels of the runs begin with."""
    within: tuple[str, ...] = ()
    """Folders, those of the claim unless given."""
    where: dict[str, Any] = {}
    """What the runs must be, by facet."""


class Claim(Part):
    """One sentence of a paper that runs can speak to."""

    paper: Literal["mixkd", "atkd", "minidisc", "transfer", "transfer-explored"]
    """Which; for `transfer` and `transfer-explored` what we say of that recipe, see `docs/transfer.md`."""
    says: str
    """The sentence, with the paper's numbers where they are known."""
    source: str
    """Where in the paper."""
    sure: str
    """A key of `SURE`."""
    within: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders of records."""
    where: dict[str, Any] = {}
    """What all runs must be, by facet."""
    margin: Annotated[float | None, Field(gt=0)] = None
    """What counts as no difference, as a fraction; ours, not the paper's."""


class Comparison(Claim):
    """One row is better or worse than another, or as good."""

    kind: Literal["comparison"]
    pairs: Annotated[tuple[tuple[Side, Side], ...], Field(min_length=1)]
    """Rows, and what they are compared with."""
    score: str = "headline"
    """A key of `SCORES`."""
    expect: Literal["better", "worse", "alike"]
    """What the paper says of the first."""


class Value(Claim):
    """A row has a number of about so much."""

    kind: Literal["value"]
    rows: Annotated[tuple[Side, ...], Field(min_length=1)]
    """Which."""
    score: str
    """`kept` of the teacher, `closed` of the gap, or a key of `SCORES`."""
    value: float
    """The paper's."""


class Flat(Claim):
    """Settings make no difference: no row is far from a chosen one."""

    kind: Literal["flat"]
    row: str
    """What the labels begin with."""
    chosen: dict[str, Any]
    """The settings that the others are compared with, by facet."""


class Choice(Claim):
    """The score takes the assistant whose student is the best."""

    kind: Literal["choice"]


class ClaimFile(Part):
    """The whole file."""

    folders: dict[str, Folder]
    """By name."""
    claims: tuple[Annotated[Comparison | Value | Flat | Choice, Field(discriminator="kind")], ...]
    """In the order of the page."""


def read_claims(path: Path) -> ClaimFile:
    """The claims of a file.

    Raises:
        ConfigError: If the file is not as `ClaimFile` says, or a margin is missing; names the place.
        UnknownNameError: If a folder, a row of one, a facet, a score or a tag is not known.
    """
    try:
        found = ClaimFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path.name} is wrong at {place}: {first['msg']}. Mend it there.") from None
    for number, claim in enumerate(found.claims):
        _require_known(claim, found.folders, f"claim {number} ({claim.says[:40]})")
    return found


def sides(claim: Claim) -> list[Side]:
    """All that a claim looks for."""
    if isinstance(claim, Comparison):
        return [side for pair in claim.pairs for side in pair]
    if isinstance(claim, Value):
        return list(claim.rows)
    return [Side(row=claim.row, where=claim.chosen)] if isinstance(claim, Flat) else []


def _require_known(claim: Claim, folders: Mapping[str, Folder], place: str) -> None:
    """Every name of a claim must stand in the table it is from."""
    _require("tag", [claim.sure], SURE, place)
    _require("folder", claim.within, folders, place)
    _require("facet", [name for name in claim.where if not name.startswith("method.")], FACETS, place)
    for side in sides(claim):
        _require("folder", side.within, folders, place)
        _require("facet", [name for name in side.where if not name.startswith("method.")], FACETS, place)
        for folder in side.within or claim.within:
            _require(f"row of {folder}", [side.row], folders[folder].rows, place)
    if isinstance(claim, Comparison):
        _require("score", [claim.score], ["headline", *SCORES], place)
    if isinstance(claim, Value):
        _require("score", [claim.score], ["kept", "closed", *SCORES], place)
    needs = isinstance(claim, Value | Flat) or (isinstance(claim, Comparison) and claim.expect == "alike")
    if needs and claim.margin is None:
        raise ConfigError(f"{place} has no margin; say which difference counts as none.")


def _require(kind: str, names: Sequence[str], known: Any, place: str) -> None:
    """Each name is one of those that are known."""
    for name in names:
        if name not in known:
            raise UnknownNameError(f"{kind} of {place}", name, list(known))
