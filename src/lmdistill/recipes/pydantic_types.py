"""Type hints of configuration dataclasses as types that pydantic validates strictly.

The dataclasses remain the single source of fields, defaults and range checks. Pydantic checks the keys and
the types of a table; the class itself then builds the object.
"""

import dataclasses
import functools
import operator
import types
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    GetCoreSchemaHandler,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationError,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from lmdistill.core.errors import ConfigError, LmdistillError, UnknownNameError
from lmdistill.recipes.custom_classes import UnloadedClass, class_from_file, refused_class, require_interface
from lmdistill.recipes.registry import REGISTRY, name_of
from lmdistill.recipes.schema_errors import TAG, Refusal, joined, union_refusal
from lmdistill.recipes.strict_types import STRICT

Handler = Callable[[Any], Any]
"""The rest of pydantic's validation, as a validator that wraps it sees it."""

FROM_FILE, READY = f"{TAG}path.py:Class", f"{TAG}object"
"""Tags of a class in a user's file, and of an object that needs no parsing."""


def validator(hint: Any) -> Callable[..., Any]:
    """The function that makes an object of a type, or raises pydantic's `ValidationError`.

    Its `context` may hold `code`, as `parse` has it.
    """
    adapter = TypeAdapter(pydantic_type(hint), config=ConfigDict(arbitrary_types_allowed=True))
    return adapter.validate_python


def pydantic_type(hint: Any, default: Any = None) -> Any:
    """The type that pydantic validates in place of `hint`.

    A dataclass becomes a table of its fields, an interface of the registry a union discriminated by `name`.

    Args:
        hint: Type of a field.
        default: Value of the field where a recipe leaves it out. A table that names some fields of a
            dataclass leaves the others as they are in `default`.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint in REGISTRY:
        return _named(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return Annotated[Any, Table(cls=hint, default=default if isinstance(default, hint) else None)]
    if hint in STRICT:
        return Annotated[hint, STRICT[hint]]
    if origin is Literal:
        return Annotated[hint, WrapValidator(functools.partial(_choice, inner))]
    if origin in (types.UnionType, Union):
        return _union(inner, default)
    if isinstance(origin, type) and issubclass(origin, Collection):
        return cast(Any, origin)[tuple(pydantic_type(part) for part in inner)]
    return hint


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Pydantic annotation of a dataclass: an instance, or a table of its fields."""

    cls: type
    """Class of the instance; its fields are the keys of the table."""

    default: Any
    """The instance that fills in what a table leaves out; None for the defaults of the class."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of the fields; this class then checks the keys and builds the object."""
        hints = get_type_hints(self.cls)
        fields = {
            field.name: core_schema.typed_dict_field(
                handler.generate_schema(pydantic_type(hints[field.name], self._default_of(field))),
                required=self.default is None and _is_required(field),
            )
            for field in dataclasses.fields(self.cls)
            if field.init
        }
        build = functools.partial(self._build, tuple(fields))
        return core_schema.no_info_wrap_validator_function(build, core_schema.typed_dict_schema(fields))

    def _default_of(self, field: "dataclasses.Field[Any]") -> Any:
        """The value of a field that is left out; None if it must not be."""
        if self.default is not None:
            return getattr(self.default, field.name)
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        return None if field.default is dataclasses.MISSING else field.default

    def _build(self, known: tuple[str, ...], value: Any, handler: Handler) -> Any:
        """The object of a table, or the object itself."""
        if isinstance(value, self.cls):
            return value
        if not isinstance(value, Mapping):
            raise PydanticKnownError("dict_type")
        table = dict(value)
        if "name" not in known and "name" in table and table["name"] == name_of(self.cls):
            del table["name"]  # `plain` writes it where the class is known from the field as well
        for key in table:
            if key not in known:
                raise _unknown_key(key, known)
        given = handler(table)
        try:
            return self.cls(**given) if self.default is None else dataclasses.replace(self.default, **given)
        except LmdistillError as error:
            raise ValueError(str(error)) from None  # pydantic adds the path to each ValueError


def _is_required(field: "dataclasses.Field[Any]") -> bool:
    """Whether a field has no default."""
    return field.default is field.default_factory is dataclasses.MISSING


def _unknown_key(key: Any, known: Collection[str]) -> Refusal:
    """The error for a key that is no field."""
    return Refusal(lambda where: UnknownNameError(f"setting of {where or 'a recipe'}", str(key), known))


def _named(interface: Any) -> Any:
    """The union of all implementations of an interface, discriminated by `name`."""
    options: list[Any] = [
        Annotated[Any, Table(cls=cls, default=None), Tag(f"{TAG}{name}")]
        for name, cls in REGISTRY[interface].classes.items()
    ]
    from_file = PlainValidator(functools.partial(_from_file, interface))
    options += [Annotated[Any, from_file, Tag(FROM_FILE)], Annotated[Any, Tag(READY)]]
    require_name = BeforeValidator(functools.partial(_require_name, interface))
    return Annotated[functools.reduce(operator.or_, options), Discriminator(_tag), require_name]


def _tag(value: Any) -> str:
    """The option of a discriminated union that fits a value with a valid name."""
    if not isinstance(value, Mapping):
        return READY
    name = str(value["name"])
    return FROM_FILE if ":" in name else f"{TAG}{name}"


def _require_name(interface: Any, value: Any) -> Any:
    """Refuse a table without the name of an implementation, and an object that is none."""
    registered = REGISTRY[interface]
    kind, classes = registered.kind, registered.classes
    if not isinstance(value, Mapping):
        if not isinstance(value, (interface, UnloadedClass, *classes.values())):
            raise PydanticKnownError("dict_type")
        return value
    name = value.get("name")
    if name is None:
        known = ", ".join(sorted(classes))
        raise Refusal(
            lambda where: ConfigError(f"{joined(where, 'name')} is missing. Known {kind}s: {known}.")
        )
    if ":" not in str(name) and str(name) not in classes:
        raise Refusal(lambda where: UnknownNameError(kind, str(name), classes))
    return value


def _from_file(interface: Any, value: Mapping[str, Any], info: Any) -> Any:
    """An object of a class in the user's own file, if the validation context (`info.context`) allows it."""
    name, code = str(value["name"]), (info.context or {}).get("code", "refuse")
    settings = {key: item for key, item in value.items() if key != "name"}
    if code == "name":
        return UnloadedClass(name=name, settings=settings)
    if code != "run":
        raise refused_class(name)
    built = validator(class_from_file(name))(settings, context=info.context)
    require_interface(built, REGISTRY[interface].interface, name)
    return built


def _choice(options: tuple[Any, ...], value: Any, handler: Handler) -> Any:
    """One of the values of a `Literal`."""
    try:
        return handler(value)
    except ValidationError:
        pass
    raise Refusal(lambda where: UnknownNameError(f"choice for {where}", str(value), map(str, options)))


def _union(options: tuple[Any, ...], default: Any) -> Any:
    """A union; if it has several options apart from None, its errors are summed up in one."""
    several = len(set(options) - {types.NoneType}) > 1
    union = functools.reduce(
        operator.or_,
        (one if several and get_origin(one) is Literal else pydantic_type(one, default) for one in options),
    )
    return Annotated[union, WrapValidator(_summed_up)] if several else union


def _summed_up(value: Any, handler: Handler) -> Any:
    """The value of a union."""
    try:
        return handler(value)
    except ValidationError as error:
        refusal = union_refusal(error, value)
    raise refusal
