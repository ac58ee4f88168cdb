"""Settings: precedence, invalid values, and the token that never shows itself."""

import copy
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb import settings
from zooop_nb.errors import Action, BadValue, MissingKey, UnknownName
from zooop_nb.settings import SETTINGS, Price, Settings, Token, is_loopback, load, session_id

SECRET = "zpk_test_" + "S3cr3t" * 5


def loaded(**call: object) -> Settings:
    return load(call=call, environ={})


def test_the_call_wins_then_config_then_traitlets_then_the_environment_then_the_default() -> None:
    places: dict[str, dict[str, object]] = {
        "call": {"budget": 1},
        "config": {"budget": 2},
        "traits": {"budget": 3},
    }
    environ = {"ZOOOP_NB_BUDGET": "4"}
    names = {"call": "call", "config": "config", "traits": "traitlets"}
    for number, place in enumerate(("call", "config", "traits"), 1):
        found = load(**places, environ=environ)  # type: ignore[arg-type]
        assert (found.budget, found.sources["budget"]) == (number, names[place])
        del places[place]
    found = load(environ=environ)
    assert (found.budget, found.sources["budget"]) == (4, "environment")
    found = load(environ={})
    assert (found.budget, found.sources["budget"]) == (None, "default")


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_read_from_its_variable(name: str) -> None:
    texts = {
        "host": "https://api.example.org",
        "confirm": "never",
        "budget": "12.5",
        "credit_price": "0.01 USD",
        "concurrency": "5",
        "nested_loops": "on",
    }
    text = texts.get(name, "/tmp/somewhere")
    found = load(environ={SETTINGS[name].variable: text})
    assert found.sources[name] == "environment"
    assert getattr(found, name) == settings.parse(name, text)
    assert all(source == "default" for other, source in found.sources.items() if other != name)


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert load(environ={"ZOOOP_NB_BUDGET": "", "ZOOOP_API_KEY": "  "}) == load(environ={})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("budget", "lots"),
        ("budget", "-1"),
        ("budget", "nan"),
        ("budget", "inf"),
        ("confirm", "sometimes"),
        ("nested_loops", "maybe"),
        ("concurrency", "0"),
        ("concurrency", "-1"),
        ("concurrency", "2.5"),
        ("concurrency", "many"),
        ("credit_price", "0.01"),
        ("credit_price", "cheap USD"),
        ("credit_price", "NaN USD"),
        ("credit_price", "-0.01 USD"),
        ("host", "api.zooop.ai"),
        ("host", "ftp://api.zooop.ai"),
        ("host", "https://"),
        ("host", "https://me:secret@api.zooop.ai"),
        ("host", "https://api.zooop.ai?x=1"),
        ("host", "https://api.zooop.ai#x"),
        ("host", "https://api.zooop.ai:99999"),
        ("host", "https://api.zooop.ai:port"),
        ("host", "http://[::1"),
        ("host", "https://api zooop ai"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_setting(name: str, text: str) -> None:
    with pytest.raises(BadValue) as caught:
        loaded(**{name: text})
    assert f"“{text}”" in str(caught.value)
    assert name.replace("_", " ").split()[0] in str(caught.value).replace("_", " ").lower()
    assert caught.value.value == text


def test_an_unknown_setting_is_an_error_with_the_nearest_names() -> None:
    for place in ("call", "config", "traits"):
        with pytest.raises(UnknownName) as caught:
            load(**{place: {"bugdet": 3}}, environ={})  # type: ignore[arg-type]
        assert caught.value.nearest == ("budget",)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://api.zooop.ai/", "https://api.zooop.ai"),
        (" HTTPS://API.zooop.ai ", "https://api.zooop.ai"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://[::1]:8765/", "http://[::1]:8765"),
        ("https://proxy.example.org/zooop/", "https://proxy.example.org/zooop"),
    ],
)
def test_a_host_is_kept_in_one_form(text: str, host: str) -> None:
    assert loaded(host=text).host == host


def test_values_have_their_types() -> None:
    found = loaded(budget="100", credit_price="0.01 usd", home="~/zooop", confirm="ALWAYS", nested_loops=True)
    assert found.budget == 100
    assert isinstance(found.budget, int)
    assert found.credit_price == Price(Decimal("0.01"), "USD")
    assert str(found.credit_price) == "0.01 USD"
    assert found.home == Path.home() / "zooop"
    assert found.confirm == "always"
    assert found.nested_loops is True


