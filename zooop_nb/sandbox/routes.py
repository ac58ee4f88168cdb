"""The v1 endpoints: each one reads the request, applies the rules and builds the response.

Requests are checked in the documented order: token, rate limit, body, the order itself, content policy,
the coarse cap, the price, the precise cap, arrears, balance. API documentation: "Endpoints".
"""

import asyncio
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from zooop_nb.sandbox import moderation
from zooop_nb.sandbox.accounts import Key
from zooop_nb.sandbox.assets import ForeignUrlError
from zooop_nb.sandbox.catalogue import Recipe
from zooop_nb.sandbox.clock import stamp
from zooop_nb.sandbox.display import localised
from zooop_nb.sandbox.media import Unreadable, describe
from zooop_nb.sandbox.orders import Order, read_order
from zooop_nb.sandbox.refusal import Refusal
from zooop_nb.sandbox.resolve import texts
from zooop_nb.sandbox.state import Sandbox
from zooop_nb.sandbox.uploads import allowed_type, check_length
from zooop_nb.sandbox.wire import base_url, own_hosts, read_json

DESCRIBE_CREDITS = 1
"""API documentation: "POST /v1/describe-image"."""

_VISION_FAILURES = {
    "policy_violation": (422, "The vision model refused the image on content policy."),
    "upstream_rate_limited": (429, "The vision service is rate-limited. Retry with backoff."),
    "vision_unavailable": (503, "The vision service cannot be reached."),
}


def _sandbox(request: Request) -> Sandbox:
    sandbox = request.app.state.sandbox
    assert isinstance(sandbox, Sandbox)
    return sandbox


def _enter(request: Request, bucket: str | None) -> tuple[Sandbox, Key]:
    """Authenticate the caller and count one request against the rate limit of `bucket`."""
    sandbox = _sandbox(request)
    key = sandbox.accounts.enter(request.headers.get("authorization"))
    if bucket is not None:
        sandbox.limits.take(key.token, bucket)
    return sandbox, key


async def me(request: Request) -> Response:
    sandbox, key = _enter(request, "me")
    scene = key.scene
    spent = sandbox.accounts.spent_today(key)
    cap = scene.daily_cap
    limits = sandbox.limits.per_minute
    answer: dict[str, object] = {
        "key": {
            "id": key.id,
            "prefix": key.prefix,
            "label": scene.label,
            "createdAt": stamp(key.created_at),
            "expiresAt": stamp(scene.expires_at) if scene.expires_at else None,
            "dailyCreditCap": cap,
            "creditsSpentToday": spent,
            "creditsRemainingToday": None if cap is None else max(0, cap - spent),
        },
        "project": {
            "id": scene.project_id if scene.bound else None,
            "name": scene.project_name if scene.bound else None,
            "bound": scene.bound,
        },
    }
    if key.wallet.kind == "team":
        answer["team"] = {"id": key.wallet.id, "creditBalance": key.wallet.balance}
    else:
        answer["user"] = {"creditBalance": key.wallet.balance}
    answer["limits"] = {
        "tasksPerMin": limits["tasks"],
        "uploadsPerMin": limits["uploads"],
        "uploadPollPerMin": limits["uploadPoll"],
    }
    return JSONResponse(answer)


async def models(request: Request) -> Response:
    sandbox, _ = _enter(request, None)
    type, subtype = request.query_params.get("type"), request.query_params.get("subtype")
    valid = [{"type": each.type, "subType": each.subtype} for each in sandbox.catalogue.categories]
    if not type or not subtype:
        raise Refusal(
            400,
            "missing_category",
            "Both query params are required: type and subtype.",
            param="subtype" if type else "type",
            validCategories=valid,
        )
    if {"type": type, "subType": subtype} not in valid:
        raise Refusal(
            400, "unknown_category", f"There is no category {type}/{subtype}.", validCategories=valid
        )
    absent = sandbox.world.disabled | sandbox.world.hidden
    found = [model.public() for model in sandbox.catalogue.models(type, subtype) if model.name not in absent]
    return JSONResponse(localised({"models": found}, base_url(request)))


async def tools(request: Request) -> Response:
    sandbox, _ = _enter(request, "aiTools")
    return _recipes(request, "aiTools", sandbox.catalogue.tools(_media_type(request)))


