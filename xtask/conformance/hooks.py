"""What schemathesis has to know of Rondo beyond the document: what exists, and what a JSON Schema
cannot say."""

import atexit
import base64
import collections
import email
import email.policy
import hashlib
import hmac
import itertools
import json
import os
import pathlib
import random
import re
import time
import urllib.parse
import urllib.request

import schemathesis
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation

URL = os.environ["CONFORMANCE_URL"]
TOKEN = os.environ["CONFORMANCE_TOKEN"]
USER_ID = int(os.environ["CONFORMANCE_USER_ID"])
# The user's name and password, as a body of the route that logs in.
CREDENTIALS = json.loads(os.environ["CONFORMANCE_CREDENTIALS"])
MAIL = pathlib.Path(os.environ["CONFORMANCE_MAIL"])
# The key of links in mails.
LINK_SECRET = os.environ["CONFORMANCE_LINK_SECRET"]
# Where to write how often each operation answered with which status.
COUNTS = pathlib.Path(os.environ["CONFORMANCE_COUNTS"])

# Mailed tokens of each kind; few, for registrations are throttled.
MAILED = 2
MAIL_SECONDS_MAX = 30

chance = random.Random(5545)
number = itertools.count(1)


# --- Words that mean something -------------------------------------------------------------------

schemathesis.openapi.format("time-zone", strategies.sampled_from([
    "UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
    "pacific/apia", "Africa/Casablanca", "US/Eastern",
]))
schemathesis.openapi.format("rrule", strategies.sampled_from([
    "FREQ=DAILY", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYDAY=2TU", "freq=yearly;interval=4;",
    "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=DAILY;INTERVAL=9999",
]))
schemathesis.openapi.format("uri", strategies.integers(1, 999).map(
    # No such names will ever be (RFC 2606), so nothing is sent anywhere.
    lambda number: f"https://hook-{number}.invalid/here?a={number}"))


# --- What exists ---------------------------------------------------------------------------------


