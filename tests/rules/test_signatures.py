"""The keywords of `Studio`'s ordering methods: in the signatures, in `help()`, and in the typed protocols."""

import inspect
import pydoc

import pytest

from zooop_nb import Studio, signatures
from zooop_nb.orders.request import OPTION_HELP, OrderOptions, SpendingOptions
from zooop_nb.verbs import GENERATION_VERBS, VERBS

OPTIONS = set(OrderOptions.__annotations__)
RECIPE_OPTIONS = OPTIONS - {"model", "version", "best", "cheap"}
METHODS = [*GENERATION_VERBS, "start", "start_all", "batch", "tool", "template", "again", "quote"]


def keywords(call: object) -> set[str]:
    """The keyword-only parameters of a callable or of a protocol's `__call__`."""
    parameters = inspect.signature(call).parameters.values()  # type: ignore[arg-type]
    return {each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY}


def test_each_option_has_its_meaning() -> None:
    assert set(OPTION_HELP) == OPTIONS
    assert set(SpendingOptions.__annotations__) < OPTIONS
    assert all(OPTION_HELP.values())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_shows_each_keyword_and_takes_params_of_the_model(name: str) -> None:
    method = getattr(Studio(token="zpk_test_x", host="http://127.0.0.1:9"), name)
    assert keywords(method) - {"slug"} == OPTIONS
    assert "model_params" in inspect.signature(method).parameters
    shown = pydoc.render_doc(method)
    for option, meaning in OPTION_HELP.items():
        assert f"{option}: {meaning}" in shown


@pytest.mark.parametrize("verb", GENERATION_VERBS)
def test_a_verb_is_documented_by_its_line_in_the_table(verb: str) -> None:
    assert VERBS[verb].summary in (getattr(Studio, verb).__doc__ or "")
    assert getattr(Studio(token="zpk_test_x", host="http://127.0.0.1:9"), verb).__name__ == verb


@pytest.mark.parametrize(
    ("protocol", "options"),
    [
        (signatures.VerbCall, OPTIONS),
        (signatures.StartCall, OPTIONS | {"slug"}),
        (signatures.BatchCall, OPTIONS),
        (signatures.RecipeCall, RECIPE_OPTIONS),
        (signatures.ChangesCall, OPTIONS - {"best", "cheap"}),
    ],
)
def test_the_protocol_that_type_checkers_read_has_the_same_keywords(
    protocol: type, options: set[str]
) -> None:
    spelt = _calls(protocol)
    assert spelt
    assert all(each == options for each in spelt)


def _calls(protocol: type) -> list[set[str]]:
    import ast
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(protocol)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "__call__"]
    return [{each.arg for each in call.args.kwonlyargs} for call in calls]
