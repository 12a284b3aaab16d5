"""What a step sees of its run, and how it asks."""

from spectra_bot.context.question import NewQuestion, Question, Slot
from spectra_bot.context.step_context import MAX_CHANGES, Effects, StepContext

__all__ = ["MAX_CHANGES", "Effects", "NewQuestion", "Question", "Slot", "StepContext"]
