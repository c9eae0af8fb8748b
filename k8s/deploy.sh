#!/usr/bin/env bash
# Installs or upgrades Rondo in an environment, verifies it, and rolls back on failure:
#
#   k8s/deploy.sh dev|staging|prod [CLOUD] [HELM ARGUMENTS…]
#
# Images come from the environment: REGISTRY, such as registry.example.org/rondo, and RONDO_DIGEST,
# TOOLS_DIGEST and APP_DIGEST (sha256:…).
# Exit status 0: the new release runs. 1: it failed, and the previous one runs again. 3: both failed.
set -euo pipefail
usage() { echo "usage: $0 dev|staging|prod [aks|gke|oke|doks] [HELM ARGUMENTS…]" >&2; exit 2; }
[[ $# -ge 1 && $1 =~ ^(dev|staging|prod)$ ]] || usage
: "${REGISTRY:?}" "${RONDO_DIGEST:?}" "${TOOLS_DIGEST:?}"
here=$(dirname "${BASH_SOURCE[0]}")
environment=$1 namespace=rondo-$1 release=rondo
shift
values=(--values "$here/chart/values/$environment.yaml")
if [[ ${1:-} =~ ^(aks|gke|oke|doks)$ ]]; then
    values+=(--values "$here/chart/values/$1.yaml")
    shift
fi
images=(
    --set-string "image.rondo.repository=$REGISTRY/rondo,image.rondo.digest=$RONDO_DIGEST"
    --set-string "image.tools.repository=$REGISTRY/tools,image.tools.digest=$TOOLS_DIGEST"
    --set-string "image.app.repository=$REGISTRY/app,image.app.digest=${APP_DIGEST:-}"
)
before=$(helm history "$release" --namespace "$namespace" --max 1 --output json 2> /dev/null || echo '[]')

if helm upgrade --install "$release" "$here/chart" --namespace "$namespace" --history-max 20 \
    --timeout 15m "${values[@]}" "${images[@]}" "$@" && "$here/rollout.sh" "$release" "$namespace"; then
    exit 0
fi
if [[ $(jq length <<< "$before") -eq 0 ]]; then
    echo "error: the first release failed, and there is no previous one" >&2
    exit 3
fi
"$here/rollback.sh" "$release" "$namespace" || exit 3
exit 1
