"""The refusals of the fake Slack, in Slack's own error codes."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from spectra_bot.testing.json_shapes import JsonObject


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule, and where in the payload it is broken."""

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} [json-pointer:{self.pointer}]"


class RefusedError(Exception):
    """A Web API call that Slack answers with `ok: false`."""

    def __init__(self, error: str, findings: Iterable[Finding] = (), **details: JsonValue) -> None:
        """Carry Slack's error code, and for `invalid_blocks` and the like what was wrong and where.

        Args:
            details: further top-level fields of the answer, such as `needed` of `missing_scope`.
        """
        self.error = error
        self.findings = tuple(findings)
        self.details = details
        super().__init__("; ".join([error, *map(str, self.findings)]))

    def response(self) -> JsonObject:
        """Build the body that the Web API answers with."""
        body: JsonObject = {"ok": False, "error": self.error, **self.details}
        if self.findings:
            body["errors"] = [str(finding) for finding in self.findings]
            body["response_metadata"] = {"messages": [f"[ERROR] {finding}" for finding in self.findings]}
        return body
