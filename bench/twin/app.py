"""Two routes of the product in the stack that it replaces: FastAPI, SQLModel, asyncpg.

`GET /api/tasks` (latest created first, a keyset cursor in `Link`) and `POST /api/tasks`, each for the
user of the token. A change is what the product makes of it: the user's next revision, the task, and
its event in the outbox, in one transaction. Left out are filters, the other orders and the count, the
index of search, recurrence and reminders, lists, subtasks and blockers, days and starts, idempotency keys,
and problem documents.
"""

import asyncio
import base64
import json
import os
import signal
import unicodedata
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from sqlalchemy import ARRAY, BigInteger, DateTime, FetchedValue, Text, tuple_, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlmodel import Column, Field, SQLModel, select

JWT_SECRET = os.environ["JWT_SECRET"]
# As many sessions over all workers as the product has for one component.
SESSIONS_MAX = 24 // int(os.environ.get("WEB_CONCURRENCY", "1"))

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=SESSIONS_MAX, max_overflow=0)
new_session = async_sessionmaker(engine, expire_on_commit=False)

Status = Literal["pending", "in_progress", "completed"]
Priority = Literal["low", "medium", "high", "urgent"]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]


def instant() -> Any:
    return Column(DateTime(timezone=True))


class User(SQLModel, table=True):
    __tablename__ = "users"

    id: int = Field(primary_key=True)
    time_zone: str


class UserRevision(SQLModel, table=True):
    __tablename__ = "user_revisions"

    user_id: int = Field(primary_key=True)
    revision: int


class Task(SQLModel, table=True):
    __tablename__ = "tasks"

    id: int | None = Field(default=None, primary_key=True)
    user_id: int
    uid: str = Field(sa_column=Column(Text, server_default=FetchedValue()))
    title: str
    description: str | None = None
    status: str
    priority: str | None = None
    tags: list[str] = Field(sa_column=Column(ARRAY(Text)))
    tag_keys: list[str] = Field(sa_column=Column(ARRAY(Text)))
    search_text: str
    title_key: str
    list_id: int | None = None
    position: str = Field(sa_column=Column(Text, server_default=FetchedValue()))
    subtask_of: int | None = None
    subtasks_total: int = 0
    subtasks_completed: int = 0
    blocked_by: list[int] = Field(default=[], sa_column=Column(ARRAY(BigInteger)))
    estimate: int | None = None
    due_at: datetime | None = Field(default=None, sa_column=instant())
    due_day: date | None = None
    start_at: datetime | None = Field(default=None, sa_column=instant())
    start_day: date | None = None
    time_zone: str
    reminder_offset: str | None = None
    recurrence_rule: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    parent_task_id: int | None = None
    created_at: datetime = Field(sa_column=instant())
    updated_at: datetime = Field(sa_column=instant())
    completed_at: datetime | None = Field(default=None, sa_column=instant())
    revision: int

    @property
    def subtasks(self) -> dict[str, int]:
        return {"total": self.subtasks_total, "completed": self.subtasks_completed}

    @property
    def due_date(self) -> datetime | None:
        return self.due_at if self.due_day is None else None

    @property
    def start_date(self) -> datetime | None:
        return self.start_at if self.start_day is None else None


class OutboxEvent(SQLModel, table=True):
    __tablename__ = "outbox"

    id: int | None = Field(default=None, primary_key=True)
    event_id: uuid.UUID
    event_type: str
    user_id: int
    task_id: int | None = None
    occurred_at: datetime = Field(sa_column=instant())
    payload: str


class TaskCreate(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    description: Annotated[str, StringConstraints(max_length=2000)] | None = None
    status: Status = "pending"
    priority: Priority | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] = []
    due_date: AwareDatetime | None = None
    time_zone: str | None = None


class Progress(BaseModel):
    """How many subtasks a task has."""

    total: int
    completed: int


