"""What a server of an exported classifier can be told: its address, its limits, its teacher and its audit."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lmdistill.core.errors import ConfigError

LAST_PORT = 65_535
LEAST = {"max_batch": 1, "max_queue": 1, "max_texts": 1, "max_characters": 1, "max_wait": 0, "port": 0}


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of a server.

    Raises:
        ConfigError: If a value is outside of its range, or two contradict each other.
    """

    host: str = "127.0.0.1"
    """Name or address on which requests are accepted; 0.0.0.0 is every network of the machine."""

    port: int = 8000
    """Number in [0, 65535]; 0 takes a free one."""

    max_batch: int = 32
    """Texts that the graph reads at once at most, >= 1."""

    max_wait: float = 0.002
    """Seconds that a text waits for others at most before the graph reads it, >= 0."""

    max_queue: int = 1000
    """Texts in the server without an answer at most, >= `max_texts`; further requests are refused."""

    max_texts: int = 256
    """Texts of one request at most, >= 1."""

    max_characters: int = 20_000
    """Characters of one text, or of both texts of a pair, at most, >= 1."""

    teacher: str | None = None
    """Address of the server that answers deferred texts; None leaves them to the student."""

    teacher_timeout: float = 5.0
    """Seconds that the teacher has for the deferred texts of a request, > 0."""

    audit: Path | None = None
    """File to which a sample of the texts is added, .jsonl; None writes none."""

    audit_share: float = 0.01
    """Share of all texts that is written there, in (0, 1]."""

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise ConfigError(f"{_option(name)} must be at least {least}, got {getattr(self, name)}.")
        if self.port > LAST_PORT:
            raise ConfigError(f"--port must be at most {LAST_PORT}, got {self.port}.")
        if self.max_queue < self.max_texts:
            raise ConfigError(
                f"--max-queue is {self.max_queue} and --max-texts {self.max_texts}, so that a request of "
                "that size is always refused. Raise --max-queue, or lower --max-texts."
            )
        if not 0 < self.audit_share <= 1:
            raise ConfigError(f"--audit-share must be over 0 and at most 1, got {self.audit_share:g}.")
        if self.audit is not None and self.audit.suffix != ".jsonl":
            raise ConfigError(f"--audit writes JSON lines, got {self.audit}. Choose a name with .jsonl.")
        self._check_teacher()

    def _check_teacher(self) -> None:
        """Check the time and the address of the teacher."""
        if not 0 < self.teacher_timeout < float("inf"):
            raise ConfigError(f"--teacher-timeout must be over 0 s, got {self.teacher_timeout:g} s.")
        if self.teacher is not None:
            _require_address(self.teacher)


def _option(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"


def _require_address(address: str) -> None:
    """Check the address of a teacher.

    Raises:
        ConfigError: It is none of a web server, or it has a password in it, which is not sent.
    """
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise ConfigError(f"--teacher must be an address like http://localhost:8001, got {address!r}.")
    if parts.username or parts.password:
        raise ConfigError(
            "--teacher has a user or a password in its address, which are not sent. Leave them out."
        )
