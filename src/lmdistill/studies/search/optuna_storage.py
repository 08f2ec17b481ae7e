"""The database that trials are stored in; the one file that imports Optuna, silently and only when asked."""

import contextlib
import importlib.util
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.errors import ConfigError, MissingExtraError, RunError

BEAT, GRACE = 60, 300
"""Seconds between two heartbeats, and after the last of them until others may take a trial over."""

TRIES = 50
"""Of opening a database whose tables another machine makes at this moment; WAIT seconds lie between them."""

WAIT = 0.1

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
        begin(optuna, storage, study, stale.params, stale.distributions, {HOME: home, PLACE: place})

    with asking(where) as optuna:
        try:
            storage = _storage(optuna, address, take_over)
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


def sqlite(file: Path) -> str:
    """The address of a database that is a file, whatever its path has in it."""
    import sqlalchemy

    return sqlalchemy.URL.create("sqlite", database=str(file)).render_as_string()


def _storage(optuna: Any, address: str, take_over: Callable[[Any, Any], None]) -> Any:
    """Optuna's storage; asked for again where others make the same tables at the same moment."""
    import sqlalchemy

    for left in reversed(range(TRIES)):
        try:
            return optuna.storages.RDBStorage(
                address.replace("{", "{{").replace("}", "}}"),  # Optuna formats it
                heartbeat_interval=BEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=take_over,
            )
        except sqlalchemy.exc.DBAPIError as error:
            is_made = isinstance(error, sqlalchemy.exc.IntegrityError) or "already exists" in str(error)
            if not left or not is_made:
                raise
        time.sleep(WAIT)


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
    storage: Any,
    study: Any,
    params: Mapping[str, Any],
    spaces: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> None:
    """Add a trial that runs; its heart beats from now on, or nobody could take it over."""
    trial = optuna.create_trial(
        state=optuna.trial.TrialState.RUNNING,
        params=dict(params),
        distributions=dict(spaces),
        user_attrs=dict(attributes),
    )
    number = storage.create_new_trial(storage.get_study_id_from_name(study.study_name), trial)
    storage.record_heartbeat(number)
