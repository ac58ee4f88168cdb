"""Media of one call is read, encoded, fetched and uploaded once, and is what the fingerprint names."""

import asyncio
import http.server
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.holding_proxy import HoldingProxy
from tests.support.media import moving
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.client import LiveBackend
from zooop_nb.contract.backend import OnWait
from zooop_nb.orders.order import Order, Origin
from zooop_nb.orders.pricing import PricedOrder, price, resolve
from zooop_nb.orders.request import OrderRequest
from zooop_nb.orders.single_flight import SingleFlight
from zooop_nb.settings import Settings
from zooop_nb.studio import Studio
from zooop_nb.tasks import loop

MODEL = "Seedream"


def priced(studio: Studio, values: list[Any]) -> list[PricedOrder]:
    """Resolve and price an order for each value, side by side, as one call."""
    checkout = studio.checkout
    store = checkout.media_store.for_call()

    async def side_by_side() -> list[PricedOrder]:
        requests = [
            OrderRequest("image", f"take {number}", params={"image_urls": value}, model=MODEL)
            for number, value in enumerate(values)
        ]
        orders: list[Order] = await asyncio.gather(
            *(resolve(each, checkout.catalogue, store, Origin()) for each in requests)
        )
        slots = asyncio.Semaphore(8)
        return await asyncio.gather(*(price(each, checkout.backend, store, slots) for each in orders))

    return loop.shared().run(side_by_side())


def contents_of(orders: list[PricedOrder]) -> set[str | None]:
    return {media.sha256 for each in orders for media in each.order.media()}


async def both_wait(uploads: SingleFlight) -> None:
    """Return once two calls wait for the one upload under way."""
    [flight] = uploads._flights.values()
    while flight.waiters < 2:
        await asyncio.sleep(0.01)


class Figure:
    """A figure that counts how often it is drawn."""

    def __init__(self) -> None:
        self.drawn = 0

    def savefig(self, target: io.BytesIO, **_: object) -> None:
        self.drawn += 1
        Image.new("RGB", (8, 8), "red").save(target, "PNG")


