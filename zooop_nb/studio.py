"""The Python API: the same verbs as the magic, blocking and awaitable, safe from any thread."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from zooop_nb import frontend as face
from zooop_nb import settings as settings_
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.shapes import Me, Number
from zooop_nb.errors import InputError, UnknownName
from zooop_nb.ledger import Ledger, OrderRecord
from zooop_nb.nearest import nearest
from zooop_nb.orders import approval as money
from zooop_nb.orders import inputs as media
from zooop_nb.orders.catalogue import Catalogue
from zooop_nb.orders.pricing import OrderRequest, ask_again
from zooop_nb.results.values import Gallery, Quoted, Result, Upload
from zooop_nb.settings import Settings, Token
from zooop_nb.tasks import description as describe
from zooop_nb.tasks import loop as engine
from zooop_nb.tasks.checkout import Checkout, PricedBatch
from zooop_nb.tasks.description import Described
from zooop_nb.tasks.task import Task, Tasks, result_of
from zooop_nb.verbs import VERBS

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


class once(cached_property[T]):  # noqa: N801 - it is read as a decorator
    """A cached property that is made once, whichever threads are first."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> "once[T]": ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object, owner: type[Any] | None = None) -> "once[T] | T":
        if not isinstance(instance, Studio):
            return self
        with instance.making:
            return super().__get__(instance, owner)


