"""The Python API: the same verbs as the magic, blocking and awaitable, safe from any thread."""

import asyncio
import getpass
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, overload

from zooop_nb import settings as settings_
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.shapes import Me, Number, Quote
from zooop_nb.errors import ConfirmationNeeded, Declined, Do, InputError, UnknownName, remedy
from zooop_nb.ledger import Entry, Ledger
from zooop_nb.ledger.entry import now
from zooop_nb.nearest import nearest
from zooop_nb.settings import Settings, Token
from zooop_nb.studio import describe, engine, face, media, money
from zooop_nb.studio.carry import Carrier, may_follow, may_resend
from zooop_nb.studio.catalogue import Catalogue
from zooop_nb.studio.describe import Described
from zooop_nb.studio.media import Shelf
from zooop_nb.studio.order import Order, Origin
from zooop_nb.studio.plan import Ask, Plan, ask_again, entry_for, price, resolve
from zooop_nb.studio.progress import Track
from zooop_nb.studio.result import Gallery, Quoted, Result, Upload
from zooop_nb.studio.task import Task, Tasks, result_of
from zooop_nb.studio.verbs import VERBS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prepared:
    """What one call will do: its plans, priced, and whether somebody must say yes first."""

    plans: tuple[Plan, ...]
    total: Number
    """Credits that are left to pay."""
    tasks: int
    """Tasks that are left to pay for."""
    must_confirm: bool
    budget: Number | None = None
    """The budget of this call alone, in credits."""

    @property
    def question(self) -> str:
        """What to ask."""
        from zooop_nb.studio.render import credits_text

        what = "this task" if self.tasks == 1 else f"these {self.tasks} tasks"
        return f"Spend {credits_text(self.total)} on {what}?"


