{{- define "headroom.name" -}}
{{- $long := printf "%s-%s" .Release.Name .Chart.Name }}
{{- ternary .Release.Name $long (contains .Chart.Name .Release.Name) | trunc 30 | trimSuffix "-" }}
{{- end }}

{{- define "headroom.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "headroom.labels" -}}
{{ include "headroom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "headroom.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "headroom.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "headroom.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "headroom.scheme" -}}
{{ if .Values.config.tls }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}
