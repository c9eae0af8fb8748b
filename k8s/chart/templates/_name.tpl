{{- define "rondo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Release and chart name. At most 40 characters, because spin-operator derives longer names from it. */ -}}
{{- define "rondo.fullname" -}}
{{- $name := include "rondo.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* Selector labels of a workload. Argument: (list root workload). */ -}}
{{- define "rondo.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "rondo.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "rondo.labels" -}}
{{ include "rondo.selector" . }}
app.kubernetes.io/part-of: rondo
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end -}}

{{- /* An image reference by digest. Argument: (list root name). */ -}}
{{- define "rondo.image" -}}
{{- $name := index . 1 -}}
{{- $image := index (index . 0).Values.image $name -}}
{{- if or (not $image.repository) (not $image.digest) -}}
{{- fail (printf "image.%s.repository and image.%s.digest (sha256:…) are required" $name $name) -}}
{{- end -}}
{{ $image.repository }}@{{ $image.digest }}
{{- end -}}

{{- define "rondo.databaseAddress" -}}
{{- required "database.host is required" .Values.database.host }}:{{ .Values.database.port }}
{{- end -}}

{{- define "rondo.componentPort" -}}
{{- ternary 8080 80 (eq .Values.components.mode "host") -}}
{{- end -}}
