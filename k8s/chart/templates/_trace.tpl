{{- /* Environment of a native program that exports traces. Argument: (list root service). Spin passes on what it is sent, so a trace that begins behind it is sampled by its id. */ -}}
{{- define "rondo.traceEnvironment" -}}
{{- $root := index . 0 -}}
{{- with $root.Values.monitoring.traces.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_SERVICE_NAME
  value: {{ index $ 1 }}
- name: OTEL_TRACES_SAMPLER
  value: {{ eq $root.Values.components.mode "host" | ternary "parentbased_traceidratio" "traceidratio" }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $root.Values.monitoring.traces.ratio | quote }}
{{- end }}
{{- end -}}

{{- /* The way to the collector. */ -}}
{{- define "rondo.traceEgress" -}}
{{- with .Values.monitoring.traces.endpoint }}
- to:
    {{- include "rondo.namespaces" $.Values.networkPolicy.monitoringNamespaces | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ regexFind ":[0-9]+" (urlParse .).host | trimPrefix ":" | default (hasPrefix "https:" . | ternary "443" "80") }}}
{{- end }}
{{- end -}}
