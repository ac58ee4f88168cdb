"""A picture in words: `POST /v1/describe-image`, for 1 credit.

An order of its own kind: nothing quotes it, and it has no idempotency key. So it is in the ledger before the
network is asked, and once it may have arrived it is never sent again by itself: a lost answer is `unknown`.
"""

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from zooop_nb.contract.backend import Backend
from zooop_nb.contract.shapes import Me, Number
from zooop_nb.errors import Action, InputError, OrderUnknown, ZooopError, remedy
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.orders.order import Media, Origin, canonical, fingerprint
from zooop_nb.orders.pricing import circumstances

CREDITS: Final = 1
"""API documentation: `POST /v1/describe-image`."""

LOST: Final = "Whether the picture was described, and its credit spent, cannot be told; it is not sent again"

_ASPECTS: Final = ("subject", "composition", "style", "lighting", "palette", "mood", "camera")


@dataclass(frozen=True, slots=True)
class Described:
    """A picture in words. As text it is `overall_description`, ready to stand in a prompt; the others may
    be empty or None. API documentation: `POST /v1/describe-image`."""

    overall_description: str
    subject: str | None
    composition: str | None
    style: str | None
    lighting: str | None
    palette: str | None
    mood: str | None
    camera: str | None
    credits: Number
    """What it cost, as the server named it."""
    language: str | None
    """The locale that was asked for; None is English."""
    order_id: str
    mode: str = "live"
    """live, sandbox or replay."""

    def __str__(self) -> str:
        return self.overall_description

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from zooop_nb.results.html import caption, card, paragraph
        from zooop_nb.results.render import credits_text

        said = {name: getattr(self, name) for name in _ASPECTS if getattr(self, name)}
        lines = [f"{name.capitalize()}: {text}" for name, text in said.items()]
        lines.append(self.overall_description)
        cost = credits_text(self.credits)
        mark = [cost] if self.mode == "live" else [cost, self.mode]
        html = "".join(map(paragraph, lines)) + caption([cost], self.mode)
        return {"text/plain": "\n".join((*lines, " · ".join(mark))), "text/html": card(html)}


class Describer:
    """Describes pictures over one backend."""

    def __init__(self, backend: Backend, ledger: Ledger) -> None:
        self._backend = backend
        self._ledger = ledger
        # It goes on although nobody waits for it any more; the loop keeps no reference of its own.
        self._asked: set[asyncio.Task[Described]] = set()

    async def describe(self, entry: OrderRecord) -> Described:
        """Ask once, for an order whose intent is written.

        Raises the API's refusal, which costs nothing, or `OrderUnknown` where the answer was lost.
        Cancelled, it goes on, and the ledger has the answer in the end.
        """
        asked = asyncio.ensure_future(self._ask(entry))
        self._asked.add(asked)
        asked.add_done_callback(self._forget)
        return await asyncio.shield(asked)

    def _forget(self, asked: "asyncio.Task[Described]") -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            # Looked at, so that asyncio does not tell of an error that the ledger has already.
            asked.exception()

    async def _ask(self, entry: OrderRecord) -> Described:
        body = json.loads(entry.body)
        try:
            answer = await self._backend.describe(body["imageUrl"], body.get("language"))
        except ZooopError as error:
            if not error.maybe_arrived:
                self._ledger.refused(entry.order_id, error.message)
                raise
            why = f"{LOST}: {error.message}"
            self._ledger.unknown(entry.order_id, why)
            raise OrderUnknown(why, order_id=entry.order_id, remedies=[remedy(Action.SEE_TASKS)]) from error
        except BaseException:
            self._ledger.unknown(entry.order_id, f"{LOST}: this session ended before the answer came.")
            raise
        words = {name: getattr(answer, name) for name in ("overall_description", *_ASPECTS)}
        return described_of(self._ledger.described(entry.order_id, answer.credits, words))


def entry_for(
    picture: Media,
    language: str | None,
    *,
    origin: Origin,
    tags: tuple[str, ...],
    backend: Backend,
    me: Me | None,
    who: str | None,
) -> OrderRecord:
    """The ledger's row of a description that is about to be asked for. Its key is never sent."""
    params = {"image_url": picture} | ({"language": language} if language else {})
    body = {"imageUrl": picture.url} | ({"language": language} if language else {})
    return OrderRecord(
        order_id=str(uuid.uuid4()),
        batch=str(uuid.uuid4()),
        fingerprint=fingerprint({"describe": "image"}, params),
        target="describe",
        body=canonical(body),
        key=str(uuid.uuid4()),
        unit="call",
        params={**params, "image_url": {"file": picture.label} | picture.name()},
        tags=tags,
        **circumstances(origin, backend, me, who),
    )


def described_of(entry: OrderRecord) -> Described:
    """The description as the ledger holds it. Raises `InputError` for an order that has none."""
    if entry.target != "describe" or not entry.outputs or entry.credits is None:
        raise InputError(
            f"Order {entry.order_id} holds no description ({entry.target}, {entry.state}).",
            value=entry.order_id,
        )
    return Described(
        **entry.outputs[0]["words"],
        credits=entry.credits,
        language=entry.params.get("language"),
        order_id=entry.order_id,
        mode=entry.mode,
    )
