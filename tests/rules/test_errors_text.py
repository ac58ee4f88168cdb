"""Every remedy has a text for the magics and one for Python, and every `raise` passes the values it needs."""

import ast
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import zooop_nb
from zooop_nb.errors import (
    Action,
    ConfirmationNeeded,
    DailyCapReached,
    DownloadFailed,
    InsufficientCredits,
    MissingKey,
    ModerationBlocked,
    Remedy,
    UnknownName,
    ZooopError,
    remedy,
)
from zooop_nb.notebook.errors_text import WORDS, error_text, message_lines, set_key_lines

SAMPLES: Mapping[str, str] = {
    "package": "zooop-nb[lab]",
    "nearest": "Flux 2 Pro or Flux 2 Flash",
    "verb": "image",
    "params": "prompt, quality",
    "seconds": "7",
    "host": "https://api.zooop.ai",
    "order": "0198c0de",
    "path": "/home/me/ledger.sqlite",
    "variable": "ZOOOP_NB_HOME",
}


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def remedies_in(source: str) -> Iterator[tuple[Action, set[str] | None]]:
    """Yield the action of each `remedy(Action.X, name=...)` call in a module, and the names of its values.

    The names are None if `**` hides them.
    """
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "remedy"):
            continue
        first = node.args[0] if node.args else None
        if (
            isinstance(first, ast.Attribute)
            and isinstance(first.value, ast.Name)
            and first.value.id == "Action"
        ):
            names = {each.arg for each in node.keywords if each.arg}
            yield Action[first.attr], names if len(names) == len(node.keywords) else None


def created() -> list[tuple[str, Action, set[str] | None]]:
    package = Path(zooop_nb.__file__).parent
    return [
        (file.relative_to(package).as_posix(), do, names)
        for file in sorted(package.rglob("*.py"))
        for do, names in remedies_in(file.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("do", list(Action))
def test_every_remedy_has_words_in_both_faces(do: Action) -> None:
    values = {name: SAMPLES[name] for name in fields(WORDS[do])}
    error = ZooopError("What happened.", remedies=[Remedy(do, SAMPLES)])
    python, notebook = str(error), " ".join(message_lines(error))
    for said in (python, notebook):
        assert said.startswith("What happened. ")
        assert "{" not in said
    for value in values.values():
        assert value in notebook
        assert value in python
    assert "`" not in notebook
    assert "studio." not in notebook


def test_whoever_raises_gives_the_values_that_the_words_need() -> None:
    found = created()
    assert len(found) > 10
    for file, do, names in found:
        if names is not None:
            assert fields(WORDS[do]) <= names, f"{file}: remedy(Action.{do.name}, ...) lacks a value"
            said = Remedy(do, {name: f"<{name}>" for name in names})
            # Formatting the text for Python raises KeyError if a value is missing.
            assert all(f"<{name}>" in str(ZooopError("", remedies=[said])) for name in fields(WORDS[do]))


def test_the_check_on_those_who_raise_sees_a_value_that_is_missing() -> None:
    assert list(remedies_in("remedy(Action.RESUME, task='x')")) == [(Action.RESUME, {"task"})]
    assert list(remedies_in("remedy(Action.WAIT, **values)")) == [(Action.WAIT, None)]


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (
            UnknownName(
                "model", "fluxx", nearest=["Flux 2 Pro"], remedies=[remedy(Action.LIST_MODELS, verb="image")]
            ),
            ["There is no model “fluxx”.", "Did you mean Flux 2 Pro?", "%zooop models image lists them."],
        ),
        (
            ConfirmationNeeded("3 tasks for 24 credits need a yes.", remedies=[remedy(Action.SAY_YES)]),
            ["3 tasks for 24 credits need a yes.", "Add --yes to go ahead."],
        ),
        (
            DownloadFailed("The task is paid.", order_id="o1", remedies=[remedy(Action.RESUME, order="o1")]),
            ["The task is paid.", "Nothing is lost: %zooop resume o1 picks it up."],
        ),
    ],
)
def test_an_error_says_what_happened_and_then_what_to_type(error: ZooopError, lines: list[str]) -> None:
    assert message_lines(error) == lines
    assert error_text(error, ansi=False) == lines
    assert error_text(error) == [f"\x1b[31m{lines[0]}\x1b[0m", *lines[1:]]


def test_without_a_key_the_lines_lead_to_one_and_to_the_sandbox() -> None:
    remedies = [remedy(Action.CREATE_TOKEN), remedy(Action.SET_KEY), remedy(Action.TRY_SANDBOX)]
    text = "\n".join(message_lines(MissingKey("There is no ZOOOP API key.", remedies=remedies)))
    for said in (
        "https://zooop.ai/user#apiKeys",
        "daily credit cap",
        "in your own terminal, not in the notebook",
        "restart Jupyter",
        "%zooop sandbox",
    ):
        assert said in text
    for line in set_key_lines():
        assert line.replace("`", "") in text


@pytest.mark.parametrize(
    ("platform", "commands"),
    [
        ("linux", ["echo 'export ZOOOP_API_KEY=zpk_live_…' >> ~/.zshrc && source ~/.zshrc"]),
        ("darwin", ["echo 'export ZOOOP_API_KEY=zpk_live_…' >> ~/.zshrc && source ~/.zshrc"]),
        (
            "win32",
            [
                "[Environment]::SetEnvironmentVariable('ZOOOP_API_KEY','zpk_live_…','User')",
                'setx ZOOOP_API_KEY "zpk_live_…"',
            ],
        ),
    ],
)
def test_the_variable_is_set_by_the_guides_line_for_this_system(platform: str, commands: list[str]) -> None:
    text = "\n".join(set_key_lines(platform))
    for command in commands:
        assert f"`{command}`" in text
    assert ("~/.bashrc" in text) is (platform == "linux")


def test_what_the_envelope_carried_is_said() -> None:
    blocked = ModerationBlocked(
        "Uploaded content violates content policy",
        status=451,
        type="invalid_request_error",
        code="moderation_blocked",
        extras={"labels": "porn"},
        remedies=[remedy(Action.REWORD)],
    )
    assert message_lines(blocked)[1] == "Why: porn."
    for kind, code, status in (
        (InsufficientCredits, "token_daily_cap_exceeded", 402),
        (DailyCapReached, "token_daily_cap_reached", 429),
    ):
        capped = kind("No.", status=status, type="", code=code, extras={"cap": 100, "spent": 96.5})
        assert message_lines(capped) == [
            "No.",
            "The token's daily cap is 100 credits; spent today: 96.5 credits.",
            "The cap starts anew at midnight UTC.",
        ]


def test_a_value_that_was_forgotten_leaves_a_gap_and_no_second_error() -> None:
    assert message_lines(ZooopError("No.", remedies=[Remedy(Action.LIST_MODELS)])) == [
        "No.",
        "%zooop models lists them.",
    ]


@given(message=st.text(st.characters()), value=st.text(st.characters()))
def test_whatever_the_words_an_error_shows_as_plain_lines(message: str, value: str) -> None:
    error = ZooopError(message, remedies=[Remedy(do, dict.fromkeys(SAMPLES, value)) for do in Action])
    for line in message_lines(error):
        line.encode()
        assert line.isprintable()
