"""The database that trials are stored in; the one file that imports Optuna, silently and only when asked."""

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lmdistill.core.errors import ConfigError, MissingExtraError, RunError

BEAT, GRACE = 60, 300
"""Seconds between two heartbeats, and after the last of them until others may take a trial over."""

HOME, PLACE = "home", "place"
"""What is stored beside a trial: whose it is, and the number of the trial that it repeats."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where trials are stored."""

    storage: Any
    """Of Optuna."""

    where: str
    """Its address, without the password."""

    home: str
    """Identifier of the folder that asks."""


def require_optuna() -> None:
    """Refuse to search without Optuna.

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MissingExtraError(
            "a search needs optuna, which is not installed. Run: pip install lmdistill[sweep]"
        )


@contextlib.contextmanager
def open_database(address: str, home: str) -> Iterator[Database]:
    """Open a database for this block, and make its tables where it has none.

    Args:
        address: As SQLAlchemy writes it, such as `sqlite:///trials.db`.
        home: Identifier of the folder that asks.

    Raises:
        MissingExtraError: Optuna is not installed.
        ConfigError: If it cannot be opened.
    """
    require_optuna()
    where = _without_password(address)

    def take_over(study: Any, stale: Any) -> None:
        place = stale.user_attrs.get(PLACE, stale.number)
        begin(optuna, study, stale.params, stale.distributions, {HOME: home, PLACE: place})

    with asking(where) as optuna:
        try:
            storage = optuna.storages.RDBStorage(
                address.replace("{", "{{").replace("}", "}}"),  # Optuna formats it
                heartbeat_interval=BEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=take_over,
            )
        except Exception as error:  # each driver has errors of its own
            reason = _reason(error).replace(address, where)
            raise ConfigError(
                f"search.storage {where} cannot be opened: {reason}. Check the address, as in "
                "postgresql://user@host/name, and that its driver is installed."
            ) from None
    try:
        yield Database(storage=storage, where=where, home=home)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _without_password(address: str) -> str:
    """The address as it may be shown; the password stands before the host or among the options.

    Examples:
        >>> _without_password("mysql://me:secret@host/name"), _without_password("mysql://host/n?password=secret&a=1")
        ('mysql://me:***@host/name', 'mysql://host/n?password=***&a=1')
    """
    shown = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", address)
    return re.sub(r"([?&](?:password|passwd|pwd)=)[^&]*", r"\1***", shown, flags=re.IGNORECASE)


def _reason(error: BaseException) -> str:
    """The first line of what a driver says, or the kind of its error where it says nothing."""
    cause = error.__cause__ or error
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__


@contextlib.contextmanager
def asking(where: str) -> Iterator[Any]:
    """Optuna, silent; what its database complains of is one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna
        import sqlalchemy

        before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        try:
            yield optuna
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            raise RunError(
                f"{where} does not answer: {_reason(error)}. The same command goes on once it does."
            ) from None
        finally:
            optuna.logging.set_verbosity(before)


def begin(
    optuna: Any,
    study: Any,
    params: Mapping[str, Any],
    spaces: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> None:
    """Add a trial that runs."""
    study.add_trial(
        optuna.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=dict(params),
            distributions=dict(spaces),
            user_attrs=dict(attributes),
        )
    )