async def templates(request: Request) -> Response:
    sandbox, _ = _enter(request, "templates")
    return _recipes(request, "templates", sandbox.catalogue.templates(_media_type(request)))


async def tool(request: Request) -> Response:
    sandbox, _ = _enter(request, "aiTools")
    slug = request.path_params["slug"]
    return _recipe(request, sandbox.catalogue.tool(slug), "unknown_ai_tool", f"There is no AI tool {slug!r}.")


async def template(request: Request) -> Response:
    sandbox, _ = _enter(request, "templates")
    slug = request.path_params["slug"]
    return _recipe(
        request, sandbox.catalogue.template(slug), "unknown_template", f"There is no template {slug!r}."
    )


def _media_type(request: Request) -> str | None:
    media_type = request.query_params.get("type")
    if media_type is not None and media_type not in ("image", "video"):
        raise Refusal(400, "invalid_type", "type must be image or video.", param="type")
    return media_type


def _recipes(request: Request, name: str, recipes: Iterable[Recipe]) -> Response:
    disabled = _sandbox(request).world.disabled
    shown = [recipe.public() for recipe in recipes if recipe.model.name not in disabled]
    return JSONResponse(localised({name: shown}, base_url(request)))


def _recipe(request: Request, recipe: Recipe | None, code: str, message: str) -> Response:
    if recipe is None or recipe.model.name in _sandbox(request).world.disabled:
        raise Refusal(404, code, message, param="slug")
    return JSONResponse(localised(recipe.public(), base_url(request)))


async def _order(request: Request, sandbox: Sandbox) -> Order:
    body = await read_json(request)
    return read_order(body, sandbox.catalogue, sandbox.world, sandbox.assets, own_hosts(request))


async def quote(request: Request) -> Response:
    sandbox, _ = _enter(request, "quote")
    order = await _order(request, sandbox)
    model = order.resolved.model
    return JSONResponse(
        {
            "credits": order.price.credits,
            "estimatedSeconds": sandbox.tasks.estimate(model.id),
            "modelId": model.id,
            "versionId": order.resolved.version.id,
            "modelName": model.name,
            "breakdown": order.price.breakdown(),
        }
    )


async def submit(request: Request) -> Response:
    sandbox, key = _enter(request, "tasks")
    sandbox.accounts.check_owner(key)
    idempotency_key = request.headers.get("idempotency-key")
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= 256:
        raise Refusal(400, "invalid_idempotency_key", "Idempotency-Key must have 1 to 256 characters.")
    body = await read_json(request)
    # No await from here on, so two concurrent submits with one key cannot both find it unused.
    if idempotency_key is not None:
        task = sandbox.tasks.under_key(key, idempotency_key)
        if task is not None:
            return JSONResponse({**task.submitted(), "idempotent": True})
    sandbox.accounts.check_project(key)
    order = read_order(body, sandbox.catalogue, sandbox.world, sandbox.assets, own_hosts(request))
    moderation.check_texts(texts(order.resolved))
    moderation.check_media({param: [file.marks for file in files] for param, files in order.media.items()})
    sandbox.accounts.check_cap(key)
    sandbox.accounts.check_funds(key, order.price.credits)
    model = order.resolved.model
    if model.name in sandbox.world.no_provider:
        raise Refusal(
            503, "no_enabled_provider", f"No enabled provider for {model.name}: pick a different model."
        )
    return JSONResponse(sandbox.tasks.submit(key, order, idempotency_key).submitted())


async def task(request: Request) -> Response:
    sandbox, key = _enter(request, None)
    task_id = request.path_params["id"]
    found = sandbox.tasks.get(task_id)
    if found is None or found.key is not key:
        raise Refusal(404, "unknown_task", f"This token has no task {task_id!r}.")
    return JSONResponse(found.public(base_url(request)))


async def upload(request: Request) -> Response:
    sandbox, key = _enter(request, "uploads")
    sandbox.accounts.check_owner(key)
    sandbox.accounts.check_project(key)
    content_type = allowed_type(request.headers.get("content-type"))
    check_length(request.headers.get("content-length"))
    kept = await sandbox.uploads.receive(key, content_type, request.stream())
    if kept.asset is None:
        poll_url = f"/v1/uploads/{kept.id}"
        return JSONResponse(
            {"status": "processing", "uploadId": kept.id, "pollUrl": poll_url}, status_code=202
        )
    return JSONResponse(
        {
            "status": "ready",
            "url": kept.asset.url(base_url(request)),
            "size": kept.size,
            "contentType": content_type,
        }
    )


