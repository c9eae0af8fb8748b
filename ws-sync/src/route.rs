//! The route of WebSocket sessions.

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use rondo_contract::frame::{BEARER_SUBPROTOCOL_PREFIX, SUBPROTOCOL};
use rondo_contract::problem::{self, Problem, ProblemCode};
use rondo_telemetry::Gate;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::service::{LEFT, REFUSALS, SyncService, WEBSOCKET};
use crate::session::{self, CLIENT_MESSAGE_BYTES_CUT, End, Handshake, Since};

/// Read buffer of a connection, in bytes: clients send little, and every connection has one.
const READ_BUFFER_BYTES: usize = 512;
/// Identifies a request in the logs; `rondo up` sets it.
const REQUEST_ID: &str = "x-request-id";
/// Bytes of frames that are collected for one write.
const WRITE_BUFFER_BYTES: usize = 4 * 1024;

/// Serves routes until `shutdown`; see [`rondo_telemetry::serve`].
pub async fn serve(gate: Gate, routes: Router, shutdown: CancellationToken) {
    let handler = move |request| {
        let routes = routes.clone();
        async move {
            let Ok(response) = routes.oneshot(request).await;
            response
        }
    };
    rondo_telemetry::serve::serve(gate, handler, shutdown).await;
}

/// `GET /ws`, on its own or among the routes of a larger program.
pub fn router(service: SyncService) -> Router {
    Router::new().route("/ws", any(connect)).with_state(service)
}

/// Accepts every handshake, because a browser's script cannot see why one was refused; the close code says
/// it. The query is never logged, because it may contain the token.
async fn connect(
    State(service): State<SyncService>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return no_handshake(&rejection, headers.get(REQUEST_ID)),
    };
    let mut handshake = handshake_of(&uri);
    let bearer = upgrade
        .requested_protocols()
        .filter_map(|protocol| protocol.to_str().ok())
        .find_map(|protocol| protocol.strip_prefix(BEARER_SUBPROTOCOL_PREFIX));
    if let Some(token) = bearer {
        handshake.token = Some(token.to_owned());
    }
    upgrade
        .protocols([SUBPROTOCOL])
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(CLIENT_MESSAGE_BYTES_CUT)
        .max_frame_size(CLIENT_MESSAGE_BYTES_CUT)
        .on_upgrade(move |socket| async move {
            let _counted = service.metrics().connection(WEBSOCKET);
            let ended = session::run(socket, handshake, &service).await;
            let how = match ended {
                End::Closed(reason) => reason.as_str(),
                End::Left => LEFT,
            };
            service.metrics().sync_sessions_ended.with([how]).inc();
            if let End::Closed(reason) = ended
                && REFUSALS.contains(&reason)
            {
                service.metrics().refused(reason.code(), reason.as_str());
            }
            tracing::debug!(?ended, "a session ended");
        })
}

/// Reads `token` and `since`, and ignores other parameters.
fn handshake_of(uri: &Uri) -> Handshake {
    let mut handshake = Handshake::default();
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
        return handshake;
    };
    for (name, value) in parameters {
        match name.as_str() {
            "token" => handshake.token = Some(value),
            "since" => handshake.since = value.parse().map_or(Since::Malformed, Since::Revision),
            _ => {}
        }
    }
    handshake
}

/// The response to a request that is not a WebSocket handshake (RFC 9110, section 15.5.22; RFC 9457).
fn no_handshake(
    rejection: &WebSocketUpgradeRejection,
    request_id: Option<&HeaderValue>,
) -> Response {
    let status = match rejection {
        WebSocketUpgradeRejection::MethodNotGet(_) => StatusCode::METHOD_NOT_ALLOWED,
        WebSocketUpgradeRejection::InvalidUpgradeHeader(_)
        | WebSocketUpgradeRejection::InvalidConnectionHeader(_)
        | WebSocketUpgradeRejection::ConnectionNotUpgradable(_) => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut problem = Problem::new(ProblemCode::WebsocketExpected);
    problem.status = status.as_u16();
    if let Some(id) = request_id.and_then(|id| id.to_str().ok()) {
        problem = problem.with_request_id(id);
    }
    let headers = [
        (header::CONTENT_TYPE, problem::MEDIA_TYPE),
        (header::UPGRADE, "websocket"),
        (header::CONNECTION, "upgrade"),
        (header::ALLOW, "GET"),
    ];
    (status, headers, serde_json::to_vec(&problem).unwrap_or_default()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes() {
        let check = |query: &str, token: Option<&str>, since: Since| {
            let uri = format!("/ws?{query}").parse().unwrap();
            let expected = Handshake { token: token.map(str::to_owned), since };
            assert_eq!(handshake_of(&uri), expected, "{query}");
        };
        check("", None, Since::Now);
        check("token=a.b.c", Some("a.b.c"), Since::Now);
        check("since=7&token=a%2Eb&x=1", Some("a.b"), Since::Revision(7));
        check("since=0", None, Since::Revision(0));
        check("since=", None, Since::Malformed);
        check("since=seven&token=t", Some("t"), Since::Malformed);
        check("since=99999999999999999999", None, Since::Malformed);
    }
}
