"""The live backend against a real socket: what it sends, what it survives, where its token goes."""

import asyncio
import contextlib
import hashlib
import http.server
import json
import os
import pickle
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import CHEAP, MAIN, TEAM, intent, picture_of
from tests.support.sandbox_harness import SandboxHarness
from zooop_nb import errors
from zooop_nb.client import LiveBackend
from zooop_nb.contract.categories import CATEGORIES
from zooop_nb.contract.clock import ServerClock
from zooop_nb.settings import Settings

OrderRequest = Callable[..., Any]


@pytest.fixture
def ask(settings_of: Callable[..., Settings], reset: None) -> OrderRequest:
    """`ask(lambda api: api.me())`: one backend, one event loop, one call."""

    def run(call: Callable[[LiveBackend], Coroutine[Any, Any, Any]], token: str = MAIN, **more: Any) -> Any:
        async def whole() -> Any:
            backend = LiveBackend(settings_of(token, **more))
            try:
                return await call(backend)
            finally:
                await backend.aclose()

        return asyncio.run(whole())

    return run


@pytest.fixture
def body(ask: OrderRequest) -> bytes:
    """The request body of a picture that costs 1 credit."""
    models = ask(lambda api: api.models("image", "default"))
    model = next(each for each in models if each.name == CHEAP)
    order = {"interfaceId": model.id, "versionId": "standard", "params": {"prompt": "a red panda"}}
    return json.dumps(order).encode()


def test_the_client_runs_on_the_http_library_that_the_run_names(
    settings_of: Callable[..., Settings], httpx_name: str
) -> None:
    http = LiveBackend(settings_of())._http
    connections = http._transport._pool  # type: ignore[attr-defined]
    used = {type(each).__module__.split(".")[0] for each in (http, http._transport, connections)}
    assert used == {httpx_name, httpx_name.replace("httpx", "httpcore")}


# Account, models, tools and templates.


def test_the_token_tells_about_its_wallet(ask: OrderRequest) -> None:
    mine, ours = ask(lambda api: api.me()), ask(lambda api: api.me(), TEAM)
    assert (mine.wallet, mine.balance, mine.key.label, mine.project.name) == (
        "personal",
        1000,
        "laptop",
        "Demo",
    )
    assert (ours.wallet, ours.balance, ours.user) == ("team", 5000, None)
    gone = ask(lambda api: api.me(), "zpk_test_unbound")
    assert (gone.project.id, gone.project.bound) == (None, False)


def test_every_category_has_models_and_an_unknown_one_is_refused_with_the_list(ask: OrderRequest) -> None:
    async def all_of_them(api: LiveBackend) -> list[Any]:
        return [await api.models(each.type, each.subtype) for each in CATEGORIES]

    for category, models in zip(CATEGORIES, ask(all_of_them), strict=True):
        assert models, str(category)
        assert {(each.type, each.sub_type) for each in models} == {(category.type, category.subtype)}
    with pytest.raises(errors.InvalidRequest) as caught:
        ask(lambda api: api.models("image", "no such&type=audio"))
    assert caught.value.code == "unknown_category"
    assert len(caught.value.extras["validCategories"]) == 13  # type: ignore[arg-type]


def test_tools_and_templates_are_listed_filtered_and_found_by_slug(ask: OrderRequest) -> None:
    async def both(api: LiveBackend) -> Any:
        return (
            await api.tools(),
            await api.tools("video"),
            await api.tool("background-removal"),
            await api.templates("image"),
            await api.template("superhero-movie-poster"),
        )

    tools, clips, tool, posters, poster = ask(both)
    assert {"background-removal", "style-transfer"} <= {each.slug for each in tools}
    assert {each.media_type for each in clips} == {"video"}
    assert tool == next(each for each in tools if each.slug == tool.slug)
    assert poster == next(each for each in posters if each.slug == poster.slug)
    for call, code in (
        (lambda api: api.tool("no such?tool"), "unknown_ai_tool"),
        (lambda api: api.template("no such"), "unknown_template"),
        (lambda api: api.tools("audio"), "invalid_type"),
        (lambda api: api.task("no?such"), "unknown_task"),
    ):
        with pytest.raises(errors.InvalidRequest) as caught:
            ask(call)
        assert caught.value.code == code


