{{- /* Pod settings of a long-running workload. Argument: (list root workload). */ -}}
{{- define "rondo.pod" -}}
{{- $root := index . 0 -}}
{{- $workload := index . 1 -}}
{{ include "rondo.podBase" . }}
terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.spreadBy }}
topologySpreadConstraints:
  {{- range . }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "rondo.selector" (list $root $workload) | nindent 8 }}
  {{- end }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 1
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "rondo.selector" (list $root $workload) | nindent 14 }}
{{- end }}
{{- end -}}

{{- /* Pod settings of every workload, including Jobs. Argument: (list root workload). */ -}}
{{- define "rondo.podBase" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "rondo.fullname" $root }}-{{ index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  fsGroup: 65534
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
  {{- if and (eq (index . 1) "components") (eq $root.Values.components.mode "runtimeclass") }}
  # The shim listens on port 80, which older containerd versions reserve for root.
  sysctls:
    - name: net.ipv4.ip_unprivileged_port_start
      value: "0"
  {{- end }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Argument: whether the root file system is read-only. */ -}}
{{- define "rondo.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: {{ . }}
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "rondo.preStop" -}}
lifecycle:
  preStop:
    sleep:
      seconds: {{ .Values.preStopSeconds }}
{{- end -}}

{{- define "rondo.strategy" -}}
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxSurge: 1
    maxUnavailable: 0
{{- end -}}

{{- /* A hash of the Secrets' data, so that the next upgrade restarts pods after a change. `helm template` cannot read Secrets. Argument: (list root name…). */ -}}
{{- define "rondo.checksum" -}}
{{- $root := index . 0 -}}
{{- $data := list -}}
{{- range rest . -}}
{{- $secret := lookup "v1" "Secret" $root.Release.Namespace . -}}
{{- if $secret -}}{{- $data = append $data $secret.data -}}{{- end -}}
{{- end -}}
checksum/secret: {{ toJson $data | sha256sum }}
{{- end -}}

{{- /* Kafka settings. Argument: (list root user). */ -}}
{{- define "rondo.kafkaEnvironment" -}}
{{- $kafka := (index . 0).Values.kafka -}}
- name: KAFKA_BROKERS
  value: {{ required "kafka.brokers is required" $kafka.brokers | quote }}
- name: KAFKA_SECURITY_PROTOCOL
  value: {{ $kafka.securityProtocol }}
{{- if hasPrefix "SASL" $kafka.securityProtocol }}
- name: KAFKA_SASL_MECHANISM
  value: {{ $kafka.saslMechanism }}
- name: KAFKA_USERNAME
  value: {{ index . 1 }}
- name: KAFKA_PASSWORD_FILE
  value: /run/secrets/rondo/kafka-password
{{- end }}
{{- if $kafka.caSecret }}
- name: KAFKA_CA
  value: /run/secrets/kafka/ca.crt
{{- end }}
{{- end -}}

{{- define "rondo.oidcEnvironment" -}}
{{- if .Values.oidc.issuer -}}
- name: OIDC_ISSUER
  value: {{ .Values.oidc.issuer | quote }}
- name: OIDC_AUDIENCE
  value: {{ required "oidc.audience is required with oidc.issuer" .Values.oidc.audience | quote }}
{{- end }}
{{- end -}}

{{- define "rondo.databaseVolume" -}}
{{- with .Values.database.caSecret }}
- name: database-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0444
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}

{{- define "rondo.databaseMount" -}}
{{- if .Values.database.caSecret }}
- name: database-ca
  mountPath: /run/ca/database
  readOnly: true
{{- end }}
{{- end -}}

{{- /* Volumes of secrets and CAs. Argument: (list root secret). */ -}}
{{- define "rondo.secretVolumes" -}}
- name: secret
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 0440
{{- with (index . 0).Values.kafka.caSecret }}
- name: kafka-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0444
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- include "rondo.databaseVolume" (index . 0) }}
{{- end -}}

{{- define "rondo.secretMounts" -}}
- name: secret
  mountPath: /run/secrets/rondo
  readOnly: true
{{- if .Values.kafka.caSecret }}
- name: kafka-ca
  mountPath: /run/secrets/kafka
  readOnly: true
{{- end }}
{{- include "rondo.databaseMount" . }}
{{- end -}}
