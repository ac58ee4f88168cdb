"""Tasks over HTTP: submit, queue, run and end; what is charged and what is refunded."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.sandbox.conftest import ALICE, BOB, PHONE, TEAM_A, TEAM_B, Api, error

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SLOW = "GPT Image 2.0"
"""A model of 27 seconds: many calls fit into them, on a loaded machine too."""


def test_a_submit_is_answered_at_once_and_debited(api: Api) -> None:
    cost = api.post("/v1/quote", json=api.order()).json()["credits"]
    submitted = api.submit()
    assert list(submitted) == ["taskId", "status", "modelId", "versionId"]
    assert UUID.fullmatch(submitted["taskId"])
    assert (submitted["status"], submitted["versionId"]) == ("queued", "standard")
    assert submitted["modelId"] == api.model("Flux 2 Flash")["id"]
    assert api.balance() == 1000 - cost


def test_a_task_runs_for_its_models_time_and_then_has_its_output(api: Api) -> None:
    task_id = api.submit(name=SLOW)["taskId"]
    running = api.get(f"/v1/tasks/{task_id}").json()
    assert running["status"] == "running"
    assert (running["outputs"], running["error"], running["completedAt"]) == ([], None, None)
    assert running["creditsCharged"] > 0
    api.advance(10)
    assert api.status(task_id) == "running"
    done = api.finish(task_id)
    assert (done["status"], done["error"]) == ("succeeded", None)
    assert done["creditsCharged"] == running["creditsCharged"]
    assert done["createdAt"] < done["completedAt"]
    assert re.fullmatch(r"2026-05-15T10:\d\d:\d\d\.\d{3}Z", done["createdAt"])


def test_the_first_status_and_the_first_url_are_the_tasks_own(api: Api) -> None:
    task_id = api.submit()["taskId"]
    api.finish(task_id)
    text = api.get(f"/v1/tasks/{task_id}").text
    first = re.search(r'"status":"([a-z_]+)"', text)
    assert first is not None
    assert first[1] == "succeeded"
    url = re.search(r'"url":"([^"]+)"', text)
    assert url is not None
    assert url[1].endswith(".webp")
    assert "-thumb" not in url[1]
    assert "\\/" not in text
    assert ": " not in text
    assert list(api.get(f"/v1/tasks/{task_id}").json()) == [
        "taskId",
        "status",
        "outputs",
        "error",
        "creditsCharged",
        "createdAt",
        "completedAt",
    ]


def test_outputs_need_no_token_and_head_answers_as_get_would(api: Api) -> None:
    done = api.finish(api.submit()["taskId"])
    output = done["outputs"][0]
    assert output["url"].startswith(f"{api.url}/cdn-cgi/image/format=png,quality=95/u1/p1/")
    assert output["thumbnailUrl"].endswith("-thumb.webp")
    for url in output.values():
        head, got = httpx.head(url), httpx.get(url)
        assert head.headers["content-type"] == got.headers["content-type"]
        assert head.headers["content-length"] == str(len(got.content))
        assert head.content == b""
        assert (got.headers["content-type"], got.content[:2]) == ("image/jpeg", b"\xff\xd8")


def test_outputs_are_served_in_ranges(api: Api) -> None:
    url = api.finish(api.submit()["taskId"])["outputs"][0]["url"]
    whole = httpx.get(url).content
    part = httpx.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    assert httpx.get(url, headers={"range": f"bytes={len(whole)}-"}).status_code == 416


def test_the_same_order_makes_the_same_picture_in_every_sandbox_and_another_the_next_time(api: Api) -> None:
    def two() -> list[bytes]:
        tasks = [api.finish(api.submit()["taskId"]) for _ in range(2)]
        return [httpx.get(task["outputs"][0]["url"]).content for task in tasks]

    first = two()
    assert first[0] != first[1]
    api.reset()
    assert two() == first


def test_three_tasks_of_a_user_run_and_the_rest_wait_in_order(api: Api) -> None:
    tasks = [api.submit((ALICE, PHONE)[number % 2], name=SLOW)["taskId"] for number in range(6)]

    def statuses() -> list[str]:
        return [api.status(task, (ALICE, PHONE)[number % 2]) for number, task in enumerate(tasks)]

    assert statuses() == ["running"] * 3 + ["queued"] * 3
    api.finish(tasks[0])
    assert statuses()[3] in ("running", "succeeded")
    for number, task in enumerate(tasks):
        api.finish(task, (ALICE, PHONE)[number % 2])
    ended = [task["completedAt"] for task in api.books()["tasks"]]
    assert max(ended[:3]) <= max(ended[3:])


def test_whoever_waited_longest_starts_when_a_place_falls_free(api: Api) -> None:
    tasks = [api.submit((ALICE, PHONE)[number % 2], name=SLOW)["taskId"] for number in range(6)]

    def running() -> list[int]:
        states = [api.status(task, (ALICE, PHONE)[number % 2]) for number, task in enumerate(tasks)]
        return [number for number, state in enumerate(states) if state == "running"]

    assert running() == [0, 1, 2]
    api.post(f"/_sandbox/tasks/{tasks[1]}/cancel", None)
    assert running() == [0, 2, 3]
    api.post(f"/_sandbox/tasks/{tasks[0]}/cancel", None)
    api.post(f"/_sandbox/tasks/{tasks[4]}/cancel", None)
    assert running() == [2, 3, 5]


def test_many_may_be_submitted_a_minute_while_few_run(api: Api) -> None:
    for _ in range(60):
        api.submit(BOB, name=SLOW)
    assert error(api.post("/v1/tasks", BOB, json=api.order())) == (429, "rate_limited")
    wallet = next(each for each in api.books()["wallets"] if each["running"])
    assert (wallet["running"], wallet["queued"]) == (3, 57)


def test_a_team_shares_its_concurrency_and_users_do_not_wait_for_each_other(api: Api) -> None:
    team = [api.submit(token, name=SLOW)["taskId"] for token in (TEAM_A, TEAM_B, TEAM_A)]
    other = api.submit(BOB, name=SLOW)["taskId"]
    assert [api.status(task, token) for task, token in zip(team, (TEAM_A, TEAM_B, TEAM_A), strict=True)] == [
        "running",
        "running",
        "queued",
    ]
    assert api.status(other, BOB) == "running"


def test_a_failed_task_is_refunded_and_says_why(api: Api) -> None:
    task_id = api.submit(name="Ideogram V3")["taskId"]
    assert api.balance() < 1000
    done = api.finish(task_id)
    assert (done["status"], done["creditsCharged"], done["outputs"]) == ("failed", 0, [])
    assert "Ideogram V3" in done["error"]
    assert done["completedAt"]
    assert api.balance() == 1000
    charges = api.books()["charges"]
    assert [charge["kind"] for charge in charges] == ["charge", "refund"]
    assert sum(charge["credits"] for charge in charges) == 0
    assert api.post("/v1/quote", json=api.order("Ideogram V3")).json()["estimatedSeconds"] is None


def test_tasks_are_cancelled_in_the_queue_and_while_they_run_and_refunded(api: Api) -> None:
    tasks = [api.submit(name=SLOW)["taskId"] for _ in range(5)]
    for task in (tasks[4], tasks[0]):
        answer = api.post(f"/_sandbox/tasks/{task}/cancel", None).json()
        assert (answer["status"], answer["creditsCharged"], answer["outputs"]) == ("cancelled", 0, [])
        assert error(api.post(f"/_sandbox/tasks/{task}/cancel", None)) == (409, "task_finished")
    assert [api.status(task) for task in tasks] == ["cancelled", "running", "running", "running", "cancelled"]
    ends = [api.finish(task)["status"] for task in tasks]
    assert ends == ["cancelled", "succeeded", "succeeded", "succeeded", "cancelled"]
    books = api.books()
    assert sum(charge["credits"] for charge in books["charges"]) == 1000 - api.balance()
    assert sum(task["creditsCharged"] for task in books["tasks"]) == 1000 - api.balance()
    assert books["wallets"][0]["running"] == books["wallets"][0]["queued"] == 0
    assert error(api.post("/_sandbox/tasks/none/cancel", None)) == (404, "unknown_task")


def test_a_repeat_under_the_same_key_answers_the_first_task_and_charges_nothing(api: Api) -> None:
    first = api.submit(key="k")
    spent = 1000 - api.balance()
    again = api.submit(key="k")
    assert again == {**first, "idempotent": True}
    assert api.submit(key="k", name="Flux 2 Pro") == again
    assert 1000 - api.balance() == spent
    assert api.submit(PHONE, key="k")["taskId"] != first["taskId"]
    assert api.submit(key="K")["taskId"] != first["taskId"]
    assert len(api.books()["tasks"]) == 3


def test_a_key_is_forgotten_after_24_hours(api: Api) -> None:
    first = api.submit(key="k")
    api.advance(24 * 3600 - 30)
    assert api.submit(key="k")["taskId"] == first["taskId"]
    api.advance(31)
    assert api.submit(key="k")["taskId"] != first["taskId"]


def test_a_repeat_is_answered_even_where_a_new_submit_would_be_refused(api: Api) -> None:
    first = api.submit(key="k")
    again = api.post("/v1/tasks", content=b"{}", headers={"Idempotency-Key": "k"})
    assert again.json()["taskId"] == first["taskId"]


@pytest.mark.parametrize(("key", "fine"), [("", False), ("x", True), ("x" * 256, True), ("x" * 257, False)])
def test_a_key_has_1_to_256_characters(api: Api, key: str, fine: bool) -> None:
    response = api.post("/v1/tasks", json=api.order(), headers={"Idempotency-Key": key})
    if fine:
        assert response.status_code == 200
    else:
        assert error(response) == (400, "invalid_idempotency_key")
        assert api.books()["charges"] == []


def test_a_refused_submit_leaves_its_key_free(api: Api) -> None:
    refused = api.post("/v1/tasks", json={"interfaceId": "x"}, headers={"Idempotency-Key": "k"})
    assert error(refused)[0] == 404
    assert "idempotent" not in api.submit(key="k")


def test_many_submits_at_once_under_one_key_make_one_task(api: Api) -> None:
    order = api.order()

    def send(_: int) -> str:
        headers = {"authorization": f"Bearer {ALICE}", "Idempotency-Key": "k"}
        return str(
            httpx.post(f"{api.url}/v1/tasks", json=order, headers=headers, timeout=30).json()["taskId"]
        )

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(16)))) == 1
    assert len(api.books()["charges"]) == 1


def test_the_estimate_is_the_median_of_the_models_last_ten_successes(api: Api) -> None:
    order = api.order()

    def estimate() -> int | None:
        seconds: int | None = api.post("/v1/quote", BOB, json=order).json()["estimatedSeconds"]
        return seconds

    assert estimate() is None
    longest = 0.0
    for number, seconds in enumerate((1000, 1000, *range(20, 120, 10))):
        begun = time.monotonic()
        task_id = api.submit()["taskId"]
        assert (estimate() is None) == (number == 0)
        api.advance(seconds)
        # The simulated time is over; only the rendering still takes time.
        while api.status(task_id) == "running":
            time.sleep(0.01)
        assert api.status(task_id) == "succeeded"
        longest = max(longest, time.monotonic() - begun)
    # The median of 20 to 110 s; what is more, rendering and requests took.
    assert 65 <= (estimate() or 0) <= 66 + longest
    failed = api.submit(name="Ideogram V3")["taskId"]
    api.finish(failed)
    assert api.post("/v1/quote", json=api.order("Ideogram V3")).json()["estimatedSeconds"] is None


def test_a_task_is_seen_by_the_token_that_made_it_alone(api: Api) -> None:
    task_id = api.submit()["taskId"]
    for token in (PHONE, BOB):
        assert error(api.get(f"/v1/tasks/{task_id}", token)) == (404, "unknown_task")
    assert error(api.get("/v1/tasks/00000000-0000-0000-0000-000000000000")) == (404, "unknown_task")


def test_the_quote_is_what_is_charged(api: Api) -> None:
    order = api.order("GPT Image 2.0", prompt="a red panda", quality="high", resolution="2k", num_images=3)
    quote = api.post("/v1/quote", json=order).json()
    assert list(quote) == ["credits", "estimatedSeconds", "modelId", "versionId", "modelName", "breakdown"]
    assert list(quote["breakdown"]) == [
        "pricingKey",
        "base",
        "multiplier",
        "surcharges",
        "basePrice",
        "minPriceApplied",
    ]
    task_id = api.post("/v1/tasks", json=order).json()["taskId"]
    assert api.get(f"/v1/tasks/{task_id}").json()["creditsCharged"] == quote["credits"]
    assert api.books()["charges"][0]["credits"] == quote["credits"]


def test_a_quote_leaves_no_trace(api: Api) -> None:
    before = api.books()
    api.post("/v1/quote", json=api.order())
    after = api.books()
    assert {**before, "now": None} == {**after, "now": None}


def test_a_model_without_a_provider_can_be_priced_and_not_run(api: Api) -> None:
    order = api.order("Wan 2.6 Image")
    assert api.post("/v1/quote", json=order).status_code == 200
    response = api.post("/v1/tasks", json=order)
    assert error(response) == (503, "no_enabled_provider")
    assert response.json()["error"]["type"] == "api_error"
    assert api.books()["charges"] == []


def test_disabled_and_hidden_models_are_not_listed_and_refused_each_in_its_way(api: Api) -> None:
    listed = {
        model["name"]
        for model in api.get("/v1/models", params={"type": "image", "subtype": "default"}).json()["models"]
    }
    assert "Flux 2 Pro" in listed
    assert not listed & {"Imagen 4", "Old Model"}
    from zooop_nb.sandbox.catalogue.shapes import model_id

    for name, refusal in (("Imagen 4", (404, "unknown_model")), ("Old Model", (403, "model_not_public"))):
        body = {
            "interfaceId": model_id("image", "default", name),
            "versionId": "standard",
            "params": {"prompt": "x"},
        }
        for path in ("/v1/quote", "/v1/tasks"):
            assert error(api.post(path, json=body)) == refusal


def test_a_prompt_against_the_content_policy_is_refused_before_any_charge(api: Api) -> None:
    order = api.order(prompt="something Sandbox-NSFW please")
    assert api.post("/v1/quote", json=order).status_code == 200
    response = api.post("/v1/tasks", json=order)
    assert error(response) == (422, "moderation_blocked")
    assert response.json()["error"]["param"] == "prompt"
    assert api.books()["charges"] == []


def test_a_picture_marked_for_refusal_is_refused_in_a_task(api: Api, picture: bytes) -> None:
    url = api.upload(picture + b"sandbox-refuse:gore;", "image/png").json()["url"]
    response = api.post("/v1/tasks", json=api.order("GPT Image 2.0", prompt="a panda", image_urls=[url]))
    assert error(response) == (422, "moderation_blocked")
    assert (response.json()["error"]["param"], response.json()["error"]["labels"]) == ("image_urls", "gore")


def test_media_params_take_the_sandboxes_own_urls_alone(api: Api, picture: bytes, sound: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]
    path = url.removeprefix(api.url)
    port = api.url.rsplit(":", 1)[1]

    def quoted(*urls: str) -> httpx.Response:
        return api.post("/v1/quote", json=api.order("GPT Image 2.0", prompt="a panda", image_urls=list(urls)))

    for fine in (url, f"https://storage.zooop.ai{path}", f"http://localhost:{port}{path}"):
        assert quoted(fine).status_code == 200
    output = api.finish(api.submit()["taskId"])["outputs"][0]["url"]
    assert quoted(url, output).status_code == 200
    for foreign in (
        "https://example.com/cat.png",
        "http://127.0.0.1:1/u1/p1/x.png",
        "https://storage.zooop.ai.example.com/u1/p1/x.png",
        f"http://{ALICE}@127.0.0.1:{port}{path}",
    ):
        refused = quoted(foreign)
        assert error(refused) == (400, "invalid_payload")
        assert refused.json()["error"]["param"] == "image_urls"
        assert "/v1/uploads" in refused.json()["error"]["message"]
    gone = quoted(f"{api.url}/u1/p1/none.png")
    assert error(gone) == (400, "invalid_payload")
    noise = api.upload(sound, "audio/wav").json()["url"]
    assert "audio/wav" in quoted(noise).json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b'{"interfaceId": NaN}',
        b'{"interfaceId": 1e999}',
        b'{"interfaceId": "\\ud800", "versionId": "standard", "params": {}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b" " * (4 * 1024 * 1024 + 1),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    for path in ("/v1/quote", "/v1/tasks", "/v1/describe-image"):
        assert error(api.post(path, content=body)) == (400, "invalid_payload")


def test_answers_are_compact_json_with_a_plain_media_type(api: Api) -> None:
    for response in (api.get("/v1/me"), api.post("/v1/quote", json=api.order()), api.get("/v1/tasks/none")):
        assert response.headers["content-type"] == "application/json"
        assert '": ' not in response.text
        assert '", "' not in response.text


def test_tools_and_templates_are_ordered_by_their_slugs(api: Api, picture: bytes) -> None:
    url = api.upload(picture, "image/png").json()["url"]
    tool = {"aiTool": "background-removal", "params": {"image_url": url}}
    template = {"template": "superhero-movie-poster", "params": {"aspect_ratio": "2:3"}}
    for body in (tool, template):
        quote = api.post("/v1/quote", json=body).json()
        task = api.post("/v1/tasks", json=body).json()
        assert task["modelId"] == quote["modelId"]
        done = api.finish(task["taskId"])
        assert (done["status"], done["creditsCharged"]) == ("succeeded", quote["credits"])
    cutout = api.get(f"/v1/tasks/{api.books()['tasks'][0]['taskId']}").json()["outputs"][0]
    for delivered in cutout.values():
        assert httpx.head(delivered).headers["content-type"] == "image/png"
    disabled = {"aiTool": "image-upscale", "params": {"image_url": url}}
    assert error(api.post("/v1/tasks", json=disabled)) == (404, "unknown_ai_tool")


def test_a_voice_speaks_and_is_served_as_what_it_is(api: Api) -> None:
    body = api.order("OpenAI TTS", "audio", "text-to-speech", text="hello there")
    done = api.finish(api.post("/v1/tasks", json=body).json()["taskId"])
    assert done["status"] == "succeeded"
    output = done["outputs"][0]
    assert re.fullmatch(rf"{re.escape(api.url)}/u1/p1/{UUID.pattern}\.mp3", output["url"])
    assert "thumbnailUrl" not in output
    assert httpx.head(output["url"]).headers["content-type"] == "audio/mpeg"