# Submitting with an idempotency key.


def test_a_key_is_paid_once_and_another_key_again(
    ask: OrderRequest, body: bytes, books: SandboxHarness
) -> None:
    async def twice(api: LiveBackend) -> Any:
        return [await api.submit(intent(body, key)) for key in ("k1", "k1", "k2")]

    first, same, other = ask(twice)
    assert (first.idempotent, same.idempotent) == (False, True)
    assert first.task_id == same.task_id != other.task_id
    assert [each["idempotencyKey"] for each in books.tasks] == ["k1", "k2"]
    assert books.spent() == 2


def test_an_answer_that_is_lost_is_asked_for_again_under_the_key(
    ask: OrderRequest, body: bytes, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults({"method": "POST", "path": "/v1/tasks", "do": "drop_after", "times": 2})
    submitted = ask(lambda api: api.submit(intent(body, "k1")))
    assert submitted.idempotent
    assert [each["taskId"] for each in books.charges] == [submitted.task_id]


@pytest.mark.parametrize(
    "do",
    [
        "drop_before",
        {"status": 500},
        {"status": 501, "code": "oops"},
        {"status": 502},
        {"status": 503, "code": "new"},
        {"status": 505},
        {"status": 524},
    ],
    ids=str,
)
def test_two_failures_and_then_an_answer_is_an_answer(
    ask: OrderRequest, body: bytes, books: SandboxHarness, faults: Callable[..., None], do: object
) -> None:
    faults({"path": "/v1/tasks", "do": do, "times": 2})
    assert not ask(lambda api: api.submit(intent(body, "k1"))).idempotent
    assert books.spent() == 1


@pytest.mark.parametrize(
    ("do", "kind", "arrived"),
    [
        ("drop_before", errors.Unreachable, True),
        ("drop_after", errors.Unreachable, True),
        ("garbage", errors.InvalidResponse, True),
        ({"status": 502}, errors.InvalidResponse, True),
        ({"status": 503, "code": "no_provider"}, errors.ServerFailed, False),
        ({"status": 500, "code": "oops"}, errors.ServerFailed, True),
        ({"status": 429, "code": "a_new_limit", "retryAfter": 1}, errors.RateLimited, False),
        ({"status": 429, "code": "a_new_limit", "retryAfter": 61}, errors.RateLimited, False),
        ({"status": 429, "code": "token_daily_cap_reached", "retryAfter": 1}, errors.DailyCapReached, False),
        ({"status": 402, "code": "arrears"}, errors.InsufficientCredits, False),
    ],
    ids=str,
)
def test_a_failure_that_lasts_is_raised_and_tells_whether_the_order_may_have_arrived(
    ask: OrderRequest,
    body: bytes,
    books: SandboxHarness,
    faults: Callable[..., None],
    do: object,
    kind: type[errors.ZooopError],
    arrived: bool,
) -> None:
    faults({"path": "/v1/tasks", "do": do, "times": None})
    with pytest.raises(kind) as caught:
        ask(lambda api: api.submit(intent(body, "k1")))
    assert type(caught.value) is kind
    assert caught.value.maybe_arrived is arrived
    assert books.spent() == (1 if do == "drop_after" else 0)


def test_a_refusal_after_a_lost_answer_leaves_open_whether_the_order_arrived(
    ask: OrderRequest, body: bytes, books: SandboxHarness, faults: Callable[..., None]
) -> None:
    faults(
        {"path": "/v1/tasks", "do": "drop_after"},
        {"path": "/v1/tasks", "do": {"status": 400, "code": "invalid_payload"}},
    )
    with pytest.raises(errors.InvalidRequest) as caught:
        ask(lambda api: api.submit(intent(body, "k1")))
    assert caught.value.maybe_arrived
    assert books.spent() == 1


@pytest.mark.parametrize(
    ("do", "sent"),
    [
        ({"status": 502}, 3),
        ("drop_before", 3),
        ({"status": 400, "code": "invalid_payload"}, 1),
        ("garbage", 1),
        ({"status": 429, "code": "a_new_limit", "retryAfter": 61}, 1),
        ({"status": 429, "code": "token_daily_cap_reached", "retryAfter": 1}, 1),
        ({"status": 500}, 1),
    ],
    ids=str,
)
def test_there_are_three_attempts_where_trying_helps_and_one_where_not(
    ask: OrderRequest, faults: Callable[..., None], sandbox: SandboxHarness, do: object, sent: int
) -> None:
    faults({"path": "/v1/me", "do": do, "times": 9})
    with pytest.raises(errors.ZooopError):
        ask(lambda api: api.me())
    assert sandbox.pending_faults == 9 - sent


def test_describing_has_no_key_and_is_sent_once_only(
    ask: OrderRequest,
    books: SandboxHarness,
    faults: Callable[..., None],
    sandbox: SandboxHarness,
    tmp_path: Path,
    png: bytes,
) -> None:
    (tmp_path / "a.png").write_bytes(png)
    url = ask(lambda api: api.upload(tmp_path / "a.png", "image/png"))
    assert ask(lambda api: api.describe(picture_of(url, "zh"))).credits == 1
    assert books.spent() == 1
    faults({"path": "/v1/describe-image", "do": "drop_after", "times": 9})
    with pytest.raises(errors.Unreachable) as caught:
        ask(lambda api: api.describe(picture_of(url)))
    assert caught.value.maybe_arrived
    assert books.spent() == 2
    assert sandbox.pending_faults == 8


@pytest.mark.parametrize(
    ("path", "call"),
    [
        ("/v1/me", lambda api: api.me()),
        ("/v1/models", lambda api: api.models("image", "default")),
        ("/v1/ai-tools", lambda api: api.tools()),
        ("/v1/templates", lambda api: api.templates()),
        ("/v1/quote", lambda api: api.quote(intent(b"{}"))),
        ("/v1/tasks", lambda api: api.submit(intent(b"{}", "k"))),
        ("/v1/tasks/*", lambda api: api.task("t")),
        ("/v1/describe-image", lambda api: api.describe(picture_of("u"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_garbage_is_nonsense_whatever_was_asked(
    ask: OrderRequest, faults: Callable[..., None], path: str, call: Any
) -> None:
    faults({"path": path, "do": "garbage", "times": None})
    with pytest.raises(errors.InvalidResponse, match="is not what the API's documentation describes"):
        ask(call)


def test_no_server_and_no_such_host_say_which_host_and_that_nothing_was_sent(ask: OrderRequest) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(errors.Unreachable, match=host) as caught:
            ask(lambda api: api.submit(intent(b"{}", "k")), host=host)
    assert not caught.value.maybe_arrived
    assert [each.action for each in caught.value.remedies] == [errors.Action.CHECK_HOST]


# Before the key is forgotten, and by whose clock.


NOON = datetime(2044, 11, 6, 12, tzinfo=UTC)


def test_at_the_moment_when_the_key_may_be_forgotten_nothing_is_sent(
    ask: OrderRequest, body: bytes, books: SandboxHarness
) -> None:
    async def submit(api: LiveBackend, before: float) -> Any:
        await api.me()
        moment = api.clock.now() + timedelta(seconds=before)
        return await api.submit(intent(body, "k1", send_before=moment, order_id="order-7"))

    for before in (0, -1, -90_000):
        with pytest.raises(errors.ZooopError, match="was not sent") as caught:
            ask(lambda api, before=before: submit(api, before))
        assert not caught.value.maybe_arrived
        assert caught.value.value == "order-7"
    assert books.tasks == []
    assert not ask(lambda api: submit(api, 60)).idempotent


class Machine:
    """This machine's clocks: `asleep` is a suspend, which each of them counts or not."""

    def __init__(self) -> None:
        self.wall = NOON.timestamp()
        self.boot = self.slept = 0.0

    def suspend(self, *, clocks: str) -> None:
        for name in clocks.split():
            setattr(self, name, getattr(self, name) + 25 * 3600)

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.mark.parametrize(
    ("heard", "clocks"), [(False, "wall"), (True, "wall"), (True, "boot"), (True, "wall boot")]
)
@pytest.mark.parametrize(
    ("status", "page", "kind", "arrived"),
    [
        (502, b"<html>", errors.InvalidResponse, True),
        (503, b'{"error": {"code": "c"}}', errors.ServerFailed, False),
        (429, b'{"error": {"code": "rate_limited"}}', errors.RateLimited, False),
    ],
)
def test_a_suspend_of_a_day_between_two_attempts_is_noticed(
    settings_of: Callable[..., Settings],
    witness: Callable[..., Any],
    status: int,
    page: bytes,
    kind: type[errors.ZooopError],
    arrived: bool,
    heard: bool,
    clocks: str,
) -> None:
    machine = Machine()

    def asleep(_: Any) -> bytes:
        machine.suspend(clocks=clocks)
        return page

    api = witness(status, {}, asleep)

    async def submit() -> Any:
        clock = ServerClock(wall=lambda: machine.wall, boot=lambda: machine.boot)
        if heard:
            clock.hear(NOON)
        backend = LiveBackend(
            settings_of(host=api.url), clock=clock, sleep=machine.sleep, monotonic=lambda: machine.slept
        )
        try:
            return await backend.submit(intent(b"{}", "k", send_before=NOON + timedelta(hours=23)))
        finally:
            await backend.aclose()

    with pytest.raises(kind) as caught:
        asyncio.run(submit())
    assert caught.value.maybe_arrived is arrived
    assert len(api.seen) == 1


def test_the_servers_time_is_heard_from_the_api_and_from_nobody_else(
    ask: OrderRequest, witness: Callable[..., Any]
) -> None:
    async def heard(api: LiveBackend) -> datetime | None:
        with contextlib.suppress(errors.ZooopError):
            await api.me()
        return api.clock.now() if api.clock.heard else None

    envelope = b'{"error": {"code": "invalid_token", "message": "no"}}'
    for status, body, date, believed in (
        (200, b"not json", "Sun, 06 Nov 2044 12:00:00 GMT", True),
        (401, envelope, "Sun, 06 Nov 2044 12:00:00 GMT", True),
        (502, b"<html>", "Sun, 06 Nov 2044 12:00:00 GMT", False),
        (307, b"", "Sun, 06 Nov 2044 12:00:00 GMT", False),
        (200, b"{}", "Sun, 06 Nov 1994 12:00:00 GMT", False),
        (200, b"{}", "noon", False),
    ):
        found = ask(heard, host=witness(status, {"date": date, "location": "/"}, body).url)
        assert (found is not None) is believed
        assert found is None or abs((found - NOON).total_seconds()) < 20


def test_the_sandboxs_time_is_heard_and_an_advance_with_the_next_response(
    ask: OrderRequest, books: SandboxHarness
) -> None:
    async def both(api: LiveBackend) -> list[float]:
        found = []
        for advance in (0, 90_000):
            books.advance(advance)
            await api.me()
            server = datetime.fromisoformat(books.books()["now"])
            found.append((server - api.clock.now()).total_seconds())
        return found

    assert [abs(off) < 3 for off in ask(both)] == [True, True]


# A forked child.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_its_own_connections_and_leaves_its_parents_alone(
    settings_of: Callable[..., Settings], witness: Callable[..., Any]
) -> None:
    ports: list[int] = []

    def answer(handler: Any) -> bytes:
        ports.append(handler.client_address[1])
        return b'{"key": {"id": "k", "prefix": "p"}, "project": {}, "user": {"creditBalance": 7}}'

    api = witness(200, {}, answer)
    backend = LiveBackend(settings_of(host=api.url))

    async def ask_and_close() -> int:
        found = await backend.me()
        await backend.aclose()
        return int(found.balance or 0)

    async def whole() -> int:
        await backend.me()
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                # Closing before anything was asked closes nothing of the parent's, either.
                asyncio.run(backend.aclose())
                status = asyncio.run(ask_and_close())
            os._exit(status)
        status = os.waitstatus_to_exitcode((await asyncio.to_thread(os.waitpid, child, 0))[1])
        await backend.me()
        await backend.aclose()
        return status

    assert asyncio.run(whole()) == 7
    mine, child, again = ports
    assert mine == again != child


# Files.


def test_an_upload_goes_up_whole_and_comes_back_the_same(
    ask: OrderRequest, books: SandboxHarness, tmp_path: Path, png: bytes
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)

    async def there_and_back(api: LiveBackend) -> Any:
        url = await api.upload(file, "image/png")
        return await api.fetch(url, tmp_path / "out", "1")

    fetched = ask(there_and_back)
    assert fetched.path == tmp_path / "out" / "1.png"
    assert fetched.path.read_bytes() == png
    assert (fetched.size, fetched.sha256) == (len(png), hashlib.sha256(png).hexdigest())
    assert books.uploads[0]["size"] == len(png)


def test_an_upload_is_sent_again_whole_after_a_failure(
    ask: OrderRequest, books: SandboxHarness, faults: Callable[..., None], tmp_path: Path, png: bytes
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png + b"\0" * 700_000)
    faults({"path": "/v1/uploads", "do": {"status": 502, "code": "storage_upload_failed"}, "times": 2})
    ask(lambda api: api.upload(file, "image/png"))
    assert [each["size"] for each in books.uploads] == [len(png) + 700_000]


@pytest.mark.parametrize(
    ("mark", "kind", "said"),
    [
        (b"sandbox-block:porn;", errors.ModerationBlocked, "content policy"),
        (b"sandbox-unmoderated;", errors.ServerFailed, "[Mm]oderat"),
        (b"sandbox-error:disk;", errors.ServerFailed, "stor"),
    ],
)
def test_an_upload_that_is_rejected_says_why(
    ask: OrderRequest, tmp_path: Path, png: bytes, mark: bytes, kind: type, said: str
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png + mark)
    with pytest.raises(kind, match=said) as caught:
        ask(lambda api: api.upload(file, "image/png"))
    if kind is errors.ModerationBlocked:
        assert caught.value.extras["labels"] == "porn"  # type: ignore[attr-defined]


def leftovers(folder: Path) -> list[str]:
    return [each.name for each in folder.rglob("*") if ".part" in each.name]


@pytest.mark.parametrize(
    "do", [{"truncate": 20}, {"truncate": 0}, "drop_before", {"status": 503}, {"status": 429}]
)
def test_a_download_that_breaks_off_is_whole_in_the_end(
    ask: OrderRequest, faults: Callable[..., None], tmp_path: Path, png: bytes, do: object
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    url = ask(lambda api: api.upload(file, "image/png"))
    faults({"path": "/u1/*", "do": do, "times": 2})
    fetched = ask(lambda api: api.fetch(url, tmp_path / "out", "1"))
    assert fetched.path.read_bytes() == png
    assert leftovers(tmp_path) == []


def test_a_download_that_never_comes_whole_leaves_nothing_behind(
    ask: OrderRequest, faults: Callable[..., None], tmp_path: Path, png: bytes
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png)
    url = ask(lambda api: api.upload(file, "image/png"))
    faults({"path": "/u1/*", "do": {"truncate": 20}, "times": None})
    with pytest.raises(errors.Unreachable) as caught:
        ask(lambda api: api.fetch(url, tmp_path / "out", "1"))
    assert url in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_not_there_is_told_with_its_url(
    ask: OrderRequest, sandbox: Any, tmp_path: Path
) -> None:
    for url, kind in (
        (f"{sandbox.url}/u1/p1/none.png", errors.InvalidRequest),
        ("http://127.0.0.1:port/a", errors.InvalidResponse),
    ):
        with pytest.raises(kind):
            ask(lambda api, url=url: api.fetch(url, tmp_path, "1"))


# Where the token is sent.


class Witness(http.server.ThreadingHTTPServer):
    """A server on its own port that records the headers of every request and sends a fixed response."""

    daemon_threads = True

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.seen: list[dict[str, str]] = []
        self.answer = (status, headers, body)
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Witness
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status, headers, body = self.server.answer
        if callable(body):
            body = body(self)
        # Without a Date of its own.
        self.send_response_only(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 (http.server's own names)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def witness() -> Iterator[Callable[..., Witness]]:
    made: list[Witness] = []

    def start(status: int = 200, headers: dict[str, str] | None = None, body: Any = b"{}") -> Witness:
        made.append(Witness(status, headers or {}, body))
        return made[-1]

    yield start
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_token_never_arrives_there(
    ask: OrderRequest, witness: Callable[..., Witness], status: int
) -> None:
    elsewhere = witness()
    api = witness(status, {"location": elsewhere.url + "/v1/me"})
    for call in (lambda it: it.me(), lambda it: it.submit(intent(b"{}", "k"))):
        with pytest.raises(errors.InvalidResponse, match="redirect") as caught:
            ask(call, host=api.url)
        assert api.url in str(caught.value)
    assert len(api.seen) == 2
    assert {each["authorization"] for each in api.seen} == {f"Bearer {MAIN}"}
    assert elsewhere.seen == []


def test_media_is_fetched_without_the_token_even_from_the_apis_own_host_and_across_redirects(
    ask: OrderRequest, witness: Callable[..., Witness], tmp_path: Path
) -> None:
    file = witness(200, {"content-type": "image/svg+xml"}, b"<svg/>")
    moved = witness(302, {"location": file.url + "/a.svg"})
    fetched = ask(lambda api: api.fetch(moved.url + "/a.webp", tmp_path, "1"), host=moved.url)
    assert fetched.path.name == "1.svg"
    assert len(moved.seen) == len(file.seen) == 1
    for headers in (*moved.seen, *file.seen):
        assert "authorization" not in headers
        assert not any(MAIN in value for value in headers.values())


def test_a_page_that_repeats_the_token_does_not_bring_it_into_an_error(
    ask: OrderRequest, witness: Callable[..., Witness]
) -> None:
    for status in (200, 404, 502):
        echo = witness(status, {}, lambda handler: handler.headers["Authorization"].encode())
        with pytest.raises(errors.InvalidResponse) as caught:
            ask(lambda api: api.me(), host=echo.url)
        assert MAIN not in str(caught.value)
        assert MAIN not in repr(caught.value.__dict__)


def test_the_backend_shows_no_token_and_cannot_be_pickled(ask: OrderRequest) -> None:
    async def shown(api: LiveBackend) -> None:
        assert MAIN not in repr(api)
        assert api.token != MAIN
        assert len(api.token) == 64
        with pytest.raises(TypeError):
            pickle.dumps(api)

    ask(shown)


def test_bodies_go_out_byte_for_byte(ask: OrderRequest, witness: Callable[..., Witness]) -> None:
    bodies = []

    def keep(handler: Any) -> bytes:
        return b'{"taskId":"t","status":"queued"}'

    api = witness(200, {}, keep)
    odd = b'{"b": 1,\n  "a":\t"\xe7\x86\x8a"}'
    ask(lambda it: it.submit(intent(odd, "key-1")), host=api.url)
    bodies.append(api.seen[0])
    assert api.seen[0]["content-length"] == str(len(odd))
    assert api.seen[0]["idempotency-key"] == "key-1"
    assert api.seen[0]["content-type"] == "application/json"
    assert api.seen[0]["user-agent"].startswith("zooop-nb/")