class VerbMethod:
    """A verb as a method: `studio.image("a red panda", aspect_ratio="16:9")`."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self.__doc__ = f"Make {VERBS[verb].help}: quote, confirm, submit, wait. See `Studio.make`."

    @overload
    def __get__(self, studio: None, owner: object) -> "VerbMethod": ...

    @overload
    def __get__(self, studio: "Studio", owner: object) -> Callable[..., Result | Gallery]: ...

    def __get__(
        self, studio: "Studio | None", owner: object = None
    ) -> "VerbMethod | Callable[..., Result | Gallery]":
        if studio is None:
            return self
        make = partial(studio.make, self._verb)
        make.__doc__ = self.__doc__
        return make


class Studio:
    """ZOOOP from Python.

    Settings come from the environment unless they are given. Keywords of the verbs are the model's params;
    `model`, `version`, `count`, `tags`, `yes`, `ask`, `budget`, `fresh` and `params` are ours, and
    `params={}` holds names that are no identifiers or that clash.
    """

    image = VerbMethod("image")
    edit = VerbMethod("edit")
    svg = VerbMethod("svg")
    video = VerbMethod("video")
    animate = VerbMethod("animate")
    motion = VerbMethod("motion")
    lipsync = VerbMethod("lipsync")
    extend = VerbMethod("extend")
    restyle = VerbMethod("restyle")
    speech = VerbMethod("speech")
    clone = VerbMethod("clone")
    sfx = VerbMethod("sfx")
    music = VerbMethod("music")

    def __init__(
        self,
        *,
        token: str | Token | None = None,
        host: str | None = None,
        settings: Settings | None = None,
        backend: Backend | None = None,
    ) -> None:
        loaded = settings or settings_.load(call={"host": host} if host else {}, token=token)
        self.settings = loaded
        self._given_backend = backend
        self.making = threading.RLock()
        """Held while one of the parts below is made."""

    def __repr__(self) -> str:
        return f"<Studio at {self.settings.host}>"

    # What it stands on; each is made when it is first needed.

    @once
    def ledger(self) -> Ledger:
        """The ledger; `studio.ledger.frame()` is the DataFrame."""
        return Ledger(self.settings.ledger_path)

    @once
    def backend(self) -> Backend:
        """The API in force. Raises `MissingKey` without a token."""
        if self._given_backend is not None:
            return self._given_backend
        self.settings.require_token()
        from zooop_nb.client import LiveBackend

        return LiveBackend(self.settings)

    @once
    def desk(self) -> Checkout:
        """Where orders are priced, confirmed, placed and picked up."""
        return Checkout(self.settings, self.backend, self.ledger)

    @property
    def catalogue(self) -> Catalogue:
        """Models, tools and templates."""
        return self.desk.catalogue

    @once
    def _describer(self) -> describe.Describer:
        return describe.Describer(self.backend, self.ledger)

    def close(self) -> None:
        """Close the connections and the ledger. Tasks that are still followed are abandoned."""
        if "desk" in self.__dict__:
            self.desk.close()
        if "backend" in self.__dict__:
            engine.shared().run(self.backend.aclose())
        if "ledger" in self.__dict__:
            self.ledger.close()

    # Asking.

    def me(self) -> Me:
        """The token about itself: wallet, cap, project, limits."""
        return engine.shared().run(self.desk.fresh_me())

    def models(self, verb: str = "image") -> "pd.DataFrame":
        """The models of a verb as a DataFrame, a row a version, recommended first.

        `credits` is a ballpark per `unit`; `mark` says `recommended` and `cheapest` (by ballpark, within
        a unit).
        """
        if verb not in VERBS:
            raise UnknownName("verb", verb, nearest=nearest(verb, VERBS))
        from zooop_nb.results.tables import models_frame

        return models_frame(engine.shared().run(self.catalogue.models(VERBS[verb].category)))

    def tools(self) -> "pd.DataFrame":
        """The AI tools as a DataFrame."""
        from zooop_nb.results.tables import recipes_frame

        return recipes_frame(engine.shared().run(self.catalogue.tools()))

    def templates(self) -> "pd.DataFrame":
        """The templates as a DataFrame."""
        from zooop_nb.results.tables import recipes_frame

        return recipes_frame(engine.shared().run(self.catalogue.templates()))

    def quote(self, verb: str, words: str = "", **given: Any) -> Quoted:
        """The exact price of an order that is not made, in the ledger as a quote."""
        ask, _ = _read_call(verb, words, given)
        return self.prepare([ask], paying=False).plans[0].quoted()

    def result(self, order_id: str) -> Result:
        """An earlier result, by the id of its order or task, or the beginning of one."""
        return result_of(self.ledger.find(order_id))

    def tasks(self) -> "pd.DataFrame":
        """What is under way or unfinished, as a DataFrame."""
        from zooop_nb.results.tables import tasks_frame

        return tasks_frame(self.ledger)

    # VerbMethod.

    def make(self, verb: str, words: str = "", **given: Any) -> Result | Gallery:
        """Quote, confirm, submit and wait: a `Result`, or with `count` a `Gallery`."""
        tasks = self.start_all(verb, words, **given)
        return tasks[0].result() if len(tasks) == 1 else tasks.result()

    def start(self, verb: str, words: str = "", **given: Any) -> Task:
        """Quote, confirm and submit; the task is followed in the background."""
        if given.get("count", 1) != 1:
            raise InputError("start() makes one task; start_all() makes several.", value=str(given["count"]))
        return self.start_all(verb, words, **given)[0]

    def start_all(self, verb: str, words: str = "", **given: Any) -> Tasks:
        """As `start`, for `count` tasks."""
        ask, ours = _read_call(verb, words, given)
        return self.desk.order([ask], variants=True, **ours)

    def batch(self, verb: str, prompts: Sequence[str], **given: Any) -> Gallery:
        """One task for each prompt, with one confirmation for all."""
        if isinstance(prompts, str):
            raise InputError(
                "batch() takes a list of prompts; for one prompt there is make().", value=prompts
            )
        asks = []
        ours: dict[str, Any] = {}
        for prompt in prompts:
            ask, ours = _read_call(verb, prompt, given)
            asks.append(ask)
        if not asks:
            raise InputError("There are no prompts.", value="prompts")
        return self.desk.order(asks, variants=False, **ours).result()

    def tool(self, slug: str, words: str = "", **given: Any) -> Result | Gallery:
        """Run an AI tool."""
        return self.make("tool", words, slug=slug, **given)

    def template(self, slug: str, words: str = "", **given: Any) -> Result | Gallery:
        """Run a template, by its slug or its page's address."""
        return self.make("template", words, slug=slug, **given)

    def again(self, **changes: Any) -> Result | Gallery:
        """The last order once more, with changed params; the keywords that are ours hold here too."""
        called, ours = _read_call("again", "", changes)
        ask = self.ask_again(called.params)
        ask = replace(
            ask,
            model=called.model or ask.model,
            version=called.version or ask.version,
            count=called.count,
            tags=(*ask.tags, *called.tags),
        )
        tasks = self.desk.order([ask], variants=True, **ours)
        return tasks[0].result() if len(tasks) == 1 else tasks.result()

    def ask_again(self, changes: Mapping[str, object], entry: OrderRecord | None = None) -> OrderRequest:
        """The last order (or another) as something to ask for, with changes."""
        entry = entry or self.ledger.last(mode=self.backend.mode)
        if entry is None:
            raise InputError("There is no earlier order to make again.")
        return ask_again(entry, json.loads(entry.body), changes)

    def resume(self, order_id: str | None = None) -> Gallery:
        """Pick up what is unfinished (or one order): sent again under its key where that is safe, followed,
        fetched. What cannot be told is `unknown` in the gallery, with the reason as its error."""
        tasks, final_result = self.desk.resume(order_id)
        return Gallery((*final_result, *(task.final_result() for task in tasks)))

    # A picture in words, and a file's URL.

    def describe(
        self,
        picture: object,
        language: str | None = None,
        *,
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        tags: str | Sequence[str] = (),
    ) -> Described:
        """A picture as a structured prompt, for 1 credit: a path, a URL, bytes, a picture object or an
        earlier result; `language` is a locale code (`zh`, `ja`, ...), English without one.

        It is asked for once: where the answer is lost, `OrderUnknown` is raised and nothing is sent again. A
        refusal costs nothing. API documentation: `POST /v1/describe-image`.
        """
        entry = engine.shared().run(self._description(picture, language, tags))
        must = money.must_confirm(
            tasks=1, total=describe.CREDITS, variants=True, yes=yes, ask=ask, policy=self.settings.confirm
        )
        self.confirm(PricedBatch((), describe.CREDITS, 1, must, budget))
        with self.desk.promise(describe.CREDITS):
            self.ledger.intend_description(entry)
        try:
            return engine.shared().run(self._describer.describe(entry))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Waiting stopped; the description goes on and is paid: show order {entry.order_id} has it."
            ) from None

    def described(self, order_id: str) -> Described:
        """An earlier description, by the id of its order or the beginning of one."""
        return describe.described_of(self.ledger.find(order_id))

    def upload(self, file: object) -> Upload:
        """Bring a file to ZOOOP, once for each content, token and host; a clip is followed until it is ready.

        Takes what a media param takes. Raises `BadMedia` for a file that is missing, empty, over 100 MB or
        of a type that the API does not take. API documentation: `POST /v1/uploads`.
        """
        brought = engine.shared().run(media.upload_value(file, "any", "upload", self.desk.shelf))
        assert brought.url is not None
        size = brought.path.stat().st_size if brought.path else None
        return Upload(brought.url, brought.content_type, size, self.backend.mode)

    # The steps, for whoever stands in front: see `Checkout`.

    def prepare(self, asks: Sequence[OrderRequest], **how: Any) -> PricedBatch:
        """`Checkout.prepare`."""
        return self.desk.prepare(asks, **how)

    def confirm(self, prepared: PricedBatch) -> None:
        """`Checkout.confirm`."""
        self.desk.confirm(prepared)

    def place(self, prepared: PricedBatch) -> Tasks:
        """`Checkout.place`."""
        return self.desk.place(prepared)

    async def _description(
        self, picture: object, language: str | None, tags: str | Sequence[str]
    ) -> OrderRecord:
        origin = face.current().origin()
        brought, me = await asyncio.gather(
            media.upload_value(picture, "image", "describe", self.desk.shelf), self.desk.fresh_me()
        )
        labels = (tags,) if isinstance(tags, str) else tuple(tags)
        return describe.entry_for(
            brought, language, origin=origin, tags=labels, backend=self.backend, me=me, who=self.desk.who
        )


OURS = frozenset({"yes", "ask", "budget", "fresh"})


def _read_call(verb: str, words: str, given: Mapping[str, Any]) -> tuple[OrderRequest, dict[str, Any]]:
    """A call's keywords sorted into what is ours and what is the model's."""
    rest = dict(given)
    ours = {name: rest.pop(name) for name in OURS & rest.keys()}
    params = {**rest.pop("params", {})}
    tags = rest.pop("tags", ())
    count = rest.pop("count", 1)
    if not isinstance(count, int):
        raise InputError(f"The count is a whole number, not “{count}”.", value=str(count))
    ask = OrderRequest(
        verb,
        words,
        slug=rest.pop("slug", None),
        model=rest.pop("model", None),
        version=rest.pop("version", None),
        count=count,
        best=rest.pop("best", False),
        cheap=rest.pop("cheap", False),
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
        params={**rest, **params},
    )
    return ask, ours