class Making:
    """A verb as a method: `studio.image("a red panda", aspect_ratio="16:9")`."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self.__doc__ = f"Make {VERBS[verb].help}: quote, confirm, submit, wait. See `Studio.make`."

    @overload
    def __get__(self, studio: None, owner: object) -> "Making": ...

    @overload
    def __get__(self, studio: "Studio", owner: object) -> Callable[..., Result | Gallery]: ...

    def __get__(
        self, studio: "Studio | None", owner: object = None
    ) -> "Making | Callable[..., Result | Gallery]":
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

    image = Making("image")
    edit = Making("edit")
    svg = Making("svg")
    video = Making("video")
    animate = Making("animate")
    motion = Making("motion")
    lipsync = Making("lipsync")
    extend = Making("extend")
    restyle = Making("restyle")
    speech = Making("speech")
    clone = Making("clone")
    sfx = Making("sfx")
    music = Making("music")

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
        self._budget = money.Budget()
        self._since = now()
        self._me: Me | None = None
        self._followed: set[Task] = set()

    def __repr__(self) -> str:
        return f"<Studio at {self.settings.host}>"

    # What it stands on; each is made when it is first needed.

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger; `studio.ledger.frame()` is the DataFrame."""
        return Ledger(self.settings.ledger_path)

    @cached_property
    def backend(self) -> Backend:
        """The API in force. Raises `MissingKey` without a token."""
        if self._given_backend is not None:
            return self._given_backend
        self.settings.require_token()
        from zooop_nb.client import LiveBackend

        return LiveBackend(self.settings)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Models, tools and templates."""
        return Catalogue(self.backend, self.settings.cache_path)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self.backend, self.ledger, self.settings.cache_path / "params")

    @cached_property
    def _carrier(self) -> Carrier:
        return Carrier(self.backend, self.ledger, self.settings.media_path)

    @cached_property
    def _describer(self) -> describe.Describer:
        return describe.Describer(self.backend, self.ledger)

    @cached_property
    def _who(self) -> str | None:
        try:
            return getpass.getuser()
        except (OSError, KeyError, ImportError):
            # No name for this user id, as in some containers.
            return None

    def close(self) -> None:
        """Close the connections and the ledger. Tasks that are still followed are abandoned."""
        Tasks(tuple(self._followed)).stop_waiting()
        if "backend" in self.__dict__:
            engine.shared().run(self.backend.aclose())
        if "ledger" in self.__dict__:
            self.ledger.close()

    # Asking.

    def me(self) -> Me:
        """The token about itself: wallet, cap, project, limits."""
        return engine.shared().run(self._fresh_me())

    def models(self, verb: str = "image") -> "pd.DataFrame":
        """The models of a verb as a DataFrame, a row a version, recommended first.

        `credits` is a ballpark per `unit`; `mark` says `recommended` and `cheapest` (by ballpark, within
        a unit).
        """
        if verb not in VERBS:
            raise UnknownName("verb", verb, nearest=nearest(verb, VERBS))
        from zooop_nb.studio.tables import models_frame

        return models_frame(engine.shared().run(self.catalogue.models(VERBS[verb].category)))

    def tools(self) -> "pd.DataFrame":
        """The AI tools as a DataFrame."""
        from zooop_nb.studio.tables import recipes_frame

        return recipes_frame(engine.shared().run(self.catalogue.tools()))

    def templates(self) -> "pd.DataFrame":
        """The templates as a DataFrame."""
        from zooop_nb.studio.tables import recipes_frame

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
        from zooop_nb.studio.tables import tasks_frame

        return tasks_frame(self.ledger)

    # Making.

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
        return self._start([ask], variants=True, **ours)

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
        return self._start(asks, variants=False, **ours).result()

    def tool(self, slug: str, words: str = "", **given: Any) -> Result | Gallery:
        """Run an AI tool."""
        return self.make("tool", words, slug=slug, **given)

    def template(self, slug: str, words: str = "", **given: Any) -> Result | Gallery:
        """Run a template, by its slug or its page's address."""
        return self.make("template", words, slug=slug, **given)

    def again(self, **changes: Any) -> Result | Gallery:
        """The last order once more, with changed params."""
        tasks = self._start([self.ask_again(changes)], variants=True)
        return tasks[0].result()

    def ask_again(self, changes: Mapping[str, object], entry: Entry | None = None) -> Ask:
        """The last order (or another) as something to ask for, with changes."""
        entry = entry or self.ledger.last(mode=self.backend.mode)
        if entry is None:
            raise InputError("There is no earlier order to make again.")
        return ask_again(entry, json.loads(entry.body), changes)

    def resume(self, order_id: str | None = None) -> Gallery:
        """Pick up what is unfinished (or one order): sent again under its key where that is safe, followed,
        fetched. What cannot be told is `unknown` in the gallery, with the reason as its error."""
        tasks, settled = self.pick_up(order_id)
        return Gallery((*settled, *(task.settled() for task in tasks)))

    def pick_up(self, order_id: str | None = None) -> tuple[Tasks, tuple[Result, ...]]:
        """The tasks that `resume` follows, begun; and the orders that it can only report."""
        self._carrier.catch_up()
        entries = self.ledger.unfinished() if order_id is None else [self.ledger.find(order_id)]
        tasks: list[Task] = []
        settled: list[Result] = []
        for entry in entries:
            if entry.state == "quoted":
                note = "It was only quoted; nothing was sent."
                settled.append(replace(result_of(entry), error=note))
            elif entry.ended:
                settled.append(result_of(entry))
            elif self.ledger.is_followed(entry):
                note = "a live session follows it"
                settled.append(replace(result_of(entry), error=note))
            elif entry.target == "describe":
                if entry.state != "unknown":
                    self.ledger.unknown(
                        entry.order_id, f"{describe.LOST}: its session ended before the answer came."
                    )
                settled.append(result_of(self.ledger.get(entry.order_id)))
            else:
                self._pick_up(entry, tasks, settled)
        return Tasks(tasks), tuple(settled)

    def _pick_up(self, entry: Entry, tasks: list[Task], settled: list[Result]) -> None:
        if entry.task_id is None and not may_resend(entry, self.backend):
            why = (
                "its first sending is over 23 hours ago"
                if may_follow(entry, self.backend)
                else f"it was sent with another token or to another host ({entry.host})"
            )
            why = f"Whether it arrived cannot be told, and it is not sent again: {why}."
            self.ledger.unknown(entry.order_id, why)
            settled.append(result_of(self.ledger.get(entry.order_id)))
        elif entry.task_id is not None and not may_follow(entry, self.backend):
            why = f"Only the token that made it can see it, at {entry.host}."
            settled.append(replace(result_of(entry), error=why))
        elif self.ledger.claim(entry):
            tasks.append(self._carry(self.ledger.get(entry.order_id), resent=True))

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
        self.confirm(Prepared((), describe.CREDITS, 1, must, budget))
        committed = partial(self.ledger.committed, since=self._since, mode=self.backend.mode)
        with self._budget.promise(describe.CREDITS, limit=self.settings.budget, committed=committed):
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
        brought = engine.shared().run(media.bring(file, "any", "upload", self._shelf))
        assert brought.url is not None
        size = brought.path.stat().st_size if brought.path else None
        return Upload(brought.url, brought.content_type, size, self.backend.mode)

    # The steps, for whoever stands in front (a notebook shows the line between them).

    def prepare(
        self,
        asks: Sequence[Ask],
        *,
        variants: bool = True,
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        paying: bool = True,
    ) -> Prepared:
        """Resolve and quote; attach to abandoned orders of this cell unless `fresh`. Nothing is paid yet.

        `variants` says that the number of tasks was asked for (`count`). With `paying=False` it is a quote
        only: the wallet is not asked, and nothing is attached to.
        """
        origin = face.current().origin()
        plans = engine.shared().run(self._plans(asks, origin, attach=paying and not fresh, paying=paying))
        total = sum(plan.total for plan in plans)
        tasks = sum(len(plan.entries) for plan in plans)
        must = tasks > 0 and money.must_confirm(
            tasks=tasks, total=total, variants=variants, yes=yes, ask=ask, policy=self.settings.confirm
        )
        return Prepared(tuple(plans), total, tasks, must, budget)

    def confirm(self, prepared: Prepared) -> None:
        """Check the call's budget, the wallet and the daily cap, then ask where the guide asks.

        Raises `OverBudget`, `ConfirmationNeeded` where nobody can answer, `Declined` on no.
        """
        money.check_call_budget(prepared.total, prepared.budget)
        if prepared.tasks and self._me is not None:
            money.check_wallet(self._me, prepared.total)
        if not prepared.must_confirm:
            return
        answer = face.current().ask(prepared.question)
        if answer is None:
            raise ConfirmationNeeded(
                f"{prepared.question} Nobody is here to answer, so nothing was submitted.",
                value=str(prepared.total),
                remedies=[remedy(Do.SAY_YES)],
            )
        if not answer:
            raise Declined("Not confirmed; nothing was submitted.", value=str(prepared.total))

    def place(self, prepared: Prepared) -> Tasks:
        """Hold the budget, write the intents, all of them or none, and submit. Raises `OverBudget`."""
        committed = partial(self.ledger.committed, since=self._since, mode=self.backend.mode)
        known: dict[str, Any] = {}
        if self._me is not None:
            me = self._me
            known = {"key_label": me.key.label, "project": me.project.name, "wallet": me.wallet}
        new = [entry.order_id for plan in prepared.plans for entry in plan.entries]
        tasks: list[Task] = []
        try:
            with self._budget.promise(prepared.total, limit=self.settings.budget, committed=committed):
                self.ledger.intend(new, **known)
            for plan in prepared.plans:
                for entry in plan.attached:
                    tasks.append(self._carry(entry, resent=True))
                for entry in plan.entries:
                    tasks.append(self._carry(self.ledger.get(entry.order_id)))
        except BaseException as error:
            stopped = Tasks(tasks).interrupted()
            if tasks and isinstance(error, KeyboardInterrupt):
                raise stopped from None
            raise
        return Tasks(tasks)

    @contextmanager
    def unless_placed(self, prepared: Prepared) -> Iterator[None]:
        """Around all that stands between `prepare` and the end of `place`: where it breaks off, nobody
        follows these orders any more, and the next run of the cell can attach to what may be paid."""
        try:
            yield
        except BaseException:
            for entry in (each for plan in prepared.plans for each in (*plan.attached, *plan.entries)):
                if self.ledger.get(entry.order_id).follower is not None:
                    self.ledger.abandon(entry.order_id)
            raise

    def _start(self, asks: Sequence[Ask], *, variants: bool, **ours: Any) -> Tasks:
        prepared = self.prepare(asks, variants=variants, **ours)
        with self.unless_placed(prepared):
            self.confirm(prepared)
            tasks = self.place(prepared)
        tasks.accepted()
        return tasks

    def _carry(self, entry: Entry, *, resent: bool = False) -> Task:
        track = Track()
        submitted: Future[Entry] = Future()
        future = engine.shared().start(self._carrier.carry(entry, track, submitted, resent=resent))
        task = Task(entry, track, submitted, future, self.ledger)
        self._followed.add(task)
        task.when_done(partial(self._followed.discard, task))
        return task

    async def _plans(self, asks: Sequence[Ask], origin: Origin, *, attach: bool, paying: bool) -> list[Plan]:
        orders = [await resolve(ask, self.catalogue, self._shelf, origin) for ask in asks]
        if attach:
            self._carrier.catch_up()
        attached = [
            self._attach(order, ask.count) if attach else () for order, ask in zip(orders, asks, strict=True)
        ]
        batch = str(uuid.uuid4())
        # A few at a time: quotes have a limit of their own (120 a minute), and bodies that are the same
        # need one quote only.
        quoted: dict[str, tuple[Order, bytes, Quote]] = {}
        missing = {
            order.fingerprint: order
            for order, ask, found in zip(orders, asks, attached, strict=True)
            if len(found) < ask.count
        }
        try:
            me = self._fresh_me() if paying and missing else self._known_me()
            priced = asyncio.gather(*(price(order, self.backend, self._shelf) for order in missing.values()))
            _, prices = await asyncio.gather(me, priced)
        except BaseException:
            for entry in (entry for found in attached for entry in found):
                self.ledger.abandon(entry.order_id)
            raise
        quoted = dict(zip(missing, prices, strict=True))
        plans = []
        for order, ask, found in zip(orders, asks, attached, strict=True):
            if order.fingerprint not in quoted:
                plans.append(Plan(order, ask.count, attached=found))
                continue
            ready, body, quote = quoted[order.fingerprint]
            entries = tuple(
                entry_for(ready, body, quote, batch=batch, backend=self.backend, me=self._me, who=self._who)
                for _ in range(ask.count - len(found))
            )
            for entry in entries:
                self.ledger.quote(entry)
            plans.append(Plan(ready, ask.count, body, quote, found, entries))
        return plans

    def _attach(self, order: Order, count: int) -> tuple[Entry, ...]:
        """Up to `count` abandoned orders of this cell that ask for the same, each claimed for us."""
        origin = order.origin
        if origin.cell_hash is None:
            return ()
        found: list[Entry] = []
        for entry in self.ledger.abandoned(order.fingerprint, origin.cell_hash, origin.notebook, origin.run):
            if len(found) == count:
                break
            follows = may_resend if entry.task_id is None else may_follow
            if follows(entry, self.backend) and self.ledger.claim(entry):
                found.append(self.ledger.get(entry.order_id))
        return tuple(found)

    async def _description(self, picture: object, language: str | None, tags: str | Sequence[str]) -> Entry:
        origin = face.current().origin()
        brought, me = await asyncio.gather(
            media.bring(picture, "image", "describe", self._shelf), self._fresh_me()
        )
        labels = (tags,) if isinstance(tags, str) else tuple(tags)
        return describe.entry_for(
            brought, language, origin=origin, tags=labels, backend=self.backend, me=me, who=self._who
        )

    async def _fresh_me(self) -> Me:
        self._me = await self.backend.me()
        return self._me

    async def _known_me(self) -> Me:
        return self._me or await self._fresh_me()


OURS = frozenset({"yes", "ask", "budget", "fresh"})


def _read_call(verb: str, words: str, given: Mapping[str, Any]) -> tuple[Ask, dict[str, Any]]:
    """A call's keywords sorted into what is ours and what is the model's."""
    rest = dict(given)
    ours = {name: rest.pop(name) for name in OURS & rest.keys()}
    params = {**rest.pop("params", {})}
    tags = rest.pop("tags", ())
    count = rest.pop("count", 1)
    if not isinstance(count, int):
        raise InputError(f"The count is a whole number, not “{count}”.", value=str(count))
    ask = Ask(
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
