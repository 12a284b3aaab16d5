"""Forms: what a pydantic model becomes, and that the stored form validates as the model does."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import (
    BaseModel,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)

from spectra_bot import FieldKind, Form, FormField, InvalidAnswerError, InvalidRequestError
from spectra_bot.forms import FREE_FORM


class Env(Enum):
    STAGING = "staging"
    PROD = "prod"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Rollout(BaseModel):
    """Loaded here, so it validates itself."""

    env: Env = Env.STAGING
    replicas: Annotated[int, Field(ge=1, le=10, description="How many at once")]
    share: float = 0.5
    urgent: bool = False
    paths: list[str] = Field(default_factory=list)
    note: str | None = Field(None, title="A word", json_schema_extra={"multiline": True})

    @field_validator("paths")
    @classmethod
    def _no_absolute_paths(cls, paths: list[str]) -> list[str]:
        if any(path.startswith("/") for path in paths):
            raise ValueError("paths start below the folder")
        return paths

    @model_validator(mode="after")
    def _prod_is_never_urgent(self) -> Rollout:
        if self.urgent and self.env is Env.PROD:
            raise ValueError("prod is never urgent")
        return self


def unloaded(form: Form) -> Form:
    """The form as a process holds it that has not imported the model."""
    return Form.model_validate_json(form.model_copy(update={"model": "nowhere:Gone"}).model_dump_json())


def test_a_model_becomes_fields_that_any_surface_can_draw() -> None:
    form = Form.of(Rollout)

    assert form.fields == (
        FormField(
            name="env",
            label="Env",
            kind=FieldKind.TEXT,
            required=False,
            default="staging",
            choices=("staging", "prod"),
        ),
        FormField(
            name="replicas",
            label="Replicas",
            kind=FieldKind.INTEGER,
            help="How many at once",
            limits={"ge": 1, "le": 10},
        ),
        FormField(name="share", label="Share", kind=FieldKind.NUMBER, required=False, default=0.5),
        FormField(name="urgent", label="Urgent", kind=FieldKind.BOOLEAN, required=False, default=False),
        FormField(name="paths", label="Paths", kind=FieldKind.LIST, required=False, default=[]),
        FormField(name="note", label="A word", kind=FieldKind.TEXT, required=False, nullable=True, multiline=True),
    )


def test_a_form_comes_back_equal_from_its_json_and_still_finds_its_model() -> None:
    form = Form.model_validate_json(Form.of(Rollout).model_dump_json())

    assert form == Form.of(Rollout)
    with pytest.raises(InvalidAnswerError) as refused:
        form.validated({"replicas": 1, "paths": ["/etc"]})
    assert refused.value.fields == {"paths": "paths start below the folder"}


def test_what_only_the_model_knows_is_not_checked_where_it_is_not_loaded() -> None:
    form = unloaded(Form.of(Rollout))

    assert form.validated({"replicas": 1, "paths": ["/etc"]})["paths"] == ["/etc"]


def test_a_problem_of_the_form_as_a_whole_names_no_field() -> None:
    with pytest.raises(InvalidAnswerError) as refused:
        Form.of(Rollout).validated({"replicas": 1, "env": "prod", "urgent": True})

    assert refused.value.fields == {"": "prod is never urgent"}


def test_each_wrong_field_is_told_with_its_problem() -> None:
    with pytest.raises(InvalidAnswerError) as refused:
        unloaded(Form.of(Rollout)).validated({"replicas": 0, "urgent": "perhaps", "paths": ["a", 1], "envy": "prod"})

    assert refused.value.fields == {
        "replicas": "Input should be greater than or equal to 1",
        "urgent": "Input should be a valid boolean, unable to interpret input",
        "paths": "[1]: Input should be a valid string",
        "envy": "the form has no such field",
    }


KINDS: list[tuple[Any, list[JsonValue]]] = [
    (str, ["a", "", 3, None]),
    (Annotated[str, Field(min_length=2, max_length=3)], ["a", "ab", "abcd"]),
    (Annotated[str, Field(pattern=r"^v\d+$")], ["v1", "1"]),
    (int, [3, "3", 3.5, "x", True, None]),
    (Annotated[int, Field(gt=0, lt=10, multiple_of=3)], [0, 3, 4, 9, 12]),
    (float, [1.5, "1.5", 2, "x"]),
    (Annotated[float, Field(ge=0.5, le=1.5)], [0.4, 0.5, 1.6]),
    (bool, [True, "yes", "no", "perhaps", 1, 2]),
    (list[str], [[], ["a"], [1], "a", None]),
    (list[int], [[1, "2"], ["x"]]),
    (list[float], [[1.5], ["x"]]),
    (list[bool], [["yes"], ["x"]]),
    (Annotated[list[str], Field(min_length=1, max_length=2)], [[], ["a"], ["a", "b", "c"]]),
    (list[Annotated[int, Field(ge=1)]], [[1], [1, 0]]),
    (list[Annotated[str, Field(pattern="^a", max_length=2)]], [["a"], ["b"], ["aaa"]]),
    (Env, ["prod", "moon"]),
    (Size, [1, 2, 3]),
    (Literal["a", "b"], ["a", "c"]),
    (Literal["only"], ["only", "other"]),
    (Literal[1, 2], [1, 3]),
    (list[Env], [["prod"], ["moon"]]),
    (list[Literal["a", "b"]], [[], ["a", "b"], ["c"]]),
    (Optional[int], [1, None, "x"]),  # noqa: UP045  as it is still written
    (Annotated[str, Field(min_length=2)] | None, ["ab", "a", None]),
    (Env | None, ["prod", None, "moon"]),
    (list[str] | None, [["a"], None, "a"]),
]
DEFAULTS: list[tuple[Any, Any]] = [
    (str, "a"),
    (int, 3),
    (int | None, None),
    (int | None, 4),
    (Env, Env.PROD),
    (list[str], ["a"]),
    (list[str], Field(default_factory=list)),
    (Annotated[list[str], Field(min_length=1)], Field(default_factory=list)),
]


def told_by_the_model(model: type[BaseModel], data: dict[str, JsonValue]) -> JsonValue:
    try:
        return model.model_validate(data).model_dump(mode="json")
    except ValidationError as error:
        return [item["msg"] for item in error.errors()]


def told_by_the_form(form: Form, data: dict[str, JsonValue]) -> JsonValue:
    try:
        return form.validated(data)
    except InvalidAnswerError as error:
        return [problem.rpartition("]: ")[2] for problem in error.fields.values()]


@pytest.mark.parametrize(("kind", "values"), KINDS)
def test_the_stored_form_validates_as_the_model_does(kind: Any, values: list[JsonValue]) -> None:
    model = create_model("Sent", field=(kind, ...))
    form = unloaded(Form.of(model))
    sent: list[dict[str, JsonValue]] = [{}, *({"field": value} for value in values)]

    told = [told_by_the_form(form, data) for data in sent]

    assert told == [told_by_the_model(model, data) for data in sent]


@pytest.mark.parametrize(("kind", "default"), DEFAULTS)
def test_the_stored_form_fills_in_the_models_defaults(kind: Any, default: Any) -> None:
    model = create_model("Sent", field=(kind, default))
    form = unloaded(Form.of(model))
    sent: list[dict[str, JsonValue]] = [{}, {"field": None}]

    told = [told_by_the_form(form, data) for data in sent]

    assert told == [told_by_the_model(model, data) for data in sent]


def test_a_chosen_number_may_come_as_the_text_that_was_shown() -> None:
    class Choice(BaseModel):
        size: Literal[1, 2]
        sizes: list[Literal[1, 2]] = []

    form = Form.of(Choice)

    assert form.fields[0].choices == ("1", "2")
    for one in (form, unloaded(form)):
        assert one.validated({"size": "2", "sizes": ["1", 2]}) == {"size": 2, "sizes": [1, 2]}


class Nested(BaseModel):
    inner: Rollout


@pytest.mark.parametrize(
    "kind",
    [
        Rollout,
        Nested,
        dict,
        dict[str, int],
        Any,
        int | str,
        Decimal,
        bytes,
        date,
        datetime,
        SecretStr,
        set[str],
        tuple[str, int],
        list,
        list[Any],
        list[list[str]],
        list[Rollout],
        list[int | None],
        list[date],
        Literal["a", 1],
        Literal[True],
        None,
    ],
)
def test_a_field_that_no_form_holds_is_refused_by_its_name(kind: Any) -> None:
    model = create_model("Sent", fine=(str, ...), odd=(kind, ...))

    with pytest.raises(
        InvalidRequestError, match="form Sent, field 'odd': a form holds text, number, boolean and list"
    ):
        Form.of(model)


def test_a_model_without_fields_is_no_form() -> None:
    with pytest.raises(InvalidRequestError, match="form Empty has no fields"):
        Form.of(create_model("Empty"))


@pytest.mark.parametrize("typed", ["nan", "inf", "-Infinity"])
def test_a_number_without_end_is_refused_before_it_is_stored(typed: str) -> None:
    form = Form.of(Rollout)

    for one in (form, unloaded(form)):
        with pytest.raises(InvalidAnswerError) as refused:
            one.validated({"replicas": 1, "share": typed})
        assert refused.value.fields == {"share": "Input should be a finite number"}


def test_what_was_validated_validates_again() -> None:
    for form in (Form.of(Rollout), Form.of(Renamed), unloaded(Form.of(Rollout)), unloaded(Form.of(Renamed))):
        sent: dict[str, JsonValue] = {"replicas": "3"} if len(form.fields) > 1 else {"max-size": "3"}
        once = form.validated(sent)

        assert form.validated(once) == once


class Renamed(BaseModel):
    size: Annotated[int, Field(alias="max-size")]

    @computed_field
    def doubled(self) -> int:
        return self.size * 2


def test_a_field_goes_by_its_alias_where_it_has_one() -> None:
    form = Form.of(Renamed)

    assert [field.name for field in form.fields] == ["max-size"]
    for one in (form, unloaded(form)):
        assert one.validated({"max-size": 3}) == {"max-size": 3}


@pytest.mark.parametrize(
    "name", ["copy", "schema", "json", "model_dump", "_private", "__config__", "class", "two words"]
)
def test_a_field_may_be_called_anything(name: str) -> None:
    form = Form(fields=(FormField(name=name, label="x", kind=FieldKind.TEXT),))

    assert form.validated({name: "a"}) == {name: "a"}


def test_notes_may_stand_beside_a_forms_fields_and_are_not_one_of_them() -> None:
    form = Form.of(Rollout)

    for one in (form, unloaded(form)):
        assert "notes" not in one.validated({"replicas": 1, "notes": "careful"})


def test_a_field_named_notes_is_the_forms_own() -> None:
    class Remark(BaseModel):
        notes: str

    assert Form.of(Remark).validated({"notes": "careful"}) == {"notes": "careful"}


def test_a_free_form_takes_anything() -> None:
    assert FREE_FORM.validated({"notes": "less", "any": [1]}) == {"notes": "less", "any": [1]}


def test_a_form_whose_model_is_none_any_more_validates_by_its_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form.of(Rollout)
    monkeypatch.setitem(globals(), "Rollout", Nested)

    assert form.validated({"replicas": "2", "paths": ["/etc"]})["paths"] == ["/etc"]


def test_a_form_whose_model_changed_validates_as_it_was_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    form = Form.of(Rollout)
    monkeypatch.setitem(globals(), "Rollout", create_model("Rollout", replicas=(str, ...)))

    assert form.validated({"replicas": "2"})["replicas"] == 2


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        (FieldKind.TEXT, " as it is \n", " as it is \n"),
        (FieldKind.INTEGER, " 3 ", "3"),
        (FieldKind.BOOLEAN, " yes ", "yes"),
        (FieldKind.LIST, "a, b ,,c", ["a", "b", "c"]),
        (FieldKind.LIST, "a, b\n c \n\n", ["a, b", "c"]),
        (FieldKind.LIST, "  ", []),
    ],
)
def test_what_a_person_typed_becomes_the_fields_value(kind: FieldKind, typed: str, value: JsonValue) -> None:
    assert FormField(name="x", label="X", kind=kind).parse(typed) == value
