"""Errors of servers as one line: what is wrong, and what to do."""

from lmdistill.core.errors import ConfigError, LmdistillError, RunError
from lmdistill.labelling.api_client import KEY_ENV, ApiClient, Server
from lmdistill.labelling.request_errors import Failure


def stop_error(client: ApiClient, failure: Failure, *, is_first: bool = False) -> LmdistillError:
    """The error for a failure after which nothing more is sent.

    Args:
        client: Of the server.
        failure: What happened. The server's words are part of the message.
        is_first: Whether nothing was answered yet.
    """
    server = client.server
    if failure.status in (401, 403):
        return _key_error(client, failure)
    if failure.status == 404:
        return ConfigError(
            f"{server.shown} has no model {server.model!r}, or nothing at this path ({failure.reason}). "
            "Correct --model or --teacher."
        )
    if failure.status is None and is_first:
        return ConfigError(
            f"no server answers at {server.shown} ({failure.reason}). Start it, or correct --teacher."
        )
    if failure.action == "reject":
        return ConfigError(
            f"{server.shown} refuses the first requests ({failure.reason}). Correct --model, --prompt or "
            "--max-new."
        )
    return RunError(
        f"{server.shown} gives no answer ({failure.reason}). The same command continues when it does."
    )


def _key_error(client: ApiClient, failure: Failure) -> LmdistillError:
    """The error for a key that is missing or refused; the key itself is never part of it."""
    server = client.server
    name = server.key_env or KEY_ENV
    if client.secret:
        return ConfigError(
            f"{server.shown} refuses the key in {name} ({failure.reason}). Put a key of this server into "
            "it, or name another variable with --api-key-env."
        )
    return ConfigError(
        f"{server.shown} asks for a key ({failure.reason}), and none was sent. Name the environment variable "
        "that holds it with --api-key-env."
    )


def no_logprobs(server: Server) -> LmdistillError:
    """The error for a server without log-probabilities where they are required."""
    return ConfigError(
        f"{server.shown} gives no log-probabilities for {server.model!r}. Use --probabilities samples, or "
        "another server."
    )
