# Applies migrations and fails unless the schema then matches this release.
umask 077
# rondo accepts only a file that it owns, but mounted files belong to root.
if [ -f /run/secrets/rondo/secrets ]; then
    cat /run/secrets/rondo/secrets > "$RONDO_DATA/secrets"
fi
# The deadline of the Job limits the wait.
if [ -n "${WAIT_FOR_DATABASE:-}" ]; then
    # From 3 on, the status is about the schema, so the database answers.
    until rondo migrate status || [ $? -ge 3 ]; do sleep 2; done
fi
rondo migrate up
# Fails if a migration is pending or of another release.
rondo migrate status
