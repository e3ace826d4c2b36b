"""`Secret[str]`: a field that is sealed at rest and shown nowhere."""

from typing import Any, Generic, NoReturn, Self, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")
MASK = "••••••"


class Secret(Generic[T]):
    """A value that prints as a mask. `reveal()` gives the value. Stored sealed (see penstock.sealing).

    Serialised in any other context it is the mask, and it cannot be pickled: it does not leave in plain by accident.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value in plain."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; pass a reference to it, or reveal() it on purpose")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler.generate_schema(get_args(source)[0] if get_args(source) else str)
        return core_schema.no_info_wrap_validator_function(
            lambda value, validate: value if isinstance(value, Secret) else cls(validate(value)),
            inner,
            serialization=core_schema.plain_serializer_function_ser_schema(_serialise, info_arg=True),
        )


def _serialise(secret: "Secret[Any]", info: SerializationInfo) -> Any:
    if info.context == REVEAL:
        return {SEALED: secret.reveal()}
    return MASK


REVEAL = {"penstock": "seal"}
"""The serialisation context under which a secret's value is handed to the sealer (and to nobody else)."""
SEALED = "penstock:secret"
"""The key that marks a secret in JSON on its way to and from the sealer."""


def masked(value: Any) -> Any:
    """Stored data (plain JSON values) with a mask in place of every sealed secret."""
    if isinstance(value, dict):
        return MASK if value.keys() == {SEALED} else {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value
