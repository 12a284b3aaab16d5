"""The workflows that the Slack tests run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from spectra_bot import InterruptOption, InterruptRequest, StepContext, StepResult, Workflow


class DeployInputs(BaseModel):
    """What a deployment takes."""

    env: str = Field(description="where to")
    replicas: int = 2
    tag: str = "latest"
    only: list[str] = []


class Change(BaseModel):
    """What a form of each kind of field asks for."""

    why: str = Field(min_length=3)
    replicas: int = Field(default=2, ge=1, le=9)
    share: float = 0.5
    urgent: bool = False
    leave_out: list[str] = []
    size: Literal["small", "large"] = "small"

    @field_validator("why")
    @classmethod
    def _says_something(cls, why: str) -> str:
        if why == "because":
            raise ValueError("say more than because")
        return why


def deploy(**request: Any) -> Workflow:
    """Plan, ask, apply."""
    workflow = Workflow("deploy", inputs=DeployInputs, description="Ship a release")

    @workflow.step
    async def plan(ctx: StepContext) -> dict[str, str]:
        return {"change": f"replicas -> {ctx.inputs.replicas} in {ctx.inputs.env}"}

    @workflow.step
    async def approve(ctx: StepContext) -> StepResult | dict[str, Any]:
        response = await ctx.interrupt(_request(ctx.outputs["plan"], request))
        if not response.approved:
            return StepResult.failed(f"{response.option} by {response.responder}: {response.notes}")
        return {"by": response.responder, "data": response.data}

    @workflow.step
    async def apply(_ctx: StepContext) -> dict[str, bool]:
        return {"shipped": True}

    return workflow


def ask(name: str = "ask", **request: Any) -> Workflow:
    """One question, and its answer as the output."""
    workflow = Workflow(name)

    @workflow.step
    async def question(ctx: StepContext) -> dict[str, Any]:
        response = await ctx.interrupt(_request({"env": "prod"}, request))
        return {"option": response.option, "data": response.data, "by": response.responder, "notes": response.notes}

    return workflow


def with_form() -> Workflow:
    """A question whose second option has a form."""
    return ask("formed", options=("approve", InterruptOption("change", form=Change)))


def _request(data: dict[str, Any], given: dict[str, Any]) -> InterruptRequest:
    return InterruptRequest(**{"reason": "Deployment plan requires approval", "data": data, **given})