def test_twenty_orders_side_by_side_upload_one_picture_once(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    orders = priced(studio, [picture, [str(picture)], [picture]] * 7)
    assert len(contents_of(orders)) == 1
    assert len(books.uploads) == 1


def test_a_rejected_upload_is_rejected_for_all_and_tried_again_by_the_next_call(
    studio: Studio, books: SandboxHarness, picture: Path, faults: Callable[..., None]
) -> None:
    faults({"method": "POST", "path": "/v1/uploads", "do": {"status": 400}, "times": 1})
    with pytest.raises(errors.ZooopError):
        priced(studio, [picture] * 5)
    assert books.pending_faults == 0
    assert books.uploads == []
    priced(studio, [picture] * 5)
    assert len(books.uploads) == 1


def test_an_interrupted_call_does_not_take_away_the_upload_that_another_waits_for(
    studio_of: Callable[..., Studio], books: SandboxHarness, picture: Path
) -> None:
    with HoldingProxy(books.url) as proxy:
        studio = studio_of(host=proxy.url)
        hold = proxy.hold("POST /v1/uploads", "request")
        request = OrderRequest("image", "a panda", params={"image_urls": picture}, model=MODEL)
        checkout = studio.checkout

        async def call() -> PricedOrder:
            store = checkout.media_store.for_call()
            order = await resolve(request, checkout.catalogue, store, Origin())
            return await price(order, checkout.backend, store, asyncio.Semaphore(1))

        first, second = loop.shared().start(call()), loop.shared().start(call())
        assert hold.reached.wait(30)
        loop.shared().run(both_wait(checkout.media_store.uploads))
        first.cancel()
        hold.opened.set()
        assert second.result(30).quote is not None
        with pytest.raises(CancelledError):
            first.result(30)
        assert len(books.uploads) == 1


def test_an_object_is_encoded_once_in_a_call_and_anew_in_the_next(
    studio: Studio, books: SandboxHarness
) -> None:
    figure = Figure()
    priced(studio, [figure] * 10)
    assert figure.drawn == 1
    array = np.zeros((8, 8, 3), dtype="uint8")
    [before] = contents_of(priced(studio, [array] * 5))
    array[:] = 255
    [after] = contents_of(priced(studio, [array] * 5))
    assert before != after
    assert len(books.uploads) == 3


@pytest.fixture
def elsewhere(png: bytes) -> Iterator[tuple[str, list[str]]]:
    """A picture at a foreign URL, and the requests for it."""
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(png)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/panda.png", requests
        server.shutdown()


def test_a_foreign_url_is_fetched_once_in_a_call(
    studio: Studio, books: SandboxHarness, elsewhere: tuple[str, list[str]]
) -> None:
    url, requests = elsewhere
    priced(studio, [url] * 10)
    assert len(requests) == 1
    priced(studio, [url])
    assert len(requests) == 2
    assert len(books.uploads) == 1


class Meddling(LiveBackend):
    """A backend during whose upload something happens to the file."""

    before: Callable[[Path], object] | None = None
    after: Callable[[Path], object] | None = None

    async def upload(self, file: Path, content_type: str, on_wait: OnWait | None = None) -> str:
        if self.before is not None:
            self.before(file)
        url = await super().upload(file, content_type, on_wait)
        if self.after is not None:
            self.after(file)
        return url


def redraw(path: Path) -> None:
    """Write another picture of the same size in bytes, and keep the file's time."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    os.utime(path, ns=times)


@pytest.fixture
def meddling(settings_of: Callable[..., Settings], reset: None) -> Iterator[tuple[Studio, Meddling]]:
    settings = settings_of()
    backend = Meddling(settings)
    studio = Studio(settings=settings, backend=backend)
    yield studio, backend
    studio.close()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("age", [0, 3600])
def test_a_file_that_changes_while_it_is_uploaded_is_not_used(
    meddling: tuple[Studio, Meddling], picture: Path, when: str, age: int
) -> None:
    studio, backend = meddling
    then = time.time() - age
    os.utime(picture, (then, then))
    setattr(backend, when, redraw)
    with pytest.raises(errors.BadMedia, match=r"red, panda.png has changed since it was read"):
        priced(studio, [picture] * 3)
    setattr(backend, when, None)
    # What went up is not taken for either content.
    priced(studio, [picture])
    uploads = studio.ledger._db.connection.execute("SELECT sha256 FROM uploads").fetchall()
    assert len(uploads) == 1


@pytest.mark.parametrize(
    "change", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes() * 2)]
)
def test_a_file_that_is_removed_or_grows_on_its_way_up_is_the_files_fault_and_not_the_networks(
    meddling: tuple[Studio, Meddling], picture: Path, change: Callable[[Path], object]
) -> None:
    studio, backend = meddling
    backend.before = change
    with pytest.raises(errors.BadMedia, match=r"red, panda\.png .*so it was not used"):
        priced(studio, [picture])


def test_a_file_that_changes_between_reading_and_upload_is_not_sent(
    studio: Studio, books: SandboxHarness, picture: Path
) -> None:
    checkout = studio.checkout
    store = checkout.media_store.for_call()
    request = OrderRequest("image", "a panda", params={"image_urls": picture}, model=MODEL)

    async def scene() -> None:
        order = await resolve(request, checkout.catalogue, store, Origin())
        redraw(picture)
        with pytest.raises(errors.BadMedia, match="has changed since"):
            await price(order, checkout.backend, store, asyncio.Semaphore(1))

    loop.shared().run(scene())
    assert books.uploads == []


def test_a_touched_file_is_still_the_same(studio: Studio, books: SandboxHarness, picture: Path) -> None:
    checkout = studio.checkout
    store = checkout.media_store.for_call()
    request = OrderRequest("image", "a panda", params={"image_urls": picture}, model=MODEL)

    async def scene() -> None:
        order = await resolve(request, checkout.catalogue, store, Origin())
        picture.touch()
        await price(order, checkout.backend, store, asyncio.Semaphore(1))

    loop.shared().run(scene())
    assert len(books.uploads) == 1


def test_a_relative_path_is_the_file_that_it_named_when_it_was_given(
    studio: Studio, books: SandboxHarness, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = studio.checkout
    store = checkout.media_store.for_call()
    request = OrderRequest("image", "a panda", params={"image_urls": Path(picture.name)}, model=MODEL)
    monkeypatch.chdir(picture.parent)
    order = loop.shared().run(resolve(request, checkout.catalogue, store, Origin()))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    loop.shared().run(price(order, checkout.backend, store, asyncio.Semaphore(1)))
    assert len(books.uploads) == 1


def test_a_path_in_the_home_of_nobody_is_named(studio: Studio) -> None:
    with pytest.raises(errors.BadMedia, match=r"image_urls: ~nobody-of-this-name/a.png names no file"):
        studio.quote("image", "x", model=MODEL, image_urls="~nobody-of-this-name/a.png")


def test_one_picture_as_two_params_is_one_upload(
    studio: Studio, books: SandboxHarness, tmp_path: Path
) -> None:
    path = tmp_path / "frame.png"
    moving(1)[0].save(path)
    request = OrderRequest("animate", "it moves", params={"first_frame": path, "last_frame": path})
    checkout = studio.checkout
    store = checkout.media_store.for_call()

    async def scene() -> Order:
        order = await resolve(request, checkout.catalogue, store, Origin())
        return (await price(order, checkout.backend, store, asyncio.Semaphore(1))).order

    order = loop.shared().run(scene())
    assert len({media.url for media in order.media()}) == 1
    assert len(books.uploads) == 1
