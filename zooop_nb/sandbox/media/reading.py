"""Match the text of a work against vocabularies of whole English words and Chinese characters.

Nothing else is understood. The output also depends on a digest of the whole work, so that every word, param
and input changes it, known or not.
"""

import hashlib
import json
import re

from zooop_nb.sandbox.media.colour import NAMED, RGB
from zooop_nb.sandbox.media.work import Work


def digest(work: Work, index: int) -> int:
    """Return a number that depends on everything that should change an output, and on nothing else.

    Media URLs in the params change with every upload, so the digest uses the bytes of the media instead.
    """
    told = {
        name: value
        for name, value in work.params.items()
        if name not in work.inputs and "://" not in json.dumps(value, default=str, ensure_ascii=False)
    }
    essence = hashlib.sha256(
        json.dumps(
            [work.prompt, told, work.seed, work.model, work.voice, index],
            sort_keys=True,
            default=str,
        ).encode()
    )
    for name in sorted(work.inputs):
        for data in work.inputs[name]:
            essence.update(name.encode() + hashlib.sha256(data).digest())
    return int.from_bytes(essence.digest()[:8], "big")


def words(text: str) -> list[str]:
    """Return the text's words in lower case, each also without a plural s."""
    found = re.findall(r"[a-z]+", text.lower())
    return found + [word[:-1] for word in found if len(word) > 3 and word.endswith("s")]


def called(names: tuple[str, ...], spoken: list[str], text: str) -> bool:
    """Return whether any of the names occurs in the text: English as whole words, Chinese anywhere."""
    return any((name in text) if " " in name or not name.isascii() else (name in spoken) for name in names)


def flavour(work: Work) -> str:
    """Return the text of all string params except URLs and negative prompts."""
    return " ".join(
        value
        for name, value in work.params.items()
        if isinstance(value, str) and "://" not in value and "negative" not in name
    )


def named_colours(spoken: list[str], text: str) -> list[RGB]:
    """Return the colours that a prompt names, in order; "red panda" names an animal, not a colour."""
    plain = text.replace("red panda", "panda")
    found = [
        (plain.find(name), colour)
        for name, colour in NAMED.items()
        if (name in spoken or not name.isascii()) and name in plain
    ]
    return [colour for _, colour in sorted(found)]
