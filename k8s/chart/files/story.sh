# Registers a user, completes a recurring task, and waits for the next occurrence, the audit log and a
# WebSocket client to reflect it. Needs COMPONENTS, BRIDGE, SYNC and SYNC_OPERATIONS as host:port, and
# WAIT_SECONDS.
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
ask() { # method path [body]: prints the response body
    if [ "$1" = POST ]; then
        timeout 20 wget -q -O - --header "Content-Type: application/json" --header "Authorization: Bearer $token" \
            --post-data "$3" "http://$COMPONENTS$2"
    else
        timeout 20 wget -q -O - --header "Authorization: Bearer $token" "http://$COMPONENTS$2"
    fi
}
eventually() { # what command...: repeats the command until it succeeds
    what=$1
    shift
    end=$(($(date +%s) + WAIT_SECONDS))
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || fail "$what did not happen within $WAIT_SECONDS s"
        sleep 1
    done
    echo "ok: $what"
}
is_ready() { timeout 10 wget -q -O /dev/null "http://$1"; }
has_successor() { ask GET "/api/tasks?status=pending" | grep -q '"parent_task_id" *: *'"$task"; }
has_audit() {
    logs=$(ask GET /api/audit/logs) || return 1
    [ "$(echo "$logs" | grep -o '"action_type" *: *"task.created"' | wc -l)" -eq 2 ] &&
        echo "$logs" | grep -q '"action_type" *: *"task.completed"'
}
is_told() { grep -aq 'task.completed' "$told"; }

eventually "the components are ready" is_ready "$COMPONENTS/api/health/ready"
eventually "the bridge is ready" is_ready "$BRIDGE/health/ready"
eventually "live sync is ready" is_ready "$SYNC_OPERATIONS/health/ready"

token=none
number=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
answer=$(ask POST /api/auth/register '{"email":"test-'"$number"'@example.org","password":"'"$number"'-correct-horse"}') ||
    fail "registration fails (account.registration must be open)"
token=$(echo "$answer" | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
[ -n "$token" ] || fail "no token in the response"
echo "ok: a user is registered"

# A WebSocket client: the handshake of RFC 6455, then the server's frames, which are not masked.
told=/tmp/told
{
    printf 'GET /ws?token=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cm9uZG8tdGVzdC0wMDAwMA==\r\n\r\n' "$token" "$SYNC"
    # Keeps the connection open for the duration of the test.
    sleep $((WAIT_SECONDS * 4))
} | nc "${SYNC%:*}" "${SYNC##*:}" > "$told" &
device=$!
trap 'kill $device 2>/dev/null' EXIT
is_welcome() { grep -aq '"welcome"' "$told"; }
eventually "a WebSocket client is connected" is_welcome

answer=$(ask POST /api/tasks '{"title":"Water the plants","due_date":"2026-01-01T08:00:00Z","recurrence_rule":{"frequency":"daily"}}') ||
    fail "the task cannot be created"
task=$(echo "$answer" | sed -n 's/.*"id" *: *\([0-9]*\), *"user_id.*/\1/p')
[ -n "$task" ] || fail "no id in the response"
ask POST "/api/tasks/$task/complete" '{}' > /dev/null || fail "the task cannot be completed"
echo "ok: task $task is completed"
eventually "the next occurrence exists" has_successor
eventually "the audit log has every event" has_audit
eventually "the WebSocket client has received the change" is_told
ask GET /api/openapi.json | grep -q '"openapi"' || fail "there is no OpenAPI document"
echo "ok: all steps passed"
