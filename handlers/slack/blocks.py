"""The message of an interrupt: the question while it is open, and how it ended afterwards. Pure."""

from __future__ import annotations

from datetime import datetime

from handlers.slack.buttons import buttons
from handlers.slack.data import data_blocks, in_words
from handlers.slack.dates import date
from handlers.slack.escape import code, escaped_line, name, one_line, strong, value
from handlers.slack.layout import (
    MAX_TEXT,
    MAX_WEIGHT,
    Block,
    Message,
    actions,
    context,
    divider,
    quote,
    section,
    sections,
    title,
    weight,
)
from handlers.slack.people import mention, mentions, pieces_with_mentions, with_mentions
from handlers.slack.tool_calls import asked_blocks
from spectra_bot import Difference, InterruptRequest, InterruptResponse, InterruptStatus, printable, redact

_MOST_NOTES = 2_500
_MOST_CHANGES = 2_000
_REMOVED = "Posted again: the earlier message was removed, and the question is still open."


def approval(request: InterruptRequest, *, bare: bool = False, was_removed: bool = False) -> Message:
    """The open question with a button for each option.

    Args:
        bare: without the data, for when Slack refuses the whole.
        was_removed: it stood here before, and somebody removed the message.
    """
    head = [*_title(request), origin(request), *changes(request)]
    if was_removed:
        head.append(context(f"📌 {_REMOVED}"))
    foot = [*terms(request), actions(buttons(request))]
    room = MAX_WEIGHT - weight(head) - weight(foot)
    data = [_left_out(request)] if bare else asked_blocks(request.data, budget=room, see_all=see_all(request))
    text = _question_text(request)
    return Message(text=f"{text}\n{_REMOVED}" if was_removed else text, blocks=tuple(head + data + foot))


def closed(
    request: InterruptRequest, response: InterruptResponse, *, working: bool = False, bare: bool = False
) -> Message:
    """The question without its buttons: what was decided, by whom, when, and with which words.

    Args:
        working: the decision is stored, and the run is on its way.
        bare: without the data, for when Slack refuses the whole.
    """
    decision = _decision(request, response)
    if response.superseded_by is not None and not _is_replaced(response):
        decision = (
            f"🔁 *The question changed afterwards: this answer does not count*, and it is asked anew.\n{decision}"
        )
    head = [*_title(request), section(decision)]
    if response.notes and not _is_replaced(response):
        notes = printable(redact(response.notes))[:_MOST_NOTES]
        is_why = response.status is InterruptStatus.CANCELLED  # our own words, which name people by their identity
        head.append(quote("Why", pieces_with_mentions(notes)) if is_why else quote("Note", [notes]))
    answered = {key: value for key, value in response.data.items() if value != response.notes}
    if answered and not bare:
        head += data_blocks(answered, budget=2_500, see_all=see_all(request))
    if working:
        head.append(context("⏳ Recorded. The run goes on."))
    head.append(origin(request))
    room = MAX_WEIGHT - weight([*head, divider()])
    data = [_left_out(request)] if bare else asked_blocks(request.data, budget=room, see_all=see_all(request))
    text = f"{decision}\n{escaped_line(redact(request.reason), 1_000)} ({_place(request)})"
    if response.notes:
        text += f"\n{_notes_in_words(response.status, redact(response.notes))}"
    return Message(text=text[:MAX_TEXT], blocks=tuple(head + ([divider(), *data] if data else [])))


def decided_in_words(request: InterruptRequest, response: InterruptResponse) -> str:
    """How the interrupt ended, as a line of markup, and another where that counts no more."""
    decision = _decision(request, response)
    if response.superseded_by is None or _is_replaced(response):
        return decision
    return f"{decision}\n🔁 The question changed afterwards: this answer does not count, and it is asked anew."


def label_of(request: InterruptRequest, option_id: str | None) -> str:
    """The word on the option's button, as markup in bold."""
    option = request.option(option_id) if option_id else None
    return strong(option.label if option else option_id or "no option", 80)


def _title(request: InterruptRequest) -> list[Block]:
    return title(printable(redact(request.reason)).strip() or "A decision is needed")


def origin(request: InterruptRequest) -> Block:
    """Which run asks, for whom, and since when."""
    parts = [_place(request)]
    if request.requested_by:
        parts.append(f"asked by {mention(request.requested_by)}")
    if request.created_at:
        parts.append(date(request.created_at))
    return context("  ·  ".join(parts))


def _place(request: InterruptRequest) -> str:
    return f"{name(request.workflow)} / {name(request.step)}  ·  run {code(request.run_id, 80)}"


