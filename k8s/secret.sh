#!/usr/bin/env bash
# Prints the Secrets that the chart expects, as YAML:
#
#   k8s/secret.sh FOLDER | kubectl -n rondo-dev apply -f -
#   k8s/secret.sh FOLDER | kubeseal --format yaml > sealed.yaml
#
# FOLDER/secrets contains the roles' passwords and the keys, in the format of `rondo migrate`. The script generates
# what is missing. Back the folder up and protect it. Settings are environment variables:
#
#   DATABASE_URL      required; login of the migration, with the host that pods use
#   DATABASE_OPTIONS  query of the other DSNs; default sslmode=require
#   SSL_ROOT_CERT     path of the CA in the pods, except Spin's
#   COMPONENTS_MODE   spin (default) or host, which uses SSL_ROOT_CERT
#   SIGNING           secret (default), or key, which prints account.jwtPublicKeys to standard error
#   SMTP_URL, KAFKA_PASSWORD, KAFKA_SYNC_PASSWORD, LLM_API_KEY if used
#   ROLE_SECRETS      for CloudNativePG: prefix of a basic-auth Secret for each role (rondo-role-)
set -euo pipefail
umask 077

fail() {
    echo "error: $*" >&2
    exit 2
}
[[ $# -eq 1 ]] || fail "usage: $0 FOLDER"
folder=$1
: "${DATABASE_URL:?is required: postgres://user:password@host:port/database}"
[[ $DATABASE_URL =~ ^postgres(ql)?://[^@]+@([^/@?]+)/([^?]+)(\?.*)?$ ]] ||
    fail "DATABASE_URL must be postgres://user:password@host:port/database"
address=${BASH_REMATCH[2]}
database=${BASH_REMATCH[3]}
[[ $address == *:* ]] || address=$address:5432
options=${DATABASE_OPTIONS:-sslmode=require}
mode=${COMPONENTS_MODE:-spin}
signing=${SIGNING:-secret}
[[ $mode == spin || $mode == host ]] || fail "COMPONENTS_MODE is spin or host"
[[ $signing == secret || $signing == key ]] || fail "SIGNING is secret or key"

base64url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }

mkdir -p "$folder"
touch "$folder/secrets"
secret() { # name: prints its value, which is generated and stored if there is none
    local value
    value=$(sed -n "s/^$1=//p" "$folder/secrets")
    if [[ -z $value ]]; then
        value=$(openssl rand 32 | base64url)
        echo "$1=$value" >> "$folder/secrets"
    fi
    echo "$value"
}

# Spin rejects sslrootcert. The timeouts make it detect an unreachable server.
native="$options${SSL_ROOT_CERT:+&sslrootcert=$SSL_ROOT_CERT}"
if [[ $mode == host ]]; then
    component=$native
else
    component="$options&connect_timeout=5&tcp_user_timeout=30&keepalives_idle=30"
fi
dsn() { # role options
    echo "postgres://$1:$(secret "$1_password")@$address/$database?$2&application_name=$1"
}

head_of() { # name [type]
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n' "$1"
    [[ -z ${2:-} ]] || printf 'type: %s\n' "$2"
    printf 'stringData:\n'
}
entry() { # key value, as a JSON string, which is YAML
    local value=${2//\\/\\\\}
    printf '  %s: "%s"\n' "$1" "${value//\"/\\\"}"
}

roles=(task_api recurrence notify audit auth mcp chat bridge sync)
# Generates all before the first is printed, so that the file is complete.
for name in "${roles[@]/%/_password}"; do secret "rondo_$name" > /dev/null; done
for name in jwt_secret event_service_token link_key; do secret "$name" > /dev/null; done

head_of rondo-components
for role in task_api recurrence notify audit auth mcp chat; do
    entry "${role}_database_url" "$(dsn "rondo_$role" "$component")"
done
entry link_secret "$(secret link_key)"
entry event_token "$(secret event_service_token)"
[[ -z ${LLM_API_KEY:-} ]] || entry llm_api_key "$LLM_API_KEY"
if [[ $signing == secret ]]; then
    entry jwt_secret "$(secret jwt_secret)"
else
    key=$folder/jwt.pem
    [[ -f $key ]] || openssl genpkey -algorithm ed25519 -out "$key"
    # The last 32 bytes of PKCS #8 and of SubjectPublicKeyInfo are the keys themselves (RFC 8410).
    d=$(openssl pkey -in "$key" -outform DER | tail -c 32 | base64url)
    x=$(openssl pkey -in "$key" -pubout -outform DER | tail -c 32 | base64url)
    kid=${x:0:8}
    entry jwt_signing_key "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"$kid\",\"d\":\"$d\",\"x\":\"$x\"}"
    echo "account.jwtPublicKeys: '{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"$kid\",\"x\":\"$x\"}]}'" >&2
fi

head_of rondo-bridge
entry database-url "$(dsn rondo_bridge "$native")"
entry event-token "$(secret event_service_token)"
[[ -z ${SMTP_URL:-} ]] || entry smtp-url "$SMTP_URL"
[[ -z ${KAFKA_PASSWORD:-} ]] || entry kafka-password "$KAFKA_PASSWORD"

head_of rondo-sync
entry database-url "$(dsn rondo_sync "$native")"
[[ $signing == key ]] || entry jwt-secret "$(secret jwt_secret)"
[[ -z ${KAFKA_SYNC_PASSWORD:-} ]] || entry kafka-password "$KAFKA_SYNC_PASSWORD"

head_of rondo-migrate
entry database-url "$DATABASE_URL"
printf '  secrets: |\n'
grep -E '^(rondo_[a-z_]+_password|jwt_secret|event_service_token|link_key|postgres_superuser_password)=' \
    "$folder/secrets" | sed 's/^/    /'

if [[ -n ${ROLE_SECRETS:-} ]]; then
    for role in "${roles[@]}"; do
        head_of "$ROLE_SECRETS${role//_/-}" kubernetes.io/basic-auth
        entry username "rondo_$role"
        entry password "$(secret "rondo_${role}_password")"
    done
fi
