"""A whole ZOOOP in memory: a second implementation of the `Backend` protocol, without a network.

It shares nothing with the client and nothing with the sandbox, so that what both take for granted shows.
"""

import asyncio
import hashlib
import io
import json
import mimetypes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from zooop_nb.contract.backend import Fetched, Intent, Mode, OnWait
from zooop_nb.contract.clock import ServerClock
from zooop_nb.contract.limits import KEY_LIFETIME, upload_problem
from zooop_nb.contract.shapes import (
    Brand,
    Description,
    KeyInfo,
    Me,
    Model,
    Param,
    Project,
    Quote,
    Recipe,
    Submitted,
    TaskOutput,
    TaskState,
    TypicalPrice,
    UserWallet,
    Version,
)
from zooop_nb.errors import APIError, BadMedia, ZooopError, class_for

T = TypeVar("T")

CHEAP, FAILING, DEAR = "Memory One", "Memory Fails", "Memory Grand"
"""Models of image/default at 1, 2 and 60 credits; a task of the second fails and is refunded."""
TOOL, TEMPLATE = "background-removal", "superhero-movie-poster"
TOKEN = hashlib.sha256(b"zpk_test_memory").hexdigest()

_RATIO = Param(id="aspect_ratio", type="aspect_ratio", default="1:1", options=["1:1", "16:9"])
_PROMPT = Param(id="prompt", type="long_text", required=True)
_PICTURE = Param(id="image_url", type="image_url", required=True)


def _model(name: str, credits: int) -> Model:
    price = TypicalPrice(typical_credits=credits, unit="image")
    return Model(
        id=name.lower().replace(" ", "-"),
        name=name,
        type="image",
        sub_type="default",
        brand=Brand(id="memory", name="Memory"),
        prompt_required=True,
        params=[_PROMPT, _RATIO],
        versions=[Version(id="standard", name="Standard", typical_price=price)],
    )


PRICES = {CHEAP: 1, FAILING: 2, DEAR: 60}
MODELS = [_model(name, credits) for name, credits in PRICES.items()]
_TOOL = Recipe(slug=TOOL, name="Remove the background", media_type="image", params=[_PICTURE], tags=["cut"])
_TEMPLATE = Recipe(slug=TEMPLATE, name="Poster", media_type="image", params=[_RATIO], official=True)
_RECIPE_CREDITS = 3


@dataclass(frozen=True, slots=True)
class Lost:
    """A failure after the server has acted: its answer is lost."""

    error: ZooopError


Fault = ZooopError | Lost | None


@dataclass(slots=True)
class _Task:
    id: str
    intent: Intent
    credits: int
    fails: bool
    at: datetime
    polls: int = 0


