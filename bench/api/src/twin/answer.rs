//! The two routes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, LINK, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rondo_contract::task_body;
use rondo_contract::task_query::{Cursor, Place, SortBy, SortOrder, TaskQuery};
use rondo_contract::token::{self, HmacKey};
use rondo_domain::access::{Caller, Scope, Scopes};
use rondo_domain::due::DAY_REMINDER_TIME;
use rondo_domain::instant::Instant;
use rondo_domain::task::{Priority, Status};
use rondo_domain::zone::Zone;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgPool;

const LIST: &str =
    include_str!("../../../../crates/task/src/sql/tasks_by_created_at_desc.sql");
const CREATE: &str = include_str!("../../../../crates/task/src/sql/task_create.sql");

/// What answers.
pub struct Twin {
    pub pool: PgPool,
    pub key: HmacKey,
}

/// A refusal: its status.
pub struct Refused(StatusCode);

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("{error}");
        Self(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// `GET /api/tasks`
pub async fn list(
    State(twin): State<Arc<Twin>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let user = twin.user(&headers, Scope::TasksRead)?;
    let text = query.unwrap_or_default();
    let query = TaskQuery::parse(&text).map_err(|_| Refused(StatusCode::UNPROCESSABLE_ENTITY))?;
    let is_plain = query.sort_by == SortBy::CreatedAt && query.sort_order == SortOrder::Desc;
    if !is_plain || query.count || query.names_days() {
        return Err(Refused(StatusCode::NOT_IMPLEMENTED));
    }
    let some_of = |words: Vec<String>| Some(words).filter(|words| !words.is_empty());
    let words = |words: Vec<&str>| some_of(words.into_iter().map(str::to_owned).collect());
    let [due_date_start, due_date_end] = query.due_dates(&Zone::utc(), Instant::UNIX_EPOCH);
    let tasks: Vec<String> = sqlx::query_scalar(LIST)
        .bind(user)
        .bind(&query.search)
        .bind(words(query.status.iter().copied().map(Status::as_str).collect()))
        .bind(words(query.priority.iter().copied().map(Priority::as_str).collect()))
        .bind(some_of(query.tags.clone()))
        .bind(some_of(query.tags_all.clone()))
        .bind(due_date_start)
        .bind(due_date_end)
        .bind(query.has_due_date)
        .bind(query.parent_task_id)
        .bind(&query.updated_since)
        .bind(query.list_id.map(Place::number))
        .bind(query.subtask_of)
        .bind(query.blocked)
        .bind(query.tree)
        .bind(query.deferred.as_str())
        .bind(query.cursor.as_ref().and_then(|cursor| cursor.key.as_deref()))
        .bind(query.cursor.as_ref().map(|cursor| cursor.id))
        .bind(query.limit)
        .bind(query.offset)
        .fetch_all(&twin.pool)
        .await?;
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let page = &tasks[..tasks.len().min(limit)];
    let mut response =
        ([(CONTENT_TYPE, "application/json")], format!("[{}]", page.join(","))).into_response();
    if let Some(last) = page.last().filter(|_| page.len() < tasks.len()) {
        let cursor = Cursor::after(query.sort_by, query.sort_order, last)
            .map_err(|_| Refused(StatusCode::INTERNAL_SERVER_ERROR))?
            .encode();
        let mut next = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if name != "cursor" && name != "offset" {
                next.append_pair(&name, &value);
            }
        }
        let next = next.append_pair("cursor", &cursor).finish();
        let link = format!("</api/tasks?{next}>; rel=\"next\"").parse();
        let link = link.map_err(|_| Refused(StatusCode::INTERNAL_SERVER_ERROR))?;
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// `POST /api/tasks`
pub async fn create(
    State(twin): State<Arc<Twin>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let user = twin.user(&headers, Scope::TasksWrite)?;
    let value: Value =
        serde_json::from_slice(&body).map_err(|_| Refused(StatusCode::BAD_REQUEST))?;
    let now = i64::try_from(since_epoch().as_micros()).unwrap_or_default();
    let now =
        Instant::from_microsecond(now).ok_or(Refused(StatusCode::INTERNAL_SERVER_ERROR))?;
    let fields = task_body::create(&value, &Zone::utc(), now)
        .map_err(|_| Refused(StatusCode::UNPROCESSABLE_ENTITY))?;
    let mut stored = task_body::to_stored(&fields, &[], DAY_REMINDER_TIME, now);
    if !task_body::names_zone(&value) {
        stored["time_zone"] = Value::Null;
    }
    let absent: Option<String> = None;
    let row = sqlx::query(CREATE)
        .bind(user)
        .bind(stored.to_string())
        .bind(&absent)
        .bind(&absent)
        .bind(&absent)
        .bind(&absent)
        .fetch_one(&twin.pool)
        .await?;
    if row.try_get::<String, _>("outcome")? != "created" {
        return Err(Refused(StatusCode::UNAUTHORIZED));
    }
    let (revision, task) =
        (row.try_get::<i64, _>("revision")?, row.try_get::<String, _>("answer")?);
    // As the product finds it: the first member.
    let id: String =
        task.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (ETAG, format!("\"{revision}\"")),
        (LOCATION, format!("/api/{user}/tasks/{id}")),
    ];
    Ok((StatusCode::CREATED, headers, task).into_response())
}

impl Twin {
    /// Whom the token stands for, if it may do this.
    fn user(&self, headers: &HeaderMap, scope: Scope) -> Result<i64, Refused> {
        let unauthenticated = Refused(StatusCode::UNAUTHORIZED);
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) else {
            return Err(unauthenticated);
        };
        let now_s = i64::try_from(since_epoch().as_secs()).unwrap_or_default();
        let Ok(claims) = token::verify(token, &self.key, now_s) else {
            return Err(unauthenticated);
        };
        let caller = Caller { user_id: claims.user_id, scopes: Scopes::of_token(&claims.scope) };
        caller.may_act(caller.user_id, scope).map_err(|_| Refused(StatusCode::FORBIDDEN))?;
        Ok(caller.user_id)
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
