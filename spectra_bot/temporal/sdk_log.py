"""Where the SDK's own log lines go: where ours go, and never into what a command prints."""

from __future__ import annotations

import functools
import logging

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from spectra_bot.temporal.turns import TURN_IS_DUE

LOGGER = "temporalio.core"


@functools.cache
def logging_runtime() -> Runtime:
    """The SDK's threads in this process. By default (1.35) it writes its warnings to standard output."""
    logger = logging.getLogger(LOGGER)
    logger.addFilter(_in_words)
    return Runtime(
        telemetry=TelemetryConfig(
            logging=LoggingConfig(
                filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
                forwarding=LogForwardingConfig(logger, append_target_to_name=False, prepend_target_on_message=False),
            )
        )
    )


def _in_words(record: logging.LogRecord) -> bool:
    """Leave the words, which hold the facts; and nothing of a query that is made again in a moment."""
    vars(record).pop("temporal_log", None)
    return TURN_IS_DUE not in record.getMessage()
