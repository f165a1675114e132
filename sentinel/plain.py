"""`dataclass` as the standard library has it, for a fraction of its cost at import: code is made when it is used.

The standard one executes generated source for each class, and imports `inspect`: a fifth of what a short command
takes. Here `__init__` is generated at the first instance; comparison and representation are plain closures. Always
with slots; `frozen` and `field(default_factory=…)` as usual.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")
_MISSING: Any = object()


class _Field:
    __slots__ = ("default", "factory")

    def __init__(self, default: Any, factory: Any) -> None:
        self.default = default
        self.factory = factory


def field(*, default: Any = _MISSING, default_factory: Callable[[], Any] | None = None) -> Any:
    return _Field(default, default_factory)


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, slots: bool = True, frozen: bool = False) -> Callable[[type[T]], type[T]]:
    def wrap(cls: type[T]) -> type[T]:
        return _made(cls, frozen)

    return wrap


def _made(cls: type[T], frozen: bool) -> type[T]:
    space = dict(cls.__dict__)
    names = tuple(cls.__annotations__)  # not from the namespace, where Python 3.14 no longer has them
    given = {name: space.pop(name) for name in names if name in space}
    space.pop("__dict__", None)
    space.pop("__weakref__", None)
    space.update(__slots__=names, __match_args__=names, __qualname__=cls.__qualname__)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        made.__init__ = _initialiser(names, given, frozen)
        made.__init__(self, *args, **kwargs)

    def __eq__(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def __repr__(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    space.update(__init__=__init__, __eq__=__eq__, __repr__=__repr__, __hash__=None)
    if frozen:

        def __hash__(self: Any) -> int:
            return hash(tuple(getattr(self, name) for name in names))

        def __setattr__(self: Any, name: str, value: Any) -> None:
            raise AttributeError(f"cannot assign to field {name!r}")

        space.update(__hash__=__hash__, __setattr__=__setattr__)
    made: Any = type(cls)(cls.__name__, cls.__bases__, space)  # type: ignore[misc]
    return cast("type[T]", made)


def _initialiser(names: tuple[str, ...], given: dict[str, Any], frozen: bool) -> Any:
    scope: dict[str, Any] = {"_MISSING": _MISSING, "_set": object.__setattr__}
    parameters, body = [], []
    for name in names:
        default = given.get(name, _MISSING)
        value = name
        if isinstance(default, _Field):
            if default.factory is not None:
                scope[f"_f_{name}"] = default.factory
                value = f"_f_{name}() if {name} is _MISSING else {name}"
                default = _MISSING
                parameters.append(f"{name}=_MISSING")
            else:
                default = default.default
        if value == name and default is not _MISSING:
            scope[f"_d_{name}"] = default
            parameters.append(f"{name}=_d_{name}")
        elif value == name:
            parameters.append(name)
        body.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
    exec(f"def __init__(self, {', '.join(parameters)}):\n" + "\n".join(body or [" pass"]), scope)
    return scope["__init__"]


def asdict(thing: Any) -> dict[str, Any]:
    """Its fields; unlike the standard one's, values are not copied."""
    return {name: getattr(thing, name) for name in thing.__match_args__}


def copied(one: T) -> T:
    """Another object with the same fields, not copied themselves."""
    other = object.__new__(one.__class__)
    for name in one.__class__.__slots__:  # type: ignore[attr-defined]
        object.__setattr__(other, name, getattr(one, name))
    return other
