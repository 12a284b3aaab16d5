"""How an error of ours gets from a run on Temporal to the caller whose change it refused, with all its facts."""

from __future__ import annotations

from datetime import datetime

from pydantic_core import to_jsonable_python
from temporalio.exceptions import ApplicationError

from spectra_bot import errors
from spectra_bot.clock import to_text

_TIMES = {"answered_at"}


def refusal(error: Exception) -> ApplicationError:
    """An error as Temporal carries it."""
    facts = {
        name: to_text(value) if isinstance(value, datetime) else to_jsonable_python(value)
        for name, value in vars(error).items()
    }
    return ApplicationError(str(error), facts, type=type(error).__name__, non_retryable=True)


def refused(carried: ApplicationError) -> errors.SpectraError | None:
    """The error that `refusal` was given; None if it was none of ours."""
    kind = getattr(errors, carried.type or "", None)
    if not (isinstance(kind, type) and issubclass(kind, errors.SpectraError)):
        return None
    error = kind.__new__(kind)
    Exception.__init__(error, carried.message)
    for name, value in carried.details[0].items() if carried.details else ():
        if name in _TIMES and isinstance(value, str):
            value = datetime.fromisoformat(value)  # noqa: PLW2901  as the error holds it
        setattr(error, name, tuple(value) if isinstance(value, list) else value)
    return error