def changes(request: InterruptRequest, most: int = _MOST_CHANGES) -> list[Block]:
    """What is different from the question that it stands in for, in so many characters."""
    if not request.replaces and not request.changed:
        return []
    lines = [f"🔁 *Asked again, because it changed.* The earlier answer{_replaced(request)} does not count."]
    size = 0
    for index, difference in enumerate(request.changed):
        line = f"•  {_change(difference)}"
        size += len(line)
        if size > most:
            lines.append(f"•  and {len(request.changed) - index} more")
            break
        lines.append(line)
    return sections(lines)


def _replaced(request: InterruptRequest) -> str:
    return f" (to {code(request.replaces, 80)})" if request.replaces else ""


def _change(difference: Difference) -> str:
    """One field that is different: what it was, and what it is now."""
    field = code(difference.path.removeprefix("data."), 60)
    match difference.kind:
        case "added":
            return f"{field} is new: {_shown(difference.after)}"
        case "removed":
            return f"{field} is gone; it was {_shown(difference.before)}"
        case _ if difference.before is None:
            return field
        case _:
            return f"{field}: {_shown(difference.before)} → {_shown(difference.after)}"


def _shown(text: str | None) -> str:
    return value(one_line(redact(text), 120), 120) if text else "nothing"


def terms(request: InterruptRequest) -> list[Block]:
    """Until when, what happens then, and who may."""
    lines = []
    if request.deadline:
        after = (
            f"then {label_of(request, request.default_option)} applies by itself"
            if request.default_option
            else "then it counts as *nobody decided*"
        )
        lines.append(f"⏰ Decide by *{date(request.deadline)}*; {after}.")
    if request.approvers:
        lines.append(f"👤 Who may decide: {mentions(request.approvers)}")
    return [section("\n".join(lines))] if lines else []


def see_all(request: InterruptRequest) -> str:
    """Where the whole data is."""
    return f"See all of it with: spectra-bot show {one_line(request.run_id, 80)} --json"


def _left_out(request: InterruptRequest) -> Block:
    return context(f"Slack could not show the data. See it with: {code(f'spectra-bot show {request.run_id} --json')}")


def _question_text(request: InterruptRequest) -> str:
    labels = escaped_line(", ".join(option.label for option in request.options), 400)
    parts = [escaped_line(redact(request.reason), 1_200)]
    if request.data:
        parts.append(escaped_line(in_words(request.data, 800), 800))
    parts.append(f"{_place(request)}{f', asked by {mention(request.requested_by)}' if request.requested_by else ''}")
    if request.deadline:
        parts.append(f"Decide by {date(request.deadline)}.")
    if request.approvers:
        parts.append(f"Who may decide: {mentions(request.approvers, 5)}.")
    parts.append(f"Options: {labels}")
    return "\n".join(parts)[:MAX_TEXT]


def _decision(request: InterruptRequest, response: InterruptResponse) -> str:
    when = f" · {date(response.responded_at)}" if response.responded_at else ""
    match response.status:
        case InterruptStatus.APPROVED | InterruptStatus.REJECTED | InterruptStatus.ANSWERED:
            mark = {"approved": "✅", "rejected": "⛔", "answered": "💬"}[response.status.value]
            return f"{mark} {label_of(request, response.option)} by {mention(response.responder)}{when}"
        case InterruptStatus.TIMED_OUT:
            return f"⌛ *Nobody decided* by {_deadline(request, response)}: {_then(request, response)}"
        case InterruptStatus.CANCELLED:
            return _cancelled(response) + when


def _notes_in_words(status: InterruptStatus, notes: str) -> str:
    if status is InterruptStatus.CANCELLED:
        return f"Why: {(with_mentions(notes) if len(notes) <= 500 else None) or escaped_line(notes, 500)}"
    return f"Note: {escaped_line(notes, 500)}"


def _deadline(request: InterruptRequest, response: InterruptResponse) -> str:
    moment: datetime | None = request.deadline or response.responded_at
    return date(moment) if moment else "the deadline"


def _then(request: InterruptRequest, response: InterruptResponse) -> str:
    if response.option:
        return f"{label_of(request, response.option)} applied by itself."
    return "no answer was recorded."


def _cancelled(response: InterruptResponse) -> str:
    if _is_replaced(response):
        return "🔁 *Replaced by a newer question*: nothing to decide here"
    by = f" by {mention(response.responder)}" if response.responder else ""
    return f"🚫 *No longer needed*{by}: nothing to decide here"


def _is_replaced(response: InterruptResponse) -> bool:
    return response.status is InterruptStatus.CANCELLED and response.superseded_by is not None