def ask(method, path, body=None, token=TOKEN):
    """A request of our own: the JSON and the headers of its answer, or None when it was refused."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null"), answer.headers
    except urllib.error.HTTPError as refused:
        refused.close()
        return None


def new_task(**members):
    """The id of a task that recurs and reminds."""
    due_date = f"2031-{chance.randint(1, 12):02}-13T09:00:00Z"
    task = {"title": f"task {next(number)}", "due_date": due_date, "reminder_offset": "PT1H",
            "recurrence_rule": {"frequency": "daily"}, **members}
    made = ask("POST", f"/api/{USER_ID}/tasks", task)
    return made and made[0]["id"]


def trashed_task():
    """The id of a deleted task."""
    task = new_task()
    if task:
        ask("DELETE", f"/api/{USER_ID}/tasks/{task}")
    return task


def undo_token():
    """The token of a change."""
    changed = ask("PATCH", f"/api/{USER_ID}/tasks/{new_task()}", {"title": "changed"})
    return changed and changed[1]["undo-token"]


def new_reminder():
    made = ask("POST", f"/api/{USER_ID}/tasks/{new_task()}/reminders", {"offset": "PT2H"})
    return made and made[0]["id"]


def new_list():
    """The id of a list; one that is there when the user can have no more."""
    made = ask("POST", f"/api/{USER_ID}/lists", {"name": f"list {next(number)}"})
    if made:
        return made[0]["id"]
    lists = ask("GET", f"/api/{USER_ID}/lists")
    return lists and lists[0] and chance.choice(lists[0])["id"]


def new_filter():
    """The id of a filter; one that is there when the user can have no more."""
    made = ask("POST", f"/api/{USER_ID}/filters", {"name": f"filter {next(number)}", "query": "status=pending"})
    if made:
        return made[0]["id"]
    filters = ask("GET", f"/api/{USER_ID}/filters")
    return filters and filters[0] and chance.choice(filters[0])["id"]


def new_token():
    made = ask("POST", "/api/auth/tokens", {"name": "conformance", "scopes": ["tasks:read"]})
    return made and made[0]["id"]


def new_webhook():
    webhook = {"url": "https://hook.invalid/", "events": ["series.ended"]}
    made = ask("POST", f"/api/{USER_ID}/webhooks", webhook)
    return made and made[0]["id"]


def new_delivery(webhook):
    made = ask("POST", f"/api/{USER_ID}/webhooks/{webhook}/test")
    return made and made[0]["id"]


def new_tag(name):
    """A task has the tag that a path names."""
    return new_task(tags=[name]) and name


def cursor(case):
    """Where the second page of a list begins."""
    query = {name: value for name, value in case.query.items() if name not in ("cursor", "since")}
    query = urllib.parse.urlencode({**query, "limit": 1}, doseq=True)
    path = case.operation.path.replace("{user_id}", str(USER_ID))
    page = ask("GET", f"{path}?{query}")
    if not page:
        return None
    if isinstance(page[0], dict):
        return page[0].get("cursor")
    link = re.search(r"[?&]cursor=([^&>]*)", page[1].get("link") or "")
    return link and urllib.parse.unquote(link[1])


def mailed(path):
    """The tokens of the links to a page in all mail so far."""
    tokens = []
    for file in sorted(MAIL.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("plain",))
        tokens += re.findall(re.escape(path) + r"([\w-]{43})", body.get_content() if body else "")
    return tokens


def mailed_tokens():
    """Single-use tokens of accounts of their own, by the operation that takes them."""
    paths = {"verifyEmail": "/#/verify/", "resetPassword": "/#/reset/"}
    known = {operation: mailed(path) for operation, path in paths.items()}
    for account in range(2 * MAILED):
        address = {"email": f"mailed-{account}@example.org"}
        ask("POST", "/api/auth/register", {**address, "password": "correct horse"}, token=None)
        # Who sets a password has verified the address, too.
        if account < MAILED:
            ask("POST", "/api/auth/password/forgot", address, token=None)
    deadline = time.monotonic() + MAIL_SECONDS_MAX
    while True:
        tokens = {operation: [token for token in mailed(path) if token not in known[operation]]
                  for operation, path in paths.items()}
        # The tokens of the other accounts.
        if len(tokens["resetPassword"]) == MAILED and len(tokens["verifyEmail"]) == 2 * MAILED:
            return {**tokens, "verifyEmail": tokens["verifyEmail"][MAILED:]}
        if time.monotonic() > deadline:
            raise RuntimeError(f"mails are missing: {tokens}")
        time.sleep(0.05)


TOKENS = mailed_tokens()
session = ask("POST", "/api/auth/login", CREDENTIALS, token=None)[0]


def link(path):
    """The token of a link that leads to a path."""
    purpose, subject = {
        "/links/complete": lambda: ("complete", new_task()),
        "/links/snooze": lambda: (chance.choice(["snooze-hour", "snooze-tomorrow"]), new_reminder()),
        "/links/unsubscribe": lambda: ("unsubscribe", 0),
    }[path]()
    words = f"{purpose}.{USER_ID}.{subject}.1.{int(time.time()) + 3600}"
    signature = hmac.digest(LINK_SECRET.encode(), words.encode(), hashlib.sha256)
    return f"{words}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def new_path_parameters(parameters):
    """Those of something that exists."""
    makers = {"id": new_task, "trashed_id": trashed_task, "list_id": new_list, "filter_id": new_filter,
              "reminder_id": new_reminder, "token_id": new_token, "webhook_id": new_webhook}
    for name, make in makers.items():
        if name in parameters:
            parameters[name] = make() or parameters[name]
    if "delivery_id" in parameters:
        made = new_delivery(parameters["webhook_id"])
        parameters["delivery_id"] = made or parameters["delivery_id"]
    if "name" in parameters:
        new_tag(parameters["name"])


def etag(case):
    """The ETag of the task, list or filter that a path names."""
    named = case.path_parameters
    areas = {"list_id": "lists", "filter_id": "filters", "id": "tasks"}
    path = next(f"{areas[name]}/{named[name]}" for name in areas if name in named)
    found = ask("GET", f"/api/{USER_ID}/{path}")
    return found and found[1]["etag"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts what exists into the places of a request that are as the document wants them."""
    if case.meta is None:
        return
    operation = case.operation.definition.raw.get("operationId")
    good = {place for place, of in case.meta.components.items() if not of.mode.is_negative}
    # Links between requests have ids of their own.
    is_alone = case.meta.phase.name.value != "stateful"
    if ParameterLocation.PATH in good and case.path_parameters:
        if "user_id" in case.path_parameters:
            case.path_parameters["user_id"] = USER_ID
        if is_alone and chance.random() < 0.9:
            new_path_parameters(case.path_parameters)
    if ParameterLocation.QUERY in good and case.query:
        if case.operation.path.startswith("/links/") and chance.random() < 0.9:
            case.query["token"] = link(case.operation.path)
        if "cursor" in case.query:
            case.query.pop("since", None)
            place = cursor(case)
            if place is None:
                del case.query["cursor"]
            else:
                case.query["cursor"] = place
        if "user_id" in case.query:
            case.query["user_id"] = USER_ID
    if ParameterLocation.HEADER in good and case.headers:
        condition = next((name for name in case.headers if name.lower() == "if-match"), None)
        if condition and ParameterLocation.PATH in good and chance.random() < 0.9:
            case.headers[condition] = etag(case) or case.headers[condition]
        key = next((name for name in case.headers if name.lower() == "idempotency-key"), None)
        if key and chance.random() < 0.9:
            case.headers[key] = f"{next(number)}-{case.headers[key]}"[:255]
    if not case.meta.generation.mode.is_negative and isinstance(case.body, dict):
        if operation == "login" and chance.random() < 0.9:
            case.body = dict(CREDENTIALS)
        if operation == "refreshSession" and chance.random() < 0.5:
            case.body = {"refresh_token": session["refresh_token"]}
        if operation in ("register", "resetPassword") and chance.random() < 0.9:
            # Most that are made up are guessed easily.
            case.body["password"] = "battery staple"
        if operation in ("undo", "undoOwn") and chance.random() < 0.9:
            case.body["token"] = undo_token() or case.body.get("token")
        if isinstance(case.body.get("query"), str) and chance.random() < 0.9:
            # What is made up is hardly ever a query.
            case.body["query"] = chance.choice(["", "status=pending", "due_date_end=%2B7d&sort_by=position"])
        if isinstance(case.body.get("list_id"), int) and chance.random() < 0.9:
            case.body["list_id"] = new_list() or case.body["list_id"]
        if isinstance(case.body.get("subtask_of"), int) and chance.random() < 0.9:
            case.body["subtask_of"] = new_task() or case.body["subtask_of"]
        if case.body.get("blocked_by") and chance.random() < 0.9:
            case.body["blocked_by"] = [task for task in [new_task()] if task]
        if TOKENS.get(operation):
            case.body = {**case.body, "token": TOKENS[operation].pop()}


