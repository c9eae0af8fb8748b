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
{{- $sessions.host | int -}}
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

{{- /* Connection limit of a role: built in, or computed. */ -}}
{{- define "rondo.limit" -}}
{{- $root := index . 0 -}}
{{- $fact := index . 2 -}}
{{- if eq $root.Values.database.roles "migrate" -}}
{{- $fact.connections | int -}}
{{- else -}}
{{- $share := divf (include "rondo.needed" . | int) $root.Values.database.overcommit | ceil | int -}}
{{- max $share ($fact.connections | int) -}}
{{- end -}}
{{- end -}}

{{- /* Fails if the pods can open more connections than a role or the server allows. */ -}}
{{- define "rondo.checkConnections" -}}
{{- $root := . -}}
{{- $total := .Values.database.reservedConnections | int -}}
{{- range $role, $fact := (.Files.Get "files/database.json" | fromJson).roles -}}
{{- $pods := include "rondo.podsMax" (list $root $fact.workload) | int -}}
{{- $needed := include "rondo.needed" (list $root $role $fact) | int -}}
{{- $limit := include "rondo.limit" (list $root $role $fact) | int -}}
{{- if gt (float64 $needed) (mulf $limit $root.Values.database.overcommit) -}}
{{- fail (printf "%d pods of %s (plus one during a rollout) can open %d connections as %s, whose limit is %d: run fewer pods, set database.roles=external to raise the limit, or set database.overcommit and accept 503 under peak load" $pods $fact.workload $needed $role $limit) -}}
{{- end -}}
{{- $total = add $total $limit -}}
{{- end -}}
{{- if gt ($total | int) (.Values.database.maxConnections | int) -}}
{{- fail (printf "the roles and database.reservedConnections add up to %d connections, but database.maxConnections is %d: raise max_connections of Postgres and this value, or run fewer pods" ($total | int) (.Values.database.maxConnections | int)) -}}
{{- end -}}
{{- end -}}

{{- /* SQL that sets the computed limits. */ -}}
{{- define "rondo.roleSql" -}}
{{- $root := . -}}
{{- range $role, $fact := (.Files.Get "files/database.json" | fromJson).roles }}
ALTER ROLE {{ $role }} CONNECTION LIMIT {{ include "rondo.limit" (list $root $role $fact) }};
{{- end }}
{{- end -}}
