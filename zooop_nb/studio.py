"""The Python API: the same verbs as the magic, blocking and awaitable, safe from any thread."""

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from zooop_nb import backends, frontend
from zooop_nb import settings as settings_
from zooop_nb.contract.backend import Backend
from zooop_nb.contract.credits import Number
from zooop_nb.contract.shapes import Me
from zooop_nb.errors import InputError, UnknownName
from zooop_nb.frontend import HostFrontend
from zooop_nb.ledger import Ledger
from zooop_nb.nearest import nearest
from zooop_nb.orders.estimate import Estimate, estimate
from zooop_nb.orders.inputs import upload_value
from zooop_nb.orders.request import OrderRequest, SpendingOptions, read_call, repeat_request
from zooop_nb.results.probe import probe
from zooop_nb.results.values import Described, Gallery, Quoted, Result, Upload
from zooop_nb.settings import Settings, Token
from zooop_nb.signatures import VerbMethod, takes_changes, takes_prompts, takes_slug, takes_verb
from zooop_nb.tasks import loop
from zooop_nb.tasks.checkout import Checkout
from zooop_nb.tasks.task import Task, Tasks
from zooop_nb.verbs import GENERATION_VERBS

if TYPE_CHECKING:
    import pandas as pd


class Studio:
    """ZOOOP from Python.

    Settings come from the environment unless they are given. `backend` replaces the API in force, `front_end`
    the registered default. Keywords of the verbs are params of the model, except those of `OrderOptions`.
    """

    image = VerbMethod()
    edit = VerbMethod()
    svg = VerbMethod()
    video = VerbMethod()
    animate = VerbMethod()
    motion = VerbMethod()
    lipsync = VerbMethod()
    extend = VerbMethod()
    restyle = VerbMethod()
    speech = VerbMethod()
    clone = VerbMethod()
    sfx = VerbMethod()
    music = VerbMethod()

    def __init__(
        self,
        *,
        token: str | Token | None = None,
        host: str | None = None,
        settings: Settings | None = None,
        backend: Backend | None = None,
        front_end: HostFrontend | None = None,
    ) -> None:
        self.settings: Final = settings or settings_.load(call={"host": host} if host else {}, token=token)
        # Made before anything can fork: a child then shares the session.
        settings_.session_id()
        self._given_backend = backend
        self._given_frontend = front_end
        self._opening = threading.RLock()
        self._ledger: Ledger | None = None
        self._checkout: Checkout | None = None

    def __repr__(self) -> str:
        return f"<Studio at {self.settings.host}>"

    # Its parts: each is opened when it is first needed, once, by whichever thread comes first.

    @property
    def ledger(self) -> Ledger:
        """The ledger; `studio.ledger.frame()` is the DataFrame. Raises `LedgerError`."""
        with self._opening:
            if self._ledger is None:
                self._ledger = Ledger(self.settings.ledger_path)
            return self._ledger

    @property
    def checkout(self) -> Checkout:
        """Where orders are priced, confirmed, placed and resumed. Raises `MissingKey` without a token."""
        with self._opening:
            if self._checkout is None:
                backend = self._given_backend or backends.open(self.settings)
                self._checkout = Checkout(self.settings, backend, self.ledger)
            return self._checkout

    @property
    def backend(self) -> Backend:
        """The backend in force. Raises `MissingKey` without a token."""
        return self.checkout.backend

    @property
    def frontend(self) -> HostFrontend:
        """The front end: the given one, else the registered default."""
        return self._given_frontend or frontend.default()

    def close(self) -> None:
        """Close the connections and the ledger. Tasks that are still followed are abandoned."""
        with self._opening:
            if self._checkout is not None:
                self._checkout.close()
                loop.shared().run(self._checkout.backend.aclose())
            if self._ledger is not None:
                self._ledger.close()

    # Queries.

    def me(self) -> Me:
        """Return the token's own view of itself: wallet, cap, project, limits."""
        return self.checkout.fresh_me()

    def models(self, verb: str = "image") -> "pd.DataFrame":
        """Return the models of a verb as a DataFrame: one row per version, recommended first.

        `credits` is a ballpark per `unit`; `mark` says `recommended` and `cheapest` (by ballpark, within a
        unit).
        """
        category = GENERATION_VERBS.get(verb)
        if category is None:
            raise UnknownName("verb", verb, nearest=nearest(verb, GENERATION_VERBS))
        from zooop_nb.results.tables import models_frame

        return models_frame(loop.shared().run(self.checkout.catalogue.models(category)))

    def tools(self) -> "pd.DataFrame":
        """Return the AI tools as a DataFrame."""
        from zooop_nb.results.tables import recipes_frame

        return recipes_frame(loop.shared().run(self.checkout.catalogue.tools()))

    def templates(self) -> "pd.DataFrame":
        """Return the templates as a DataFrame."""
        from zooop_nb.results.tables import recipes_frame

        return recipes_frame(loop.shared().run(self.checkout.catalogue.templates()))

    def tasks(self) -> "pd.DataFrame":
        """Return what is under way or unfinished as a DataFrame."""
        from zooop_nb.results.tables import tasks_frame

        return tasks_frame(self.ledger)

    def result(self, order_id: str) -> Result:
        """Return an earlier result by the id of its order or task, or by its first 4 characters or more."""
        return Result.of(self.ledger.find(order_id), self.settings.media_path)

    def described(self, order_id: str) -> Described:
        """Return an earlier description by the id of its order, or by its first 4 characters or more."""
        return Described.of(self.ledger.find(order_id))

    @takes_verb
    def quote(self, verb: str, words: str = "", *, slug: str | None = None, **options: Any) -> Quoted:
        """Return the exact price of an order that is not placed; the ledger has it as a quote.

        `slug` is that of a tool or template, with the verbs `tool` and `template`.
        """
        request, _ = read_call(verb, words, options, slug=slug)
        return self.checkout.quote(request, self.frontend.origin())

    @takes_verb
    def estimate(self, verb: str, words: str = "", *, slug: str | None = None, **options: Any) -> Estimate:
        """Return what an order would cost, without uploading or recording anything.

        Exact where its media is uploaded already, else about, by listed prices and the length of the files.
        """
        request, _ = read_call(verb, words, options, slug=slug)
        checkout = self.checkout
        store = checkout.media_store.for_call()
        return loop.shared().run(estimate(request, checkout.catalogue, checkout.backend, store, probe))

    # Orders.

    @takes_verb
    def start(self, verb: str, words: str = "", *, slug: str | None = None, **options: Any) -> Task:
        """Quote, confirm and queue one task; it is sent in its turn, and followed in the background."""
        if options.get("count", 1) != 1:
            raise InputError(
                "start() makes one task; start_all() makes several.", value=str(options["count"])
            )
        return self.start_all(verb, words, slug=slug, **options)[0]

    @takes_verb
    def start_all(self, verb: str, words: str = "", *, slug: str | None = None, **options: Any) -> Tasks:
        """Quote, confirm and queue `count` tasks; they are sent in their turn, in the background."""
        request, spending = read_call(verb, words, options, slug=slug)
        return self.order_all([request], spending, background=True)

    def order_all(
        self,
        requests: Sequence[OrderRequest],
        spending: SpendingOptions,
        *,
        variants: bool = True,
        background: bool = False,
    ) -> Tasks:
        """Quote, confirm and queue what the requests ask for; `background` says that nobody waits for it."""
        return self.checkout.order(
            requests,
            self.frontend,
            self.frontend.origin(),
            variants=variants,
            background=background,
            **spending,
        )

    @takes_prompts
    def batch(self, verb: str, prompts: Sequence[str], **options: Any) -> Gallery:
        """Order one task for each prompt, with one confirmation for all, and wait."""
        if isinstance(prompts, str):
            raise InputError(
                f"batch() takes a list of prompts; for one prompt there is {verb}().", value=prompts
            )
        calls = [read_call(verb, prompt, options) for prompt in prompts]
        if not calls:
            raise InputError("There are no prompts.", value="prompts")
        requests, spending = [request for request, _ in calls], calls[0][1]
        return self.order_all(requests, spending, variants=False).result()

    @takes_slug
    def tool(self, slug: str, words: str = "", **options: Any) -> Result | Gallery:
        """Run an AI tool and wait."""
        return self._recipe("tool", slug, words, options)

    @takes_slug
    def template(self, slug: str, words: str = "", **options: Any) -> Result | Gallery:
        """Run a template, by its slug or its page's address, and wait."""
        return self._recipe("template", slug, words, options)

    @takes_changes
    def again(self, **options: Any) -> Result | Gallery:
        """Place the last order once more, with changed params, and wait."""
        changes, spending = read_call("again", "", options)
        request = self.repeat(changes, fresh=spending.get("fresh", False))
        return self.order_all([request], spending).single_or_gallery()

    def repeat(self, changes: OrderRequest, *, fresh: bool = False) -> OrderRequest:
        """Return the last order of this backend's mode as a request, with changes. Raises `InputError`.

        Orders of an earlier run that this run of the cell continues do not count, unless `fresh`.
        """
        record = self.checkout.last(self.frontend.origin(), fresh=fresh)
        if record is None:
            raise InputError("There is no earlier order to make again.")
        return repeat_request(record, changes)

    def resume(self, order_id: str | None = None) -> Gallery:
        """Pick up what is unfinished, or one order, and wait.

        An order is sent again under its key if that is safe, then followed and its outputs downloaded. One
        whose state cannot be determined is `unknown` in the gallery, with the reason as its error.
        """
        tasks, others = self.checkout.resume(order_id, self.frontend.origin())
        return Gallery((*others, *tasks.final_results()))

    def describe(
        self,
        picture: object,
        language: str | None = None,
        *,
        yes: bool = False,
        ask: bool = False,
        budget: Number | None = None,
        fresh: bool = False,
        tags: str | Sequence[str] = (),
    ) -> Described:
        """Return an image as a structured prompt, for 1 credit.

        `picture` is whatever a media param takes; `language` is a locale code (`zh`, `ja`, ...; default:
        English). Sent at most once: a lost response raises `OrderUnknown`. A refusal costs nothing.
        API documentation: `POST /v1/describe-image`.
        """
        labels = (tags,) if isinstance(tags, str) else tuple(tags)
        params = {"image_url": picture, "language": language}
        request = OrderRequest("describe", params=params, tags=labels)
        [task] = self.order_all([request], {"yes": yes, "ask": ask, "budget": budget, "fresh": fresh})
        return Described.of(task.record())

    def upload(self, file: object) -> Upload:
        """Upload a file, once for each content, token and host; a clip is polled until it is ready.

        Takes what a media param takes. Raises `BadMedia` if the file is missing, empty, over 100 MB or of a
        type that the API does not take. API documentation: `POST /v1/uploads`.
        """
        media = loop.shared().run(upload_value(file, self.checkout.media_store))
        assert media.url is not None
        size = media.path.stat().st_size if media.path else None
        return Upload(media.url, media.content_type, size, self.backend.mode)

    def _recipe(self, verb: str, slug: str, words: str, options: dict[str, Any]) -> Result | Gallery:
        request, spending = read_call(verb, words, options, slug=slug)
        return self.order_all([request], spending).single_or_gallery()
