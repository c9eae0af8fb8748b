{{- /* Peers: all pods of the given namespaces. */ -}}
{{- define "rondo.namespaces" -}}
{{- range . }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- end -}}

{{- define "rondo.postgresEgress" -}}
- ports:
    - {protocol: TCP, port: {{ .Values.database.port }}}
  {{- if .Values.cloudnativepg.enabled }}
  to:
    - podSelector:
        matchLabels:
          cnpg.io/cluster: {{ include "rondo.fullname" . }}-postgres
  {{- else if .Values.networkPolicy.postgres }}
  to:
    {{- toYaml .Values.networkPolicy.postgres | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "rondo.kafkaEgress" -}}
- ports:
    {{- $ports := list }}
    {{- range splitList "," .Values.kafka.brokers }}
    {{- $ports = append $ports (splitList ":" (trim .) | last) }}
    {{- end }}
    {{- range uniq $ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
  {{- if .Values.strimzi.enabled }}
  to:
    - podSelector:
        matchLabels:
          strimzi.io/cluster: {{ include "rondo.fullname" . }}
  {{- else if .Values.networkPolicy.kafka }}
  to:
    {{- toYaml .Values.networkPolicy.kafka | nindent 4 }}
  {{- end }}
{{- end -}}
