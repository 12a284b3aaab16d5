"""A handler that approves by itself: for CI, and for rehearsals of a workflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import JsonValue

from spectra_bot import (
    InterruptOption,
    InterruptRequest,
    InterruptResponse,
    InterruptStatus,
    InvalidAnswerError,
)


class AutoApproveHandler:
    """Answers at once with an approving option; what it can't approve is left to the next handler.

    Args:
        option: the option to give wherever it is offered; without it the first one that means approval and
            whose form `data` fills in.
        when: judges each request; false leaves it alone.
        notes: stored with each answer.
        data: what is filled into the form of an option that has one.
    """

    def __init__(
        self,
        *,
        option: str | None = None,
        when: Callable[[InterruptRequest], bool] | None = None,
        notes: str | None = None,
        data: Mapping[str, JsonValue] | None = None,
        name: str = "AutoApproveHandler",
    ) -> None:
        self.name = name
        self._option = option
        self._when = when
        self._notes = notes
        self._data = dict(data or {})

    async def handle(self, request: InterruptRequest) -> InterruptResponse | None:
        """Approve, or return None where this handler does not apply."""
        if self._when is not None and not self._when(request):
            return None
        option = self._choose(request)
        if option is None:
            return None
        return request.answer(
            option.id,
            data=self._data if option.form else None,
            notes=self._notes,
            responder=f"handler:{self.name}",
        )

    def _choose(self, request: InterruptRequest) -> InterruptOption | None:
        if self._option is not None:
            return request.option(self._option)
        approving = (option for option in request.options if option.status is InterruptStatus.APPROVED)
        return next((option for option in approving if self._fills_in(option)), None)

    def _fills_in(self, option: InterruptOption) -> bool:
        try:
            if option.form is not None:
                option.form.validated(self._data)
        except InvalidAnswerError:
            return False
        return True
