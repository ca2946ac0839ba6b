{{- define "chappe.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "chappe.selector" -}}
app.kubernetes.io/name: chappe
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "chappe.labels" -}}
{{ include "chappe.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "chappe.name" -}}
{{ .root.Release.Name }}-{{ .role }}
{{- end }}

{{/* Names of the roles that run: no archiver without HBase. */}}
{{- define "chappe.roles" -}}
{{- $roles := list }}
{{- range $role, $_ := .Values.roles }}
{{- if or (ne $role "archiver") $.Values.engines.hbaseZookeeper }}
{{- $roles = append $roles $role }}
{{- end }}
{{- end }}
{{- $roles | join "," }}
{{- end }}

{{/* Settings that every process has. */}}
{{- define "chappe.env" -}}
- name: CHAPPE_KAFKA_BROKERS
  value: {{ join "," .Values.engines.kafkaBrokers | quote }}
- name: CHAPPE_KAFKA_PARTITIONS
  value: {{ .Values.engines.kafkaPartitions | quote }}
- name: CHAPPE_MYSQL_URL
  value: {{ .Values.engines.mysqlUrl | quote }}
- name: CHAPPE_MYSQL_PASSWORD_FILE
  value: /run/secrets/mysql/password
- name: CHAPPE_REDIS_ADDRESSES
  value: {{ join "," .Values.engines.redisAddresses | quote }}
{{- with .Values.engines.hbaseZookeeper }}
- name: CHAPPE_HBASE_ZOOKEEPER
  value: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