class TaskRead(BaseModel):
    """What is answered."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    user_id: int
    uid: str
    title: str
    description: str | None
    status: Status
    priority: Priority | None
    tags: list[str]
    list_id: int | None
    position: str
    subtask_of: int | None
    subtasks: Progress
    blocked_by: list[int]
    estimate: int | None
    due_date: datetime | None
    due_day: date | None
    start_date: datetime | None
    start_day: date | None
    time_zone: str
    reminder_offset: str | None
    recurrence_rule: dict[str, Any] | None
    parent_task_id: int | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    revision: int


class TaskEvent(BaseModel):
    """What the outbox carries."""

    event_id: uuid.UUID
    schema_version: str = "1.0"
    event_type: str
    timestamp: datetime
    task_id: int
    user_id: int
    revision: int
    task_data: TaskRead


def fold(text: str) -> str:
    """Text without case and accents, in which a phrase is searched."""
    if text.isascii():
        return text.lower()
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare.casefold())


async def open_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]
bearer = HTTPBearer(auto_error=False)


async def caller(token: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> dict[str, Any]:
    if token is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        return jwt.decode(token.credentials, JWT_SECRET, algorithms=["HS256"], issuer="rondo")
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error


class MayAct:
    """The user for whom a request acts, if the token has the scope."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, claims: Annotated[dict[str, Any], Depends(caller)]) -> int:
        if self.scope not in claims.get("scope", "").split():
            raise HTTPException(403)
        return int(claims["sub"])


async def end_with(supervisor: int) -> None:
    """Ends this worker when uvicorn's supervisor has been killed, which tells nobody of it."""
    while os.getppid() == supervisor:
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    watch = asyncio.create_task(end_with(os.getppid()))
    yield
    watch.cancel()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


def cursor_of(task: Task) -> str:
    key = task.created_at.isoformat().replace("+00:00", "Z")
    text = json.dumps({"id": task.id, "key": key, "order": "created_at desc"}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def position(cursor: str) -> tuple[datetime, int]:
    try:
        value = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(value["key"]), int(value["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise HTTPException(422, "cursor") from error


@app.get("/api/tasks", response_model=list[TaskRead])
async def list_tasks(
    request: Request,
    response: Response,
    session: Session,
    user: Annotated[int, Depends(MayAct("tasks:read"))],
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: str | None = None,
) -> Any:
    statement = select(Task).where(Task.user_id == user)
    if cursor is not None:
        statement = statement.where(tuple_(Task.created_at, Task.id) < position(cursor))
    statement = statement.order_by(Task.created_at.desc(), Task.id.desc()).limit(limit + 1)
    tasks = (await session.scalars(statement)).all()
    if len(tasks) > limit:
        tasks = tasks[:limit]
        # Relative, as the product has it.
        url = request.url.include_query_params(cursor=cursor_of(tasks[-1]))
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return tasks


@app.post("/api/tasks", response_model=TaskRead, status_code=201)
async def create_task(
    body: TaskCreate,
    response: Response,
    session: Session,
    user: Annotated[int, Depends(MayAct("tasks:write"))],
) -> Any:
    revision = await session.scalar(
        update(UserRevision)
        .where(UserRevision.user_id == user)
        .values(revision=UserRevision.revision + 1)
        .returning(UserRevision.revision)
    )
    if revision is None:
        raise HTTPException(401)
    time_zone = body.time_zone or await session.scalar(select(User.time_zone).where(User.id == user))
    now = datetime.now(UTC)
    task = Task(
        user_id=user,
        title=body.title,
        description=body.description,
        status=body.status,
        priority=body.priority,
        tags=body.tags,
        tag_keys=[fold(tag) for tag in body.tags],
        search_text="\uffff".join(fold(text) for text in (body.title, body.description) if text is not None),
        title_key=fold(body.title)[:200],
        due_at=body.due_date,
        time_zone=time_zone,
        created_at=now,
        updated_at=now,
        completed_at=now if body.status == "completed" else None,
        revision=revision,
    )
    session.add(task)
    await session.flush()
    event = TaskEvent(
        event_id=uuid.uuid4(),
        event_type="task.created",
        timestamp=now,
        task_id=task.id,
        user_id=user,
        revision=revision,
        task_data=TaskRead.model_validate(task),
    )
    session.add(
        OutboxEvent(
            event_id=event.event_id,
            event_type=event.event_type,
            user_id=user,
            task_id=task.id,
            occurred_at=now,
            payload=event.model_dump_json(),
        )
    )
    await session.commit()
    response.headers["ETag"] = f'"{revision}"'
    response.headers["Location"] = f"/api/{user}/tasks/{task.id}"
    return task
