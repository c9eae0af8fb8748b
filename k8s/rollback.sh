#!/usr/bin/env bash
# Rolls a release back to its last good revision, or to REVISION, and verifies it:
#
#   k8s/rollback.sh RELEASE NAMESPACE [REVISION]
#
# The schema is not rolled back. The bridge and live sync refuse a schema of another release, so after a migration,
# fix forward or restore a backup (docs/operations.md).
set -euo pipefail
[[ $# -eq 2 || $# -eq 3 ]] || { echo "usage: $0 RELEASE NAMESPACE [REVISION]" >&2; exit 2; }
release=$1 namespace=$2
here=$(dirname "${BASH_SOURCE[0]}")

if [[ $# -eq 3 ]]; then
    revision=$3
else
    # The newest revision is the one to leave. If it is a rollback itself, so are those after its target. Of the
    # others, these were installed completely.
    revision=$(helm history "$release" --namespace "$namespace" --max 20 --output json | jq --raw-output '
        sort_by(.revision)
        | (last | (.description | capture("^Rollback to (?<target>[0-9]+)").target | tonumber) // .revision) as $newest
        | map(select(.revision < $newest and (.status == "superseded" or .status == "deployed")))
        | last | .revision // empty')
fi
[[ -n $revision ]] || { echo "error: $release has no revision to roll back to" >&2; exit 1; }
echo "rolling $release in $namespace back to revision $revision"
helm rollback "$release" "$revision" --namespace "$namespace" --timeout "${TIMEOUT:-300}s"
exec "$here/rollout.sh" "$release" "$namespace"