def test_everything_is_kept_under_one_home_unless_it_is_told_apart(tmp_path: Path) -> None:
    found = loaded(home=tmp_path)
    assert found.ledger_path == tmp_path / "ledger.sqlite"
    assert found.media_path == tmp_path / "media"
    assert found.cache_path == tmp_path
    found = loaded(home=tmp_path, ledger=tmp_path / "l.db", media=tmp_path / "m")
    assert (found.ledger_path, found.media_path) == (tmp_path / "l.db", tmp_path / "m")
    assert loaded().ledger_path.name == "ledger.sqlite"
    assert "zooop-nb" in loaded().ledger_path.parts


@pytest.fixture
def two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders; the working directory is the first, and afterwards what it was."""
    folders = tmp_path / "one", tmp_path / "two"
    for each in folders:
        each.mkdir()
    monkeypatch.chdir(folders[0])
    return folders


@pytest.mark.parametrize("place", ["call", "config", "traits"])
def test_a_relative_path_names_one_folder_wherever_the_process_goes(
    place: str, two_folders: tuple[Path, Path]
) -> None:
    # The texts are this test's own: what a text names is remembered for the whole process.
    texts = {"home": f"home-{place}", "ledger": f"l-{place}.sqlite", "media": f"./m-{place}"}
    before = load(**{place: texts}, environ={})  # type: ignore[arg-type]
    assert before.home == two_folders[0] / f"home-{place}"
    assert before.ledger_path == two_folders[0] / f"l-{place}.sqlite"
    assert before.media_path == two_folders[0] / f"m-{place}"
    os.chdir(two_folders[1])
    assert load(**{place: texts}, environ={}) == before  # type: ignore[arg-type]
    again = load(**{place: {**texts, "media": f"m-{place}"}}, environ={})  # type: ignore[arg-type]
    assert again == before, "spelt otherwise"
    late = load(**{place: {"home": f"late-{place}"}}, environ={})  # type: ignore[arg-type]
    assert late.ledger_path == two_folders[1] / f"late-{place}" / "ledger.sqlite"


def test_every_path_is_absolute_however_the_settings_were_made(two_folders: tuple[Path, Path]) -> None:
    found = replace(loaded(), home=Path("of-a-copy"), media=Path("media-of-a-copy"))
    paths = (found.ledger_path, found.media_path, found.cache_path)
    os.chdir(two_folders[1])
    assert (found.ledger_path, found.media_path, found.cache_path) == paths
    assert all(each.is_absolute() for each in paths)


CHILD = "from zooop_nb import settings; print(settings.load().ledger_path)"


def test_a_child_process_started_in_another_folder_finds_the_same_ledger(
    two_folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    monkeypatch.setenv("ZOOOP_NB_HOME", "home-of-a-parent")
    mine = load().ledger_path
    assert mine == two_folders[0] / "home-of-a-parent" / "ledger.sqlite"
    os.chdir(two_folders[1])
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", CHILD], env=environ, capture_output=True, text=True)
    assert done.stdout.strip() == str(mine), done.stderr
    assert load().sources["home"] == "environment"


IMPORTED = "import os, sys; from zooop_nb import settings; os.chdir(sys.argv[1]); print(settings.load().home)"


def test_a_relative_path_in_the_environment_is_read_when_the_package_is_loaded(
    two_folders: tuple[Path, Path], root: Path
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(root), "ZOOOP_NB_HOME": "home-at-import"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, str(two_folders[1])], env=environ, capture_output=True, text=True
    )
    assert done.stdout.strip() == str(two_folders[0] / "home-at-import"), done.stderr


def test_an_environment_that_is_handed_over_is_left_as_it_is(two_folders: tuple[Path, Path]) -> None:
    environ = {"ZOOOP_NB_HOME": "home-handed-over"}
    assert load(environ=environ).home == two_folders[0] / "home-handed-over"
    assert environ == {"ZOOOP_NB_HOME": "home-handed-over"}


def test_the_home_of_nobody_and_a_working_directory_that_is_gone_are_said(
    two_folders: tuple[Path, Path],
) -> None:
    with pytest.raises(
        BadValue, match="home does not take “~nobody-of-this-name/x”: there is no home folder"
    ):
        loaded(home="~nobody-of-this-name/x")
    two_folders[0].rmdir()
    if sys.platform == "linux":
        with pytest.raises(BadValue, match="media does not take “rel-gone”: it is relative"):
            loaded(media="rel-gone")


# The session.


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOOP_NB_SESSION", "")


def test_a_session_is_made_once_and_exported(no_session: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadPoolExecutor(16) as pool:
        [made] = set(pool.map(lambda _: session_id(), range(64)))
    assert os.environ["ZOOOP_NB_SESSION"] == made
    # Emptying or deleting the variable begins no other session in this process.
    monkeypatch.setenv("ZOOOP_NB_SESSION", " ")
    assert session_id() == made
    del os.environ["ZOOOP_NB_SESSION"]
    assert session_id() == made == os.environ["ZOOOP_NB_SESSION"]


def test_a_session_that_is_set_is_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOOP_NB_SESSION", "evening")
    assert session_id() == "evening"


def _tell_session(pipe: Any) -> None:
    pipe.send(session_id())


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_forks_and_other_children_are_of_the_same_session(method: str, no_session: None) -> None:
    mine = session_id()
    context: Any = multiprocessing.get_context(method)
    here, there = context.Pipe()
    child = context.Process(target=_tell_session, args=(there,))
    child.start()
    assert here.poll(60)
    assert here.recv() == mine
    child.join()


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.8.8.8", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://127.0.0.1.example.org", False),
        ("http://127.example.org", False),
        ("http://localhost.example.org", False),
        ("http://128.0.0.1", False),
        ("https://api.zooop.ai", False),
    ],
)
def test_only_an_address_of_this_machine_is_loopback(host: str, here: bool) -> None:
    assert is_loopback(host) is here


# The token.


def test_the_calls_token_wins_over_the_environments() -> None:
    environ = {"ZOOOP_API_KEY": "zpk_test_environment"}
    assert load(environ=environ, token="zpk_test_call").require_token().reveal() == "zpk_test_call"
    assert load(environ=environ).require_token().reveal() == "zpk_test_environment"
    assert load(environ={"ZOOOP_API_KEY": " zpk_test_spaced \n"}).require_token() == Token("zpk_test_spaced")


def test_without_a_key_it_says_how_to_get_one_how_to_set_it_and_how_to_try() -> None:
    with pytest.raises(MissingKey) as caught:
        loaded().require_token()
    assert [each.action for each in caught.value.remedies] == [
        Action.CREATE_TOKEN,
        Action.SET_KEY,
        Action.TRY_SANDBOX,
    ]


def test_a_live_token_does_not_travel_in_the_clear() -> None:
    for host in ("http://api.zooop.ai", "http://127.0.0.1.example.org"):
        with pytest.raises(BadValue, match="in the clear") as caught:
            load(call={"host": host}, environ={}, token="zpk_live_" + "x").require_token()
        assert host in str(caught.value)
    for host in ("https://api.zooop.ai", "http://127.0.0.1:9", "http://localhost:9"):
        load(call={"host": host}, environ={}, token="zpk_live_" + "x").require_token()


def test_a_token_shows_itself_to_nobody() -> None:
    token = Token(SECRET)
    found = load(environ={}, token=token)
    for text in (repr(token), str(token), f"{token}", repr(found), str(found), repr([token])):
        assert SECRET not in text
        assert token.digest not in text
    assert not hasattr(token, "__dict__")
    with pytest.raises(TypeError):
        json.dumps(token)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_is_not_pickled_and_neither_is_what_holds_it(protocol: int) -> None:
    token = Token(SECRET)
    for each in (token, load(environ={}, token=token), {"token": token}):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(each, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(token)


def test_tokens_are_told_apart_by_their_digest() -> None:
    assert Token(SECRET) == Token(SECRET + " ")
    assert hash(Token(SECRET)) == hash(Token(SECRET))
    assert Token(SECRET) != Token(SECRET + "x")
    assert Token(SECRET) != SECRET
    assert len(Token(SECRET).digest) == 64


@given(st.text(max_size=20))
def test_a_token_is_one_word_of_ascii_and_a_refused_one_is_not_repeated(text: str) -> None:
    word = text.strip()
    if word and word.isascii() and word.isprintable() and " " not in word:
        assert Token(text).reveal() == word
        return
    with pytest.raises(BadValue) as caught:
        Token("zpk_secret_part" + "\n" + text + " x")
    assert "zpk_secret_part" not in str(caught.value)
    with pytest.raises(BadValue):
        Token(text)


def test_the_sandbox_is_known_by_its_address_or_its_token() -> None:
    assert load(environ={}, token="zpk_test_x").on_sandbox
    assert load(call={"host": "http://127.0.0.1:1"}, environ={}, token="zpk_live_" + "x").on_sandbox
    assert not load(environ={}, token="zpk_live_" + "x").on_sandbox
    assert not loaded().on_sandbox
