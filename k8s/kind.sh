#!/usr/bin/env bash
# Installs Rondo with SpinKube on a cluster of kind, and plays the chart's test:
#
#   cargo xtask image && k8s/kind.sh spinapp|runtimeclass|host
#
# Needs docker, kind, kubectl, helm, oras, envsubst, jq and openssl. Images are settings: KIND_IMAGE (Kubernetes 1.36 or
# newer for spinapp), REGISTRY_IMAGE, POSTGRES_IMAGE and KAFKA_IMAGE. SHIM_SHA256 is the checksum of the shim's
# release, which the mode host does not need. Afterwards: kind delete cluster --name rondo; docker rm --force rondo-registry
set -euo pipefail
[[ $# -eq 1 && $1 =~ ^(spinapp|runtimeclass|host)$ ]] || { echo "usage: $0 spinapp|runtimeclass|host" >&2; exit 2; }
mode=$1 namespace=rondo-dev registry=rondo-registry node=rondo-control-plane
here=$(dirname "${BASH_SOURCE[0]}")
layout=${LAYOUT:-$here/../target/image}
shim_version=0.25.1 operator_version=0.6.1 certificates_version=v1.21.2
export POSTGRES_IMAGE=${POSTGRES_IMAGE:-docker.io/library/postgres:17} KAFKA_IMAGE=${KAFKA_IMAGE:-docker.io/apache/kafka:4.1.0}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

docker run --detach --restart=always --name "$registry" --publish 127.0.0.1:5000:5000 \
    "${REGISTRY_IMAGE:-docker.io/library/registry:3}"
kind create cluster --name rondo --config "$here/kind/cluster.yaml" ${KIND_IMAGE:+--image "$KIND_IMAGE"} --wait 5m
docker network connect kind "$registry"

# The node finds the registry of this machine by its name in kind's network.
docker exec "$node" mkdir -p /etc/containerd/certs.d/localhost:5000
docker exec --interactive "$node" tee /etc/containerd/certs.d/localhost:5000/hosts.toml > /dev/null <<< "[host.\"http://$registry:5000\"]"

if [[ $mode != host ]]; then
    archive=containerd-shim-spin-v2-linux-x86_64.tar.gz
    curl --fail --silent --show-error --location --output "$folder/$archive" \
        "https://github.com/spinframework/containerd-shim-spin/releases/download/v$shim_version/$archive"
    echo "${SHIM_SHA256:?}  $folder/$archive" | sha256sum --check
    tar --extract --gzip --directory "$folder" --file "$folder/$archive"
    docker cp "$folder/containerd-shim-spin-v2" "$node:/usr/local/bin/containerd-shim-spin-v2"
    kubectl apply --filename - << 'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: wasmtime-spin-v2}
handler: spin
YAML
fi
if [[ $mode == spinapp ]]; then
    helm install cert-manager oci://quay.io/jetstack/charts/cert-manager --version "$certificates_version" \
        --namespace cert-manager --create-namespace --set crds.enabled=true --wait --timeout 5m
    kubectl apply --server-side --filename \
        "https://github.com/spinframework/spin-operator/releases/download/v$operator_version/spin-operator.crds.yaml"
    helm install spin-operator oci://ghcr.io/spinframework/charts/spin-operator --version "$operator_version" \
        --namespace spin-operator --create-namespace --wait --timeout 5m
fi

images=()
for image in rondo tools app; do
    repository=localhost:5000/rondo-$image
    oras copy --from-oci-layout --to-plain-http "$layout:$image" "$repository:test"
    digest=$(oras resolve --plain-http "$repository:test")
    images+=(--set-string "image.$image.repository=$repository,image.$image.digest=$digest")
done

kubectl apply --filename "$here/namespace.yaml"
POSTGRES_PASSWORD=$(openssl rand -hex 16)
export POSTGRES_PASSWORD
envsubst < "$here/kind/beside.yaml" | kubectl apply --namespace "$namespace" --filename -
for name in postgres kafka; do
    kubectl rollout status "deployment/$name" --namespace "$namespace" --timeout 5m
done
export DATABASE_URL=postgres://postgres:$POSTGRES_PASSWORD@postgres:5432/rondo DATABASE_OPTIONS=sslmode=disable
components=spin
[[ $mode != host ]] || components=host
COMPONENTS_MODE=$components "$here/secret.sh" "$folder/secret" | kubectl apply --namespace "$namespace" --filename -

helm install rondo "$here/chart" --namespace "$namespace" --values "$here/chart/values/local.yaml" \
    --set "components.mode=$mode" "${images[@]}" --timeout 10m
"$here/rollout.sh" rondo "$namespace"
