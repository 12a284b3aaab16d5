"""A run's inputs: checked once, stored as JSON, and given to each step as the model that they were."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr

from spectra_bot import InvalidInputsError, InvalidJsonError, Workflow


class DeployInputs(BaseModel):
    env: str
    replicas: int = 2


def test_inputs_are_stored_with_their_defaults_and_come_back_as_the_model() -> None:
    workflow = Workflow("deploy", inputs=DeployInputs)

    stored = workflow.stored_inputs({"env": "prod", "replicas": "3"})

    assert stored == {"env": "prod", "replicas": 3}
    assert workflow.loaded_inputs(stored) == DeployInputs(env="prod", replicas=3)
    assert workflow.stored_inputs(DeployInputs(env="prod")) == {"env": "prod", "replicas": 2}


def test_each_wrong_input_is_told_with_its_problem() -> None:
    with pytest.raises(InvalidInputsError) as refused:
        Workflow("deploy", inputs=DeployInputs).stored_inputs({"replicas": "many"})

    assert refused.value.fields.keys() == {"env", "replicas"}
    assert str(refused.value).startswith("inputs of deploy: env: Field required; replicas: ")


def test_a_workflow_without_a_model_takes_any_json_object() -> None:
    workflow = Workflow("deploy")

    assert workflow.stored_inputs(None) == {}
    assert workflow.stored_inputs({"any": (1, 2)}) == {"any": [1, 2]}
    assert workflow.loaded_inputs({"any": [1, 2]}) == {"any": [1, 2]}
    with pytest.raises(InvalidJsonError, match=r"inputs\.any: object is not JSON"):
        workflow.stored_inputs({"any": object()})


def test_secret_inputs_survive_the_store() -> None:
    class Login(BaseModel):
        password: SecretStr

    workflow = Workflow("login", inputs=Login)

    loaded = workflow.loaded_inputs(workflow.stored_inputs({"password": "hunter2"}))

    assert loaded.password.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(loaded)


class Region(BaseModel):
    zone_name: str = Field(alias="zone-name")


class Renamed(BaseModel):
    model_config = ConfigDict(extra="allow")

    max_size: int = Field(alias="max-size")
    region: Region
    colour: str = Field("red", validation_alias="color")


def test_inputs_with_aliases_and_extra_fields_survive_the_store() -> None:
    workflow = Workflow("resize", inputs=Renamed)
    given: dict[str, Any] = {"max-size": 3, "region": {"zone-name": "eu"}, "color": "blue", "more": [1]}

    stored = workflow.stored_inputs(given)

    assert stored == given
    assert workflow.loaded_inputs(stored) == Renamed.model_validate(given)


def test_stored_inputs_that_the_model_no_longer_takes_are_told_by_field() -> None:
    with pytest.raises(InvalidInputsError) as refused:
        Workflow("deploy", inputs=DeployInputs).loaded_inputs({"environment": "prod"})

    assert refused.value.fields == {"env": "Field required"}


class Loose(BaseModel):
    plan: Any


@pytest.mark.parametrize("inputs", [None, Loose])
def test_a_step_that_changes_its_inputs_changes_nothing_of_its_run(inputs: type[BaseModel] | None) -> None:
    workflow = Workflow("deploy", inputs=inputs)
    stored: dict[str, JsonValue] = {"plan": ["a"]}

    loaded = workflow.loaded_inputs(stored)
    (loaded["plan"] if inputs is None else loaded.plan).append("b")

    assert stored == {"plan": ["a"]}
