"""Replies that were paid for, by content, and an account of calls; both survive a killed process.

One SQLite file serves all commands that write into a folder. A reply is found by what was asked: the host,
the model, the prompt, the temperature, the longest reply, and the number of the sample.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from lmdistill.core.errors import RunError
from lmdistill.core.fingerprint import fingerprint
from lmdistill.labelling.api_reply import Reply
from lmdistill.labelling.cost import Usage

NAME = "label_cache.sqlite"
"""Name of the file, in the folder of the output."""

PATIENCE_S = 60.0
"""Seconds to wait while another process writes the file."""

TABLES = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, model TEXT NOT NULL, reply TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY, job TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS calls_of_job ON calls (job);
CREATE TABLE IF NOT EXISTS servers (server TEXT PRIMARY KEY, logprobs INTEGER NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked; equal questions have equal keys."""

    host: str
    """Host, port and path of the server."""

    model: str
    """Name of the model."""

    prompt: str
    """The whole prompt, with the text and the labels."""

    logprobs: bool
    """Whether log-probabilities were asked for."""

    temperature: float
    """Sampling temperature, >= 0."""

    max_new: int
    """Longest reply in tokens, >= 1."""

    sample: int = 0
    """Number of the sample, from 0. So more samples never change those that are there."""

    @property
    def key(self) -> str:
        """Key of the reply: a hash of all fields."""
        return fingerprint("label", asdict(self))


class AnswerCache:
    """The cache in a folder; it is a context manager. Several threads and processes may use it.

    Args:
        folder: Folder of the output; made if missing.
        job: Whose calls are counted together, such as the name of an output.

    Raises:
        RunError: The file cannot be read or written.
    """

    def __init__(self, folder: Path, job: str) -> None:
        self.path, self.job = folder / NAME, job
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(self.path, timeout=PATIENCE_S, check_same_thread=False)
        try:
            with self._transaction() as file:
                file.execute("PRAGMA journal_mode=WAL")
                file.execute("PRAGMA synchronous=NORMAL")
                file.executescript(TABLES)
        except RunError:
            self._file.close()
            raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Statements that are written together; one thread at a time."""
        try:
            with self._lock, self._file:
                yield self._file
        except sqlite3.Error as error:
            raise RunError(
                f"{self.path}, the cache of answers, cannot be used: {error}. Restore the file, or remove it "
                "and pay for its answers again."
            ) from None

    def get(self, question: Question) -> Reply | None:
        """The reply to a question; None if it was not asked."""
        with self._transaction() as file:
            found = file.execute("SELECT reply FROM replies WHERE key = ?", (question.key,)).fetchone()
        return None if found is None else _reply(found[0], self.path)

    def open_call(self, reserved: Usage) -> int:
        """Count a call before it is sent, with the most that it can use; its number.

        If the process is killed before `close_call`, the call stays counted as it is here.
        """
        with self._transaction() as file:
            values = (self.job, reserved.input_tokens, reserved.output_tokens)
            cursor = file.execute(
                "INSERT INTO calls (job, input_tokens, output_tokens) VALUES (?, ?, ?)", values
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def close_call(
        self, number: int, used: Usage, question: Question | None = None, reply: Reply | None = None
    ) -> None:
        """Count what a call has used, and keep its reply, both at once.

        Args:
            number: From `open_call`.
            used: Tokens of the call.
            question: What was asked, if there is a reply.
            reply: The reply; None for a call that brought none.
        """
        with self._transaction() as file:
            file.execute(
                "UPDATE calls SET input_tokens = ?, output_tokens = ? WHERE number = ?",
                (used.input_tokens, used.output_tokens, number),
            )
            if question is not None and reply is not None:
                values = (question.key, question.model, json.dumps(asdict(reply)))
                file.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", values)

    def keep(self, question: Question, reply: Reply) -> None:
        """Keep a reply that answers a second question as well; nothing if that has one."""
        with self._transaction() as file:
            values = (question.key, question.model, json.dumps(asdict(reply)))
            file.execute("INSERT OR IGNORE INTO replies VALUES (?, ?, ?)", values)

    def spent(self) -> Usage:
        """What all calls of this job have used, in this process and earlier ones."""
        with self._transaction() as file:
            calls, *tokens = file.execute(
                "SELECT COUNT(*), COALESCE(SUM(input_tokens), 0), COALESCE(SUM(output_tokens), 0) "
                "FROM calls WHERE job = ?",
                (self.job,),
            ).fetchone()
        return Usage(calls=calls, input_tokens=tokens[0], output_tokens=tokens[1])

    def gives_logprobs(self, server: str) -> bool | None:
        """Whether a server gave log-probabilities when it was asked; None if it was not asked."""
        with self._transaction() as file:
            found = file.execute("SELECT logprobs FROM servers WHERE server = ?", (server,)).fetchone()
        return None if found is None else bool(found[0])

    def note_logprobs(self, server: str, given: bool) -> None:
        """Keep whether a server gives log-probabilities."""
        with self._transaction() as file:
            file.execute("INSERT OR REPLACE INTO servers VALUES (?, ?)", (server, int(given)))

    def __enter__(self) -> "AnswerCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _reply(text: str, path: Path) -> Reply:
    """A reply as it was stored."""
    try:
        values: dict[str, Any] = json.loads(text)
        top = values["top"]
        pairs = None if top is None else tuple((str(token), float(value)) for token, value in top)
        return Reply(**{**values, "top": pairs})
    except (ValueError, TypeError, KeyError):
        raise RunError(
            f"{path}, the cache of answers, has a reply that cannot be read: {text[:60]!r}. Restore the "
            "file, or remove it and pay for its answers again."
        ) from None
