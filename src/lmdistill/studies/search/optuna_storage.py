"""Optuna's storage of trials; the only file that imports Optuna, and only when it is used."""

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
"""Seconds between two heartbeats, and after the last one until other machines may take a trial over."""

TRIES = 50
"""Tries to open a database while another machine creates its tables, WAIT seconds apart."""

WAIT = 0.1

HOME, PLACE = "home", "place"
"""User attributes of a trial: its home folder, and the number of the trial that it repeats."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """An open storage of trials."""

    storage: Any
    """Optuna's storage object."""

    where: str
    """Address for messages, without the password."""

    home: str
    """Identifier of the study folder."""


def require_optuna() -> None:
    """Check that Optuna is installed.

    Raises:
        MissingExtraError: If Optuna is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise MissingExtraError(
            "a search needs optuna, which is not installed. Run: pip install lmdistill[sweep]"
        )


@contextlib.contextmanager
def open_database(address: str, home: str) -> Iterator[Database]:
    """Open a database for this block; creates its tables if there are none.

    Args:
        address: As SQLAlchemy writes it, such as `sqlite:///trials.db`.
        home: Identifier of the study folder.

    Raises:
        MissingExtraError: If Optuna is not installed.
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
    """Address of an SQLite file; any path works."""
    import sqlalchemy

    return sqlalchemy.URL.create("sqlite", database=str(file)).render_as_string()


def _storage(optuna: Any, address: str, take_over: Callable[[Any, Any], None]) -> Any:
    """Optuna's storage; retried while another machine creates the same tables."""
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
    """The address for messages: a password before the host or among the options is replaced.

    Examples:
        >>> _without_password("mysql://me:secret@host/name"), _without_password("mysql://host/n?password=secret&a=1")
        ('mysql://me:***@host/name', 'mysql://host/n?password=***&a=1')
    """
    shown = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", address)
    return re.sub(r"([?&](?:password|passwd|pwd)=)[^&]*", r"\1***", shown, flags=re.IGNORECASE)


def _reason(error: BaseException) -> str:
    """First line of a driver's message, or the name of its error if it has none."""
    cause = error.__cause__ or error
    return next(iter(str(cause).splitlines()), "") or type(cause).__name__


@contextlib.contextmanager
def asking(where: str) -> Iterator[Any]:
    """Optuna without its log; errors of the database become one line."""
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
    """Add a running trial with a heartbeat, so that it can be taken over after a kill."""
    trial = optuna.create_trial(
        state=optuna.trial.TrialState.RUNNING,
        params=dict(params),
        distributions=dict(spaces),
        user_attrs=dict(attributes),
    )
    number = storage.create_new_trial(storage.get_study_id_from_name(study.study_name), trial)
    storage.record_heartbeat(number)
