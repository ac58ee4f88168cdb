"""Settings: precedence, invalid values, and the token that never shows itself."""

import copy
import json
import pickle
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zooop_nb import settings
from zooop_nb.errors import Action, BadValue, MissingKey, UnknownName
from zooop_nb.settings import SETTINGS, Price, Settings, Token, is_loopback, load

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
