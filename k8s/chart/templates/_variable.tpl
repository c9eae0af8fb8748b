{{- /* Every variable of spin.toml. A secret variable whose key is optional and absent has its default of spin.toml. */ -}}
{{- define "rondo.plainVariables" -}}
database_host: {{ include "rondo.databaseAddress" . | quote }}
jwt_public_keys: {{ .Values.account.jwtPublicKeys | quote }}
access_token_seconds: {{ .Values.account.accessTokenSeconds | int | quote }}
oidc_issuer: {{ .Values.oidc.issuer | quote }}
oidc_audience: {{ .Values.oidc.audience | quote }}
oidc_default_scopes: {{ .Values.oidc.defaultScopes | quote }}
trusted_proxies: {{ .Values.account.trustedProxies | quote }}
public_url: {{ .Values.account.publicUrl | quote }}
require_verified_email: {{ .Values.account.requireVerifiedEmail | quote }}
registration: {{ .Values.account.registration | quote }}
registration_limits: {{ ternary "on" "off" .Values.account.registrationLimits | quote }}
cors_origins: {{ .Values.components.corsOrigins | quote }}
{{- /* Without a model, chat can reach none: a host that cannot exist (RFC 2606). */ -}}
{{- $model := ternary .Values.languageModel.url "https://llm.invalid/v1" (ne .Values.languageModel.name "") }}
{{- $url := urlParse (trimSuffix "/" $model) }}
llm_origin: {{ printf "%s://%s" $url.scheme $url.host | quote }}
llm_path: {{ $url.path | quote }}
llm_model: {{ .Values.languageModel.name | quote }}
llm_tokens_per_day: {{ .Values.languageModel.tokensPerDay | int | quote }}
webhook_allow_loopback: {{ .Values.webhook.allowLoopback | quote }}
{{- end -}}

{{- define "rondo.secretVariables" -}}
task_api_database_url: required
recurrence_database_url: required
notify_database_url: required
audit_database_url: required
auth_database_url: required
mcp_database_url: required
chat_database_url: required
llm_api_key: optional
{{- if eq .Values.account.signing "key" }}
jwt_secret: optional
jwt_signing_key: required
{{- else }}
jwt_secret: required
jwt_signing_key: optional
{{- end }}
link_secret: required
link_secret_previous: optional
event_token: required
event_token_previous: optional
{{- end -}}

{{- /* Argument: (list root isEnvironment). In an environment, the names are SPIN_VARIABLE_<NAME>. */ -}}
{{- define "rondo.variables" -}}
{{- $root := index . 0 -}}
{{- $isEnvironment := index . 1 -}}
{{- range $name, $value := include "rondo.plainVariables" $root | fromYaml }}
- name: {{ ternary (printf "SPIN_VARIABLE_%s" (upper $name)) $name $isEnvironment }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $need := include "rondo.secretVariables" $root | fromYaml }}
- name: {{ ternary (printf "SPIN_VARIABLE_%s" (upper $name)) $name $isEnvironment }}
  valueFrom:
    secretKeyRef:
      name: {{ $root.Values.secrets.components.existingSecret }}
      key: {{ $name }}
      {{- if eq $need "optional" }}
      optional: true
      {{- end }}
{{- end }}
{{- end -}}
