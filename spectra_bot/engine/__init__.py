"""What every engine does alike, whatever it keeps runs in: it executes steps, judges proposals, and shows runs."""

from spectra_bot.engine.execution import Execution
from spectra_bot.engine.step_call import StepCall, call_of

__all__ = ["Execution", "StepCall", "call_of"]
