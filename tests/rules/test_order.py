"""The order and its fingerprint, the one value that identifies it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zooop_nb.ledger import Execution
from zooop_nb.orders.order import Media, Order, Origin, Target, canonical, fingerprint

MODEL = Target("model", "m1", "Flux 2 Pro", version="standard")
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
PARAMS = st.dictionaries(st.text("abcde.", min_size=1, max_size=4), VALUES, max_size=4)


def named(params: dict[str, Any], target: Target = MODEL) -> str:
    return Order(target, params).fingerprint


def turned(value: Any) -> Any:
    """Return the value with the keys of every dictionary reversed."""
    if isinstance(value, dict):
        return {name: turned(each) for name, each in reversed(value.items())}
    return [turned(each) for each in value] if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Return the value as JSON distinguishes it: 1.0 equals 1, True does not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


@given(PARAMS)
def test_the_fingerprint_and_the_body_do_not_depend_on_the_order_of_keys(params: dict[str, Any]) -> None:
    assert named(turned(params)) == named(params)
    assert Order(MODEL, turned(params)).body() == Order(MODEL, params).body()


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_is_the_same_with_and_without_a_fraction(number: int) -> None:
    assert named({"duration": float(number)}) == named({"duration": number})
    assert Order(MODEL, {"d": float(number)}).body() == Order(MODEL, {"d": number}).body()


@given(PARAMS, PARAMS)
def test_different_params_have_different_fingerprints_and_bodies(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assume(json.dumps(plain(one), sort_keys=True) != json.dumps(plain(other), sort_keys=True))
    assert named(one) != named(other)
    assert Order(MODEL, one).body() != Order(MODEL, other).body()


@given(PARAMS)
def test_a_body_is_compact_json_that_reads_back_as_what_was_asked(params: dict[str, Any]) -> None:
    body = Order(MODEL, params).body()
    assert json.loads(body) == {"interfaceId": "m1", "versionId": "standard", "params": plain(params)}
    assert canonical(json.loads(body)) == body
    assert (
        body
        == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    )


def test_the_fingerprint_is_what_its_definition_says() -> None:
    text = '{"fingerprint":1,"params":{"n":2,"prompt":"äöü"},"target":{"model":"m1","version":"standard"}}'
    assert named({"prompt": "äöü", "n": 2.0}) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        Target("model", "m2", "Flux 2 Pro", version="standard"),
        Target("model", "m1", "Flux 2 Pro", version="pro"),
        Target("tool", "m1", "Flux 2 Pro"),
        Target("template", "m1", "Flux 2 Pro"),
    ],
)
def test_another_target_is_another_order(other: Target) -> None:
    assert named({"prompt": "x"}, other) != named({"prompt": "x"})


def test_what_a_target_is_called_does_not_name_the_order() -> None:
    renamed = Target("model", "m1", "Flux 2 Pro (new)", version="standard", version_name="S", unit="image")
    assert named({"prompt": "x"}, renamed) == named({"prompt": "x"})


def test_true_and_one_and_their_texts_are_four_values() -> None:
    assert len({named({"x": value}) for value in (True, 1, "true", "1")}) == 4


def test_media_is_named_by_its_content_wherever_it_lies() -> None:
    here = Media("ab" * 32, "image/png", path=Path("/a/cat.png"), label="cat.png")
    moved = Media("ab" * 32, "image/png", path=Path("/b/dog.png"), label="dog.png")
    uploaded = Media("ab" * 32, "image/png", url="https://storage.zooop.ai/u/p/1.png", label="1.png")
    assert named({"image_url": here}) == named({"image_url": moved}) == named({"image_url": uploaded})
    changed = Media("cd" * 32, "image/png", path=Path("/a/cat.png"), label="cat.png")
    assert named({"image_url": changed}) != named({"image_url": here})
    assert named({"image_urls": [here, changed]}) != named({"image_urls": [changed, here]})
    assert named({"image_urls": [here]}) != named({"image_url": here})


def test_a_url_whose_content_was_never_seen_names_itself() -> None:
    one = Media(None, None, url="https://storage.zooop.ai/1.png")
    other = Media(None, None, url="https://storage.zooop.ai/2.png")
    assert named({"image_url": one}) != named({"image_url": other})


def test_the_body_carries_the_urls_of_media_and_the_described_params_never_a_path() -> None:
    media = Media("ab" * 32, "image/png", path=Path("/a/cat.png"), url="https://z/1.png", label="cat.png")
    order = Order(MODEL, {"image_url": media, "image_urls": [media, media], "prompt": "x"})
    assert json.loads(order.body())["params"] == {
        "image_url": "https://z/1.png",
        "image_urls": ["https://z/1.png", "https://z/1.png"],
        "prompt": "x",
    }
    assert order.readable_params()["image_url"] == {"file": "cat.png", "sha256": "ab" * 32}
    assert "/a/cat.png" not in json.dumps(order.readable_params())
    assert list(order.media()) == [media, media, media]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (MODEL, {"interfaceId": "m1", "versionId": "standard"}),
        (Target("tool", "background-removal", "x"), {"aiTool": "background-removal"}),
        (Target("template", "poster", "x"), {"template": "poster"}),
    ],
)
def test_a_body_names_exactly_one_target(target: Target, said: dict[str, str]) -> None:
    assert json.loads(Order(target, {}).body()) == {**said, "params": {}}


def test_words_tags_and_origin_do_not_name_the_order() -> None:
    plain_order = Order(MODEL, {"prompt": "x"})
    written = Order(MODEL, {"prompt": "x"}, words="x", tags=("t",), origin=Origin("n", "c", "r"))
    assert written.fingerprint == plain_order.fingerprint


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_json_does_not_have_is_not_sent(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"x": number})


def test_a_cell_is_known_by_its_source_alone() -> None:
    assert Origin(cell="a").cell_hash == Origin("other.ipynb", "a", "7", "id").cell_hash
    assert Origin(cell="a").cell_hash != Origin(cell="b").cell_hash
    assert Origin().cell_hash is None


@pytest.mark.parametrize("same", ["a\n  b", "a \n  b\t\n\n", "a\r\n  b\r\n", "a\n  b "])
def test_trailing_space_and_final_newlines_make_no_other_cell(same: str) -> None:
    assert Origin(cell=same).cell_hash == Origin(cell="a\n  b").cell_hash


@pytest.mark.parametrize("other", ["a\n b", "a\n\n  b", " a\n  b", "\na\n  b", "a  b", "A\n  b"])
def test_any_other_difference_makes_another_cell(other: str) -> None:
    assert Origin(cell=other).cell_hash != Origin(cell="a\n  b").cell_hash


def test_a_cell_that_is_no_unicode_has_a_hash_too() -> None:
    assert Origin(cell="\ud800").cell_hash != Origin(cell="\ud801").cell_hash


def test_a_run_of_a_cell_is_what_the_ledger_calls_an_execution() -> None:
    origin = Origin("n.ipynb", "a", "7", "id")
    assert origin.run_of_cell() == Execution("7", "n.ipynb", origin.cell_hash, "id")
    assert Origin("n.ipynb", "a").run_of_cell() is None, "a script"


def test_the_function_and_the_order_agree() -> None:
    assert fingerprint(MODEL.identity(), {"a": 1}) == named({"a": 1})
