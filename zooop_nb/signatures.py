"""The signatures of `Studio`'s ordering methods: explicit keywords for editors, type checkers and `help()`.

Type checkers read the protocols. They spell out the keywords of `OrderOptions` because the params of a model
are keywords too, and a TypedDict with further items (PEP 728) is not supported by mypy yet. At run time
`inspect.signature` and the docstrings come from the same table, `OPTION_HELP`.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeVar, cast, overload

from zooop_nb.contract.credits import Number
from zooop_nb.orders.request import OPTION_HELP, OrderOptions, OrderRequest, SpendingOptions, read_call
from zooop_nb.results.values import Gallery, Result
from zooop_nb.tasks.task import Tasks
from zooop_nb.verbs import VERBS

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class VerbCall(Protocol):
    """`studio.image("a red panda", aspect_ratio="16:9")`."""

    @overload
    def __call__(
        self,
        words: str = "",
        *,
        count: Literal[1] = 1,
        model: str | None = None,
        version: str | None = None,
        best: bool = False,
        cheap: bool = False,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Result: ...

    @overload
    def __call__(
        self,
        words: str = "",
        *,
        count: int,
        model: str | None = None,
        version: str | None = None,
        best: bool = False,
        cheap: bool = False,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Result | Gallery: ...


class StartCall(Protocol[R_co]):
    """`studio.start("image", "a red panda")`."""

    def __call__(
        self,
        verb: str,
        words: str = "",
        /,
        *,
        slug: str | None = None,
        model: str | None = None,
        version: str | None = None,
        count: int = 1,
        best: bool = False,
        cheap: bool = False,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> R_co: ...


class BatchCall(Protocol):
    """`studio.batch("image", ["a panda", "a fox"])`."""

    def __call__(
        self,
        verb: str,
        prompts: Sequence[str],
        /,
        *,
        model: str | None = None,
        version: str | None = None,
        count: int = 1,
        best: bool = False,
        cheap: bool = False,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Gallery: ...


class RecipeCall(Protocol):
    """`studio.tool("background-removal", image_url=...)`."""

    @overload
    def __call__(
        self,
        slug: str,
        words: str = "",
        /,
        *,
        count: Literal[1] = 1,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Result: ...

    @overload
    def __call__(
        self,
        slug: str,
        words: str = "",
        /,
        *,
        count: int,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Result | Gallery: ...


class ChangesCall(Protocol):
    """`studio.again(quality="medium")`."""

    @overload
    def __call__(
        self,
        *,
        count: Literal[1] = 1,
        model: str | None = None,
        version: str | None = None,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Result: ...

    @overload
    def __call__(
        self,
        *,
        count: int,
        model: str | None = None,
        version: str | None = None,
        tags: str | Sequence[str] = (),
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        params: Mapping[str, object] | None = None,
        **model_params: object,
    ) -> Result | Gallery: ...


class PlacesOrders(Protocol):
    """What a verb needs of its `Studio`."""

    def order_all(self, requests: Sequence[OrderRequest], spending: SpendingOptions) -> Tasks:
        """Place the orders and return their tasks."""
        ...


class VerbMethod:
    """A verb as a method of `Studio`: `image = VerbMethod()` is the verb `image` of the table."""

    def __set_name__(self, owner: type, name: str) -> None:
        # No more than this: before Python 3.12, an interrupt in here becomes a RuntimeError.
        self._owner, self._name = owner, name
        self.__doc__ = VERBS[name].summary

    @functools.cached_property
    def _method(self) -> Callable[..., Result | Gallery]:
        owner, name = self._owner, self._name

        def method(studio: "PlacesOrders", words: str = "", **options: Any) -> Result | Gallery:
            request, spending = read_call(name, words, options)
            return studio.order_all([request], spending).single_or_gallery()

        method.__module__, method.__name__ = owner.__module__, name
        method.__qualname__ = f"{owner.__qualname__}.{name}"
        method.__doc__ = (
            f"{self.__doc__}\n\nQuotes, confirms, submits and waits: a `Result`, or with `count` a "
            "`Gallery`. `words` go to the model's prompt-like param."
        )
        return cast("Callable[..., Result | Gallery]", _with_options(method))

    @overload
    def __get__(self, studio: None, owner: type) -> Callable[..., Result | Gallery]: ...

    @overload
    def __get__(self, studio: "PlacesOrders", owner: type) -> VerbCall: ...

    def __get__(
        self, studio: "PlacesOrders | None", owner: type
    ) -> Callable[..., Result | Gallery] | VerbCall:
        return self._method if studio is None else cast("VerbCall", self._method.__get__(studio, owner))


def takes_verb(method: Callable[..., R]) -> StartCall[R]:
    """Declare the keywords of a method that takes a verb and words."""
    return cast("StartCall[R]", _with_options(method))


def takes_slug(method: Callable[..., Result | Gallery]) -> RecipeCall:
    """Declare the keywords of a method that takes the slug of a tool or template."""
    return cast("RecipeCall", _with_options(method))


def takes_prompts(method: Callable[..., Gallery]) -> BatchCall:
    """Declare the keywords of a method that takes a verb and prompts."""
    return cast("BatchCall", _with_options(method))


def takes_changes(method: Callable[..., Result | Gallery]) -> ChangesCall:
    """Declare the keywords of a method that takes changes to an earlier order."""
    return cast("ChangesCall", _with_options(method))


_DEFAULTS: Final[Mapping[str, object]] = {
    "model": None,
    "version": None,
    "count": 1,
    "best": False,
    "cheap": False,
    "tags": (),
    "yes": False,
    "ask": False,
    "budget": None,
    "fresh": False,
    "params": None,
}


def _with_options(method: Callable[..., Any]) -> Any:
    """Return the method with the keywords of `OrderOptions` in its signature and docstring."""

    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        return method(*args, **options)

    own = [
        each
        for each in inspect.signature(method).parameters.values()
        if each.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    types = OrderOptions.__annotations__
    options = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=types[name]
        )
        for name in OPTION_HELP
    ]
    rest = inspect.Parameter("model_params", inspect.Parameter.VAR_KEYWORD, annotation=object)
    signature = inspect.signature(method)
    call.__signature__ = signature.replace(parameters=[*own, *options, rest])  # type: ignore[attr-defined]
    listed = "\n".join(f"    {name}: {text}" for name, text in OPTION_HELP.items())
    documented = inspect.cleandoc(method.__doc__ or "")
    call.__doc__ = f"{documented}\n\nKeywords:\n{listed}\n    any other: a param of the model"
    return call