class MemoryBackend:
    """A backend and its server in one. A task ends with its poll number `polls`, counted from 0.

    `faults` holds what goes wrong: an iterator for each method, of which every call takes the next. An error
    is raised before the method acts, `Lost` after it; None, and the iterator's end, stand for no fault.
    """

    mode: Mode
    host: str
    token: str
    clock: ServerClock

    def __init__(
        self,
        *,
        balance: float = 1000,
        polls: int = 0,
        mode: Mode = "sandbox",
        host: str = "https://memory.invalid",
        token: str = TOKEN,
        clock: ServerClock | None = None,
    ) -> None:
        self.mode, self.host, self.token = mode, host, token
        self.clock = clock or ServerClock()
        self.balance = balance
        self.polls = polls
        self.faults: dict[str, Iterator[Fault]] = {}
        self.calls: list[str] = []
        """The methods that were called, in their order."""
        self.submitted: list[Intent] = []
        """The intents of the tasks that exist, oldest first."""
        self.charges: list[tuple[str, float]] = []
        """What left the wallet: the task's id or `describe`, and credits, negative for a refund."""
        self.closed = False
        self._tasks: dict[str, _Task] = {}
        self._keys: dict[str, _Task] = {}
        self._files: dict[str, tuple[bytes, str]] = {}

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method fail, one fault each."""
        self.faults[method] = iter(faults)

    def spent(self) -> float:
        """The credits that left the wallet, net of refunds."""
        return sum(credits for _, credits in self.charges)

    async def me(self, on_wait: OnWait | None = None) -> Me:
        """Return the wallet of the one token."""
        lost = await self._enter("me")
        key = KeyInfo(id="key-1", prefix="zpk_test_mem", label="memory")
        return _answer(
            lost,
            Me(
                key=key,
                project=Project(id="p1", name="Memory"),
                user=UserWallet(credit_balance=self.balance),
                limits={"tasksPerMin": 60, "uploadsPerMin": 30, "uploadPollPerMin": 120},
            ),
        )

    async def models(self, type: str, subtype: str) -> Sequence[Model]:
        """Return the models of image/default; other categories are not exposed."""
        lost = await self._enter("models")
        if (type, subtype) != ("image", "default"):
            raise refused(400, "unknown_category", validCategories=[{"type": "image", "subtype": "default"}])
        return _answer(lost, MODELS)

    async def tools(self, media_type: str | None = None, on_wait: OnWait | None = None) -> Sequence[Recipe]:
        """Return the one tool."""
        return _answer(await self._enter("tools"), _of_type([_TOOL], media_type))

    async def tool(self, slug: str, on_wait: OnWait | None = None) -> Recipe:
        """Return the one tool."""
        return _answer(await self._enter("tool"), _by_slug(_TOOL, slug, "unknown_ai_tool"))

    async def templates(
        self, media_type: str | None = None, on_wait: OnWait | None = None
    ) -> Sequence[Recipe]:
        """Return the one template."""
        return _answer(await self._enter("templates"), _of_type([_TEMPLATE], media_type))

    async def template(self, slug: str, on_wait: OnWait | None = None) -> Recipe:
        """Return the one template."""
        return _answer(await self._enter("template"), _by_slug(_TEMPLATE, slug, "unknown_template"))

    async def quote(self, intent: Intent, on_wait: OnWait | None = None) -> Quote:
        """Price a body."""
        lost = await self._enter("quote")
        model, credits = _target(intent.body)
        return _answer(
            lost,
            Quote(
                credits=credits,
                estimated_seconds=4,
                model_id=model.id,
                version_id="standard",
                model_name=model.name,
            ),
        )

    async def submit_allowed(self, on_wait: OnWait | None = None) -> None:
        """There is no rate limit."""

    async def submit(self, intent: Intent) -> Submitted:
        """Take an order and debit it, once for each key."""
        lost = await self._enter("submit")
        now = self.clock.now()
        if intent.send_before is not None and now >= intent.send_before:
            raise ZooopError("The order was not sent: its key may be forgotten.", value=intent.order_id)
        if not 1 <= len(intent.key) <= 256:
            raise refused(400, "invalid_idempotency_key")
        known = self._keys.get(intent.key)
        if known is not None and now - known.at < timedelta(seconds=KEY_LIFETIME):
            return _answer(lost, self._submitted(known, idempotent=True))
        model, credits = _target(intent.body)
        if credits > self.balance:
            raise refused(402, "insufficient_credits")
        task = _Task(f"task-{len(self._tasks) + 1}", intent, credits, model.name == FAILING, now)
        self._tasks[task.id] = self._keys[intent.key] = task
        self.submitted.append(intent)
        self._move(task.id, credits)
        return _answer(lost, self._submitted(task, idempotent=False))

    async def task(self, task_id: str) -> TaskState:
        """Return a task's state, and take it a poll further."""
        lost = await self._enter("task")
        task = self._tasks.get(task_id)
        if task is None:
            raise refused(404, "unknown_task")
        ended = task.polls >= self.polls
        if ended and task.fails and (task.id, -task.credits) not in self.charges:
            self._move(task.id, -task.credits)
        status = ("failed" if task.fails else "succeeded") if ended else "running" if task.polls else "queued"
        task.polls += 1
        at = _stamp(task.at)
        if not ended:
            return _answer(lost, TaskState(status=status, task_id=task.id, created_at=at))
        return _answer(
            lost,
            TaskState(
                status=status,
                task_id=task.id,
                outputs=None if task.fails else [TaskOutput(self._output(task))],
                error="The model failed." if task.fails else None,
                credits_charged=0 if task.fails else task.credits,
                created_at=at,
                completed_at=_stamp(self.clock.now()),
            ),
        )

    async def describe(self, intent: Intent, on_wait: OnWait | None = None) -> Description:
        """Describe an uploaded picture, for 1 credit."""
        lost = await self._enter("describe")
        if json.loads(intent.body).get("imageUrl") not in self._files:
            raise refused(400, "invalid_payload", param="imageUrl")
        if self.balance < 1:
            raise refused(402, "insufficient_credits")
        self._move("describe", 1)
        return _answer(lost, Description(credits=1, overall_description="A grey ramp.", subject="a ramp"))

    async def upload(self, file: Path, content_type: str, on_wait: OnWait | None = None) -> str:
        """Keep a file under an address of its content."""
        if problem := upload_problem(file.stat().st_size, content_type):
            raise BadMedia(f"{file.name} {problem}", value=file.name)
        lost = await self._enter("upload")
        return _answer(lost, self._keep(file.read_bytes(), content_type))

    async def fetch(self, url: str, folder: Path, name: str) -> Fetched:
        """Write a kept file to disk."""
        lost = await self._enter("fetch")
        if url not in self._files:
            raise refused(404, "not_found")
        data, content_type = self._files[url]
        path = folder / f"{name}{_extension(content_type)}"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return _answer(lost, Fetched(path, content_type, len(data), hashlib.sha256(data).hexdigest()))

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    async def _enter(self, method: str) -> ZooopError | None:
        """Count a call, raise a fault that comes first, and return one that comes after."""
        self.calls.append(method)
        # A turn of the loop, as everything that is sent somewhere takes.
        await asyncio.sleep(0)
        fault = next(self.faults.get(method, iter(())), None)
        if isinstance(fault, ZooopError):
            raise fault
        return None if fault is None else fault.error

    def _move(self, what: str, credits: float) -> None:
        self.balance -= credits
        self.charges.append((what, credits))

    def _submitted(self, task: _Task, *, idempotent: bool) -> Submitted:
        return Submitted(task_id=task.id, version_id="standard", idempotent=idempotent)

    def _output(self, task: _Task) -> str:
        shade = int(hashlib.sha256(task.id.encode()).hexdigest()[:6], 16)
        out = io.BytesIO()
        Image.new("RGB", (16, 12), shade).save(out, "PNG")
        return self._keep(out.getvalue(), "image/png")

    def _keep(self, data: bytes, content_type: str) -> str:
        name = hashlib.sha256(data).hexdigest()[:32]
        url = f"{self.host}/files/{name}{_extension(content_type)}"
        self._files[url] = data, content_type
        return url


