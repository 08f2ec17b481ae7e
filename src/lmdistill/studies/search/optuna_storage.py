"""Optuna's storage of trials; the only file that imports Optuna, and only when it is used."""

import contextlib
import importlib.util
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmdistill.core.addresses import HIDDEN, secrets_in, without_secrets
from lmdistill.core.errors import ConfigError, LmdistillError, MissingExtraError, RunError

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
    where, secrets = without_secrets(re.sub(r"\s", "%20", address)), secrets_in(address)

    def take_over(study: Any, stale: Any) -> None:
        place = stale.user_attrs.get(PLACE, stale.number)
        begin(optuna, storage, study, stale.params, stale.distributions, {HOME: home, PLACE: place})

    with asking(where) as optuna:
        try:
            storage = _storage(optuna, address, take_over)
        except Exception as error:  # each driver has errors of its own
            reason = _hidden(_reason(error).replace(address, where), secrets)
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


def _hidden(text: str, secrets: Sequence[str]) -> str:
    """A driver's message without the passwords that it was given."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN) if len(secret) > 3 else text  # a short one is part of words
    return without_secrets(text)


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
        except LmdistillError:
            raise
        except (ValueError, KeyError, TypeError) as error:  # values that Optuna has not written
            said = without_secrets(_reason(error))
            raise RunError(f"{where} is damaged: {said}. Restore it, or choose another --out.") from None
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            said = without_secrets(_reason(error))
            raise RunError(
                f"{where} does not answer: {said}. The same command goes on once it does."
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
