"""The client of an OpenAI-compatible server: one request at a time, and what its answer holds."""

import importlib.util
import math
import os
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from lmdistill.core.addresses import secrets_in, without_secrets
from lmdistill.core.errors import ConfigError, MissingExtraError
from lmdistill.core.printable import one_line
from lmdistill.labelling.api_reply import Reply, parse_reply
from lmdistill.labelling.request_errors import (
    CallFailedError,
    Failure,
    failure_of_status,
    hidden,
)

KEY_ENV = "OPENAI_API_KEY"
"""Environment variable of the key, unless another one is named."""

NO_KEY = "none"
"""What is sent as key to a server that needs none."""

LOCAL = ("localhost", "127.0.0.1", "::1")
"""Hosts of this machine."""

HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+(%\w+)?")
"""A name, or an address of IPv4 or IPv6, as `urlsplit` gives it."""

SHORTEST_KEY = 8
"""Characters of a key that is looked for in replies; a shorter text may stand there by chance."""

TOP = 20
"""Number of log-probabilities that are asked for: the most that OpenAI and vLLM give."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """An OpenAI-compatible server, the model to ask, and how patient to be."""

    url: str
    """Address such as `http://localhost:8000/v1`; `/v1` is added to an address without a path."""

    model: str
    """Name of the model, as the server knows it."""

    key_env: str | None = None
    """Environment variable of the key. None takes `KEY_ENV` if it is set, and sends it only over https or to
    this machine."""

    timeout_s: float = 60.0
    """Seconds that a server may be silent, > 0."""

    retries: int = 5
    """Further tries of a request that failed for a while, >= 0."""

    concurrency: int = 4
    """Requests at the same time, >= 1."""

    first_wait_s: float = 1.0
    """Longest wait after the first try, in seconds, >= 0; it doubles with every try."""

    longest_wait_s: float = 60.0
    """Longest wait after any try, in seconds, >= 0."""

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(HOST.fullmatch(parts.hostname or ""))
            is_address = is_address and parts.port != 0 and self.url.isprintable() and " " not in self.url
            (parts.hostname or "").encode("idna")
        except ValueError:  # a port that is no number, a part of the name that is empty or too long
            is_address = False
        if not is_address:
            raise ConfigError(
                f"--teacher must be an address like http://localhost:8000/v1, got {self.shown!r}."
            )
        if not self.model.strip():
            raise ConfigError("--model is blank. Name the model as the server knows it.")
        if not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise ConfigError(f"--timeout must be a number of seconds above 0, got {self.timeout_s}.")
        if self.retries < 0 or self.concurrency < 1:
            raise ConfigError(
                f"--retries must be >= 0 and --concurrency >= 1, got {self.retries} and {self.concurrency}."
            )

    @property
    def shown(self) -> str:
        """The address for messages, without passwords."""
        return without_secrets(self.url)

    @property
    def base_url(self) -> str:
        """The address under which `/chat/completions` is."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/") or "/v1"
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    @property
    def identity(self) -> str:
        """Host, port and path, by which answers are cached; no user and no password."""
        parts = urlsplit(self.base_url)
        return f"{parts.netloc.rpartition('@')[2].lower()}{parts.path}"

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine."""
        return urlsplit(self.url).hostname in LOCAL

    def key(self) -> str | None:
        """The key to send; None for none.

        Raises:
            ConfigError: The environment variable that the user named is not set, or holds no key.
        """
        key = os.environ.get(self.key_env or KEY_ENV, "").strip()
        if self.key_env is not None and not key:
            raise ConfigError(f"the environment variable {self.key_env} is not set. Put the key into it.")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(
                f"the key in {self.key_env or KEY_ENV} has characters that cannot be sent. Copy it again."
            )
        is_safe = self.key_env is not None or self.is_local or self.url.startswith("https:")
        return key if key and is_safe else None


class ApiClient:
    """Sends requests to one server; it is a context manager. Several threads may use it.

    Args:
        server: The server.

    Raises:
        MissingExtraError: The package `openai` is not installed.
        ConfigError: The environment variable that the user named is not set.
    """

    def __init__(self, server: Server) -> None:
        if importlib.util.find_spec("openai") is None:
            raise MissingExtraError(
                "label needs the package openai, which is not installed. Run: pip install lmdistill[api]"
            )
        import openai

        self.server = server
        self.secret = server.key() or ""
        self._openai = openai
        self._limit = "max_tokens"
        self._client = openai.OpenAI(
            base_url=server.base_url,
            api_key=self.secret or NO_KEY,
            timeout=server.timeout_s,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(trust_env=not server.is_local),  # no proxy to this machine
        )

    def send(self, prompt: str, *, logprobs: bool, temperature: float, max_new: int) -> Reply:
        """Ask once.

        Args:
            prompt: The user's message.
            logprobs: Whether to ask for log-probabilities.
            temperature: Sampling temperature, >= 0.
            max_new: Longest reply in tokens, >= 1.

        Raises:
            CallFailedError: There is no usable answer.
        """
        more: dict[str, Any] = {"logprobs": True, "top_logprobs": TOP} if logprobs else {}
        limit = self._limit
        client: Any = self._client  # its types have no room for a parameter whose name is a variable
        try:
            answer = client.chat.completions.with_raw_response.create(
                model=self.server.model,
                messages=[{"role": "user", "content": prompt}],
                temperature=temperature,
                **{limit: max_new},
                **more,
            )
            body = str(answer.http_response.text)
            if len(self.secret) >= SHORTEST_KEY:
                body = hidden(body, self.secret)
        except self._openai.APIStatusError as error:
            headers = {name.lower(): value for name, value in error.response.headers.items()}
            failure = failure_of_status(error.status_code, error.response.text, headers, self.secret)
            if limit == "max_tokens" and "max_completion_tokens" in failure.words:
                self._limit = "max_completion_tokens"
                return self.send(prompt, logprobs=logprobs, temperature=temperature, max_new=max_new)
            raise CallFailedError(failure) from None
        except self._openai.OpenAIError as error:
            raise CallFailedError(self._silence(error)) from None
        return parse_reply(body)

    def __enter__(self) -> "ApiClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def _silence(self, error: Exception) -> Failure:
        """The failure of a request to which the server sent no complete answer."""
        cause = error.__cause__
        kind = type(cause).__name__ if cause is not None else type(error).__name__
        unsent = kind in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")
        if isinstance(error, self._openai.APITimeoutError):
            reason = f"no answer within {self.server.timeout_s:g} s"
        else:
            said = hidden(one_line(str(cause or error)), self.secret)
            for secret in secrets_in(self.server.url):
                said = hidden(said, secret)
            reason = said or kind
        return Failure(action="retry", reason=reason, may_cost=not unsent)
