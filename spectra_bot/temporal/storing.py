"""Has what comes of an activity in the place of large payloads while the activity still gives signs of life."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.converter import WorkflowSerializationContext
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from spectra_bot.errors import PlaceError
from spectra_bot.temporal.beats import beating
from spectra_bot.temporal.own_run import FIRST_RETRY_S, MAX_RETRY_S
from spectra_bot.temporal.step_activities import stopped

logger = logging.getLogger(__name__)


class StoresResults(Interceptor):
    """Tries to store what an activity gives until it works: what a step has done is not done again for a place's sake.

    The SDK would store it after the last beat, once, and report the activity as failed where that fails.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  the SDK's
        """See `Interceptor.intercept_activity`."""
        return _Storing(next, self._client)


class _Storing(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, client: Client) -> None:  # noqa: A002  the SDK's
        super().__init__(next)
        self._client = client

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002  the SDK's
        result = await self.next.execute_activity(input)
        async with beating():
            try:
                return RawValue(await self._stored(result))
            except asyncio.CancelledError:
                raise stopped() from None

    async def _stored(self, result: object) -> Payload:
        info = activity.info()
        assert info.workflow_id is not None, "only workflows call it"  # noqa: S101
        context = WorkflowSerializationContext(namespace=info.namespace, workflow_id=info.workflow_id)
        converter = self._client.data_converter.with_context(context)
        pause_s = FIRST_RETRY_S
        while True:
            try:
                [payload] = await converter.encode([result])
                return payload
            except PlaceError:
                logger.warning("payload was not stored", extra={"run_id": info.workflow_id}, exc_info=True)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, MAX_RETRY_S)