async def poll_upload(request: Request) -> Response:
    sandbox, key = _enter(request, "uploadPoll")
    upload_id = request.path_params["uploadId"]
    found = sandbox.uploads.get(upload_id, key)
    if found is None:
        raise Refusal(404, "unknown_upload", f"This token has no upload {upload_id!r}.")
    return JSONResponse(
        found.public(base_url(request)), status_code=202 if found.status == "processing" else 200
    )


async def describe_image(request: Request) -> Response:
    sandbox, key = _enter(request, "describe")
    accounts = sandbox.accounts
    accounts.check_owner(key)
    body = await read_json(request)
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_payload", "The body must be a JSON object.")
    url, language = body.get("imageUrl"), body.get("language", "en")
    if not isinstance(url, str) or not url:
        raise Refusal(400, "invalid_payload", "imageUrl is required and must be text.", param="imageUrl")
    if not isinstance(language, str):
        raise Refusal(400, "invalid_payload", "language must be a locale code such as zh.", param="language")
    try:
        asset = sandbox.assets.find(url, own_hosts(request))
    except ForeignUrlError:
        raise Refusal(
            400,
            "invalid_payload",
            "imageUrl is not on a ZOOOP CDN host. Send the picture to POST /v1/uploads first.",
            param="imageUrl",
        ) from None
    if asset is None or not asset.content_type.startswith("image/"):
        said = "there is no picture at that URL" if asset is None else f"it is {asset.content_type}"
        raise Refusal(400, "invalid_payload", f"imageUrl must be a picture: {said}.", param="imageUrl")
    accounts.check_cap(key)
    accounts.check_funds(key, DESCRIBE_CREDITS)
    charge = accounts.debit(key, DESCRIBE_CREDITS, "describe")
    try:
        if asset.marks.vision is not None:
            status, message = _VISION_FAILURES.get(asset.marks.vision, _VISION_FAILURES["vision_unavailable"])
            code = asset.marks.vision if asset.marks.vision in _VISION_FAILURES else "vision_unavailable"
            raise Refusal(status, code, message, retry_after=1 if status == 429 else None)
        words = await asyncio.to_thread(lambda: describe(asset.file.read_bytes(), language))
    except Unreadable as error:
        accounts.refund(charge)
        raise Refusal(
            400, "invalid_payload", f"imageUrl cannot be read: {error}", param="imageUrl"
        ) from error
    except BaseException:
        accounts.refund(charge)
        raise
    return JSONResponse({"credits": DESCRIBE_CREDITS, **words})


async def media(request: Request) -> Response:
    """Serve outputs and uploads, without a token; byte ranges are supported."""
    path = request.path_params
    asset = _sandbox(request).assets.get(f"{path['user']}/{path['project']}/{path['name']}")
    if asset is None:
        raise Refusal(404, "not_found", f"There is nothing at {request.url.path}.")
    return FileResponse(asset.file, media_type=asset.content_type)


async def display(request: Request) -> Response:
    """Serve the catalogue's logos, covers and previews."""
    found = await _sandbox(request).display.get(f"assets/{request.path_params['name']}")
    if found is None:
        raise Refusal(404, "not_found", f"There is nothing at {request.url.path}.")
    return FileResponse(found[0], media_type=found[1])


ROUTES = [
    Route("/v1/me", me),
    Route("/v1/models", models),
    Route("/v1/ai-tools", tools),
    Route("/v1/ai-tools/{slug}", tool),
    Route("/v1/templates", templates),
    Route("/v1/templates/{slug}", template),
    Route("/v1/quote", quote, methods=["POST"]),
    Route("/v1/tasks", submit, methods=["POST"]),
    Route("/v1/tasks/{id}", task),
    Route("/v1/uploads", upload, methods=["POST"]),
    Route("/v1/uploads/{uploadId}", poll_upload),
    Route("/v1/describe-image", describe_image, methods=["POST"]),
    Route("/assets/{name:path}", display),
    Route("/cdn-cgi/image/{options}/{user}/{project}/{name}", media),
    Route("/{user}/{project}/{name}", media),
]
