#!/usr/bin/env bash
# Verifies that the installed release runs and is healthy:
#
#   k8s/rollout.sh RELEASE NAMESPACE
#
# `helm --wait` does not wait for a SpinApp. Each Deployment must have an image of the release's manifest, complete
# its rollout, and run no other image. Then `helm test` must pass. With PROMETHEUS_URL, at most 5 % of requests may
# fail. TIMEOUT limits each rollout, in seconds (300).
set -euo pipefail
[[ $# -eq 2 ]] || { echo "usage: $0 RELEASE NAMESPACE" >&2; exit 2; }
release=$1 namespace=$2 timeout=${TIMEOUT:-300}
errors_max=0.05

fail() { echo "FAILED: $*" >&2; exit 1; }
kube() { kubectl --namespace "$namespace" "$@"; }

manifest=$(helm get manifest "$release" --namespace "$namespace")
expected=$(grep -oE '[^" ]+@sha256:[0-9a-f]{64}' <<< "$manifest" | sort -u)
[[ -n $expected ]] || fail "the release $release has no image with a digest"

# spin-operator creates and updates its Deployment asynchronously.
for component in components bridge sync; do
    selector=app.kubernetes.io/instance=$release,app.kubernetes.io/component=$component
    name=$(kube get deployments,spinapps --selector "$selector" --output name --ignore-not-found 2> /dev/null || true)
    [[ -n $name ]] || name=$(kube get deployments --selector "$selector" --output name)
    name=$(head -n 1 <<< "$name")
    name=${name##*/}
    [[ -n $name ]] || fail "there is no Deployment of $component"
    end=$((SECONDS + timeout))
    until image=$(kube get deployment "$name" --output 'jsonpath={.spec.template.spec.containers[0].image}') &&
        grep -qxF "$image" <<< "$expected"; do
        ((SECONDS < end)) || fail "$name has ${image:-no image}, which is not in the release"
        sleep 2
    done
    kube rollout status "deployment/$name" --timeout "${timeout}s" || fail "the rollout of $name does not complete"
    running=$(kube get pods --selector "$selector" --field-selector status.phase=Running --output json |
        jq --raw-output '.items[] | select(.metadata.deletionTimestamp | not) | .spec.containers[0].image' | sort -u)
    [[ $running == "$image" ]] || fail "pods of $name run ${running:-nothing}, not $image"
    echo "ok: $name runs $image"
done

helm test "$release" --namespace "$namespace" --timeout "${timeout}s" --logs || fail "helm test failed"

if [[ -n ${PROMETHEUS_URL:-} ]]; then
    query="max(rondo:api_errors:ratio_rate5m{service=~\"$namespace-.*\"})"
    answer=$(curl --fail --silent --show-error --get "$PROMETHEUS_URL/api/v1/query" --data-urlencode "query=$query") ||
        fail "Prometheus does not answer"
    # Without requests there is no error rate.
    errors=$(jq --raw-output '.data.result[0].value[1] // "0"' <<< "$answer")
    jq --null-input --exit-status "(\"$errors\" | tonumber) <= $errors_max" > /dev/null ||
        fail "$errors of the requests fail, more than $errors_max"
    echo "ok: $errors of the requests fail"
fi