def refused(status: int, code: str, *, param: str | None = None, **extras: Any) -> APIError:
    """Return a refusal as the API words it."""
    type = "api_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return class_for(status, type, code)(
        f"Refused: {code}.", status=status, type=type, code=code, param=param, extras=extras
    )


def _answer(lost: ZooopError | None, found: T) -> T:
    if lost is not None:
        raise lost
    return found


def _target(body: bytes) -> tuple[Model, int]:
    """Return the model of a body and its price in credits."""
    said = json.loads(body)
    named = [name for name in ("interfaceId", "aiTool", "template") if name in said]
    if len(named) != 1 or not isinstance(said.get("params"), dict):
        raise refused(400, "invalid_payload")
    if named == ["interfaceId"]:
        for model in MODELS:
            if model.id == said["interfaceId"] and said.get("versionId") == "standard":
                return model, PRICES[model.name]
        raise refused(404, "unknown_model")
    slug, code = {"aiTool": (TOOL, "unknown_ai_tool"), "template": (TEMPLATE, "unknown_template")}[named[0]]
    if said[named[0]] != slug:
        raise refused(404, code)
    return MODELS[0], _RECIPE_CREDITS


def _of_type(recipes: Iterable[Recipe], media_type: str | None) -> list[Recipe]:
    if media_type not in (None, "image", "video"):
        raise refused(400, "invalid_type")
    return [each for each in recipes if media_type in (None, each.media_type)]


def _by_slug(recipe: Recipe, slug: str, code: str) -> Recipe:
    if recipe.slug != slug:
        raise refused(404, code)
    return recipe


def _extension(content_type: str) -> str:
    return mimetypes.guess_extension(content_type) or ".bin"


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
