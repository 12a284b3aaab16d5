"""What somebody is told whose answer is not recorded in time, and later of what became of it. Pure.

Labels are given as they are to be shown: marked up, or plain where no markup counts.
"""

from __future__ import annotations


def not_yet(label: str) -> str:
    """The answer is under way, and nobody has taken it."""
    return (
        f"⏳ Your answer {label} is not recorded yet: nobody can take it at the moment. "
        "I keep trying, and you will hear from me what becomes of it."
    )


def still_trying(earlier: str, label: str) -> str:
    """Another click of somebody whose earlier answer is under way."""
    if earlier == label:
        return f"⏳ Your answer {label} is not recorded yet. I am still trying, and you will hear from me."
    return (
        f"✋ {label} was not taken, because your answer {earlier} is still being recorded and can't be called back. "
        "You will hear from me what becomes of it."
    )


def recorded_now(label: str) -> str:
    """The answer was taken after all."""
    return f"✅ Your answer {label} is recorded now."


def given_up(label: str, link: str | None) -> str:
    """The answer was tried for as long as it makes sense. It may be taken all the same, if it is under way still."""
    where = f": <{link}|Go to the question>" if link else "."
    return (
        f"⚠️ I could not have your answer {label} recorded: nobody took it for an hour, and I have stopped trying. "
        f"If the question still stands, please answer again{where}"
    )


def stopped(label: str) -> str:
    """The process ends before the answer was taken; the same holds for it."""
    return (
        f"⚠️ I could not have your answer {label} recorded yet, and can't keep trying, because I am being stopped. "
        "If the question still stands in a minute, please answer again."
    )


def form_not_opened(label: str) -> str:
    """A form that can't be opened while nobody tells what it holds."""
    return (
        f"⚠️ The form of {label} can't be opened at the moment, because nobody could take what you fill in. "
        "Nothing changed; please click again in a minute."
    )


def form_ready(label: str) -> str:
    """What was clicked turned out to have a form, too late to open it."""
    return f"📝 The form of {label} can be opened now: please click again."
