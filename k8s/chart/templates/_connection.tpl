{{- /* Maximum number of pods of a workload. */ -}}
{{- define "rondo.podsMax" -}}
{{- $root := index . 0 -}}
{{- $workload := index . 1 -}}
{{- if and (eq $workload "components") $root.Values.components.autoscaling.enabled -}}
{{- $root.Values.components.autoscaling.maxReplicas -}}
{{- else if and (eq $workload "bridge") $root.Values.bridge.keda.enabled -}}
{{- $root.Values.bridge.keda.maxReplicas -}}
{{- else -}}
{{- (index $root.Values $workload).replicas -}}
{{- end -}}
{{- end -}}

{{- /* Maximum connections of one pod as one role. */ -}}
{{- define "rondo.sessions" -}}
{{- $root := index . 0 -}}
{{- $sessions := ($root.Files.Get "files/database.json" | fromJson).sessions -}}
{{- if ne (index . 1) "components" -}}
{{- index $sessions (index . 1) | int -}}
{{- else if eq $root.Values.components.mode "host" -}}
{{- default $sessions.host $root.Values.components.connections | int -}}
{{- else -}}
{{- min ($sessions.spin | int) ($root.Values.components.instances | int) -}}
{{- end -}}
{{- end -}}

{{- /* Connections that all pods can open as a role, including one surge pod during a rollout. A single pod may be limited by its role. Argument: (list root role fact). */ -}}
{{- define "rondo.needed" -}}
{{- $root := index . 0 -}}
{{- $fact := index . 2 -}}
{{- $pods := include "rondo.podsMax" (list $root $fact.workload) | int -}}
{{- $sessions := include "rondo.sessions" (list $root $fact.workload) | int -}}
{{- if le $pods 1 -}}
{{- min $sessions ($fact.connections | int) -}}
{{- else -}}
{{- mul (add $pods 1) $sessions -}}
{{- end -}}
{{- end -}}

{{- /* Connection limit of a role: what its pods need, at least the built-in one. */ -}}
{{- define "rondo.limit" -}}
{{- $root := index . 0 -}}
{{- $fact := index . 2 -}}
{{- $share := divf (include "rondo.needed" . | int) $root.Values.database.overcommit | ceil | int -}}
{{- max $share ($fact.connections | int) -}}
{{- end -}}

{{- /* Fails if the roles' limits are more than the server allows. */ -}}
{{- define "rondo.checkConnections" -}}
{{- $root := . -}}
{{- $total := .Values.database.reservedConnections | int -}}
{{- range $role, $fact := (.Files.Get "files/database.json" | fromJson).roles -}}
{{- $total = add $total (include "rondo.limit" (list $root $role $fact) | int) -}}
{{- end -}}
{{- if gt ($total | int) (.Values.database.maxConnections | int) -}}
{{- fail (printf "the roles and database.reservedConnections add up to %d connections, but database.maxConnections is %d: raise max_connections of Postgres and this value, run fewer pods, or set database.overcommit and accept 503 under peak load" ($total | int) (.Values.database.maxConnections | int)) -}}
{{- end -}}
{{- end -}}

{{- /* The computed limits, as `rondo migrate up` takes them. */ -}}
{{- define "rondo.roleConnections" -}}
{{- $root := . -}}
{{- $limits := list -}}
{{- range $role, $fact := (.Files.Get "files/database.json" | fromJson).roles -}}
{{- $limits = append $limits (printf "%s=%s" $role (include "rondo.limit" (list $root $role $fact))) -}}
{{- end -}}
{{- join "," $limits -}}
{{- end -}}

{{- /* SQL that sets the computed limits. */ -}}
{{- define "rondo.roleSql" -}}
{{- $root := . -}}
{{- range $role, $fact := (.Files.Get "files/database.json" | fromJson).roles }}
ALTER ROLE {{ $role }} CONNECTION LIMIT {{ include "rondo.limit" (list $root $role $fact) }};
{{- end }}
{{- end -}}