# --- What was answered ---------------------------------------------------------------------------

statuses = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    operation = case.operation.definition.raw.get("operationId")
    statuses[operation][str(response.status_code)] += 1
    if operation == "refreshSession" and response.status_code == 200:
        session.update(response.json())


@atexit.register
def write_counts():
    COUNTS.write_text(json.dumps(statuses, indent=1, sort_keys=True))


# --- What a JSON Schema cannot say ---------------------------------------------------------------

# Errors of requests that fit the document: they are about the present, about what is stored, about
# two places of a request, or about the calendar.
BEYOND_SCHEMA = [re.compile(pattern) for pattern in (
    # A rule whose end lies before its beginning; an rrule that is too rich for a pattern.
    r"/recurrence_rule never_matches",
    # Moments that have passed.
    r"/(remind_at|offset|until|for|expires_at) in_the_past",
    # Spans of more than 366 days.
    r"/(reminder_offset|offset|for) out_of_range",
    # A due date that the stored task does not have.
    r"/(reminder_offset|offset) needs_due_date",
    # A day beside a moment that the stored task has, a start after it is due, and days with a time.
    r"/(due_day|start_day) conflict",
    r"/start_(date|day) after_due",
    r"/recurrence_rule malformed",
    # A list that does not exist.
    r"/(list_id|after|before) unknown_list",
    # Tasks that do not exist, or cannot be subtasks or blockers of this one; equal ids count once.
    r"/subtask_of (unknown_parent|circular|too_deep|too_many_subtasks)",
    r"/blocked_by (unknown_blocker|circular|too_many)",
    # A tree does not begin at a subtask.
    r"\?uid conflict",
    # A neighbour that does not exist, or is elsewhere.
    r"/(after|before) unknown_task",
    # Parameters that no list has, or not with such values.
    r"/query .*",
    # Equal tags count once, in whatever case.
    r"/tags too_many",
    # A merge patch of a rule makes sense only together with the stored one.
    r"/recurrence_rule/\w+ (conflict|not_applicable|required)",
    r"/recurrence_pattern conflict",
    # The changes of a token are in order.
    r"/token malformed",
    # The user of this run may have no such token, or has used it.
    r"/token invalid_token",
    # What is easily guessed, and what is not the present one.
    r"/(password|new_password) weak_password",
    r"/current_password wrong_password",
    # What a line of quick add means: no title, one that is too long, a reminder that is past or needs a due
    # date.
    r"/text (required|too_long|needs_due_date|in_the_past|too_many)",
    # The address of a machine of one's own, such as answers contain.
    r"/url not_public",
    # Made by a list in another order.
    r"\?cursor (malformed|conflict)",
)]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure is one."""
    if failure.code != "ST202":
        return True
    if response.status_code in (410, 412):
        # The present revision is nobody's to guess.
        return False
    if response.status_code != 422:
        return True
    problem = response.json()
    if problem["code"] == "idempotency_key_reused":
        return False
    # An operation of a batch has the faults of its own route.
    pointers = [re.sub(r"^/operations/\d+(/task)?(?=/)", "", error["pointer"]) for error in problem["errors"]]
    errors = [f"{pointer} {error['code']}" for pointer, error in zip(pointers, problem["errors"])]
    return not all(any(known.fullmatch(e) for known in BEYOND_SCHEMA) for e in errors)
