# Applies migrations and fails unless the schema then matches this release.
umask 077
# rondo accepts only a file that it owns, but mounted files belong to root.
if [ -f /run/secrets/rondo/secrets ]; then
    cat /run/secrets/rondo/secrets > "$RONDO_DATA/secrets"
fi
# The deadline of the Job limits the wait.
if [ -n "${WAIT_FOR_DATABASE:-}" ]; then
    until rondo migrate status; do sleep 2; done
fi
rondo migrate up
status=$(rondo migrate status)
echo "$status"
if echo "$status" | grep -qE '^(pending|foreign) '; then
    echo "the schema does not match this release" >&2
    exit 1
fi
