package kubemask

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/mask"
)

// podJSON is a pod of a Deployment as a cluster has it, about 5 KB, with two variables of its environment.
func podJSON(i int) string {
	return fmt.Sprintf(`{"metadata":{"name":"web-7d4b9c6f5d-%05[1]d","generateName":"web-7d4b9c6f5d-","namespace":"shop-%[2]d",`+
		`"uid":"8f14e45f-ceea-467f-9575-%012[1]d","resourceVersion":"%[3]d","generation":1,"creationTimestamp":"2026-11-23T08:00:00Z",`+
		`"labels":{"app":"web","pod-template-hash":"7d4b9c6f5d","team":"shop"},"annotations":{"prometheus.io/scrape":"true","prometheus.io/port":"9090"},`+
		`"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d4b9c6f5d","uid":"c9f0f895-fb98-4b91-b91c-%012[1]d","controller":true,"blockOwnerDeletion":true}],`+
		`"managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-11-23T08:00:00Z","fieldsType":"FieldsV1","fieldsV1":`+podFields+`},`+
		`{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-11-23T08:00:04Z","fieldsType":"FieldsV1","fieldsV1":`+statusFields+`,"subresource":"status"}]},`+
		`"spec":{"volumes":[{"name":"kube-api-access-x7x2p","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}},`+
		`{"configMap":{"name":"kube-root-ca.crt","items":[{"key":"ca.crt","path":"ca.crt"}]}},{"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}]}}],"defaultMode":420}}],`+
		`"containers":[{"name":"web","image":"registry.example.com/shop/web:1.42.%[2]d","ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],`+
		`"env":[{"name":"LOG_LEVEL","value":"info"},{"name":"DB_PASSWORD","value":"hunter2-%[1]d"}],"resources":{"limits":{"cpu":"500m","memory":"256Mi"},"requests":{"cpu":"100m","memory":"128Mi"}},`+
		`"volumeMounts":[{"name":"kube-api-access-x7x2p","readOnly":true,"mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}],`+
		`"livenessProbe":{"httpGet":{"path":"/healthz","port":"http","scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},`+
		`"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}],`+
		`"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default",`+
		`"nodeName":"ip-10-0-1-%[2]d.eu-central-1.compute.internal","securityContext":{},"schedulerName":"default-scheduler",`+
		`"tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],`+
		`"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"},`+
		`"status":{"observedGeneration":1,"phase":"Running","conditions":[`+
		`{"type":"PodReadyToStartContainers","observedGeneration":1,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-23T08:00:04Z"},`+
		`{"type":"Initialized","observedGeneration":1,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-23T08:00:00Z"},`+
		`{"type":"Ready","observedGeneration":1,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-23T08:00:04Z"},`+
		`{"type":"PodScheduled","observedGeneration":1,"status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-23T08:00:00Z"}],`+
		`"hostIP":"10.0.1.%[2]d","hostIPs":[{"ip":"10.0.1.%[2]d"}],"podIP":"10.0.7.%[2]d","podIPs":[{"ip":"10.0.7.%[2]d"}],"startTime":"2026-11-23T08:00:00Z",`+
		`"containerStatuses":[{"name":"web","state":{"running":{"startedAt":"2026-11-23T08:00:03Z"}},"lastState":{},"ready":true,"restartCount":0,`+
		`"image":"registry.example.com/shop/web:1.42.%[2]d","imageID":"registry.example.com/shop/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",`+
		`"containerID":"containerd://2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae","started":true}],"qosClass":"Burstable"}}`,
		i, i%250, 100000+i)
}

const (
	podFields = `{"f:metadata":{"f:annotations":{".":{},"f:prometheus.io/port":{},"f:prometheus.io/scrape":{}},"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{},"f:team":{}},` +
		`"f:ownerReferences":{".":{},"k:{\"uid\":\"c9f0f895-fb98-4b91-b91c-000000000000\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:env":{".":{},"k:{\"name\":\"DB_PASSWORD\"}":{".":{},"f:name":{},"f:value":{}},` +
		`"k:{\"name\":\"LOG_LEVEL\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:imagePullPolicy":{},"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{},"f:successThreshold":{},"f:timeoutSeconds":{}},` +
		`"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{},"f:memory":{}}},"f:terminationMessagePath":{},"f:terminationMessagePolicy":{}}},` +
		`"f:dnsPolicy":{},"f:enableServiceLinks":{},"f:restartPolicy":{},"f:schedulerName":{},"f:securityContext":{},"f:terminationGracePeriodSeconds":{}}}`
	statusFields = `{"f:status":{"f:conditions":{"k:{\"type\":\"ContainersReady\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}},"k:{\"type\":\"Ready\"}":{".":{},"f:lastProbeTime":{},"f:lastTransitionTime":{},"f:status":{},"f:type":{}}},` +
		`"f:containerStatuses":{},"f:hostIP":{},"f:phase":{},"f:podIP":{},"f:podIPs":{".":{},"k:{\"ip\":\"10.0.7.1\"}":{".":{},"f:ip":{}}},"f:startTime":{}}}`
)

func podList(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"123456"},"items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(podJSON(i))
	}
	b.WriteString("]}\n")
	return b.Bytes()
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// benchAnswer reports the speed by processor time too, which other load on the machine does not slow.
func benchAnswer(b *testing.B, cfg Config, text []byte) {
	m, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var rep Report
	start := processorTime(b)
	for b.Loop() {
		if rep, err = m.Answer(io.Discard, bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(text))*float64(b.N)/1e6/(processorTime(b)-start).Seconds(), "cpu-MB/s")
	b.ReportMetric(float64(len(text))/float64(rep.Items), "B/item")
}

func BenchmarkListPods(b *testing.B) {
	text := podList(10000)
	for _, bench := range []struct {
		name   string
		fields []string
		det    bool
	}{
		{"none matches", []string{"data.*"}, false}, {"env", []string{"spec.containers[*].env[*].value"}, false},
		{"detector", nil, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			cfg := Config{Resource: "pods", Fields: paths(b, bench.fields...), Choose: redactAll}
			if bench.det {
				cfg.Detector, _ = mask.New(mask.Config{})
			}
			benchAnswer(b, cfg, text)
		})
	}
}

func BenchmarkListSecrets(b *testing.B) {
	var list strings.Builder
	list.WriteString(`{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"123456"},"items":[`)
	for i := range 10000 {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"metadata":{"name":"db-%d","namespace":"shop","uid":"8f14e45f-ceea-467f-9575-000000000000","annotations":{"kubectl.kubernetes.io/last-applied-configuration":`+
			`"{\"apiVersion\":\"v1\",\"data\":{\"password\":\"aHVudGVyMg==\"},\"kind\":\"Secret\",\"metadata\":{\"annotations\":{},\"name\":\"db\",\"namespace\":\"shop\"}}\n"}},`+
			`"data":{"password":"aHVudGVyMg==","tls.crt":"%s","username":"YXBw"},"type":"Opaque"}`, i, strings.Repeat("LS0tLS1CRUdJTiBD", 100))
	}
	list.WriteString("]}\n")
	benchAnswer(b, Config{Resource: "secrets", Fields: paths(b, "data.*", "stringData.*"), Choose: redactAll}, []byte(list.String()))
}

// BenchmarkTerminal has what a program prints, in pieces of 16 KiB, and keys that are typed and come back one by one.
func BenchmarkTerminal(b *testing.B) {
	page := []byte(strings.Repeat("\x1b[32m2026-11-23T08:00:00Z\x1b[0m INFO  request served path=/orders/4711 status=200 took=12ms\r\n", 180))
	for _, bench := range []struct {
		name  string
		piece int
	}{{"output", len(page)}, {"typed", 1}} {
		b.Run(bench.name, func(b *testing.B) {
			term, err := NewTerminal(must(mask.New(mask.Config{})))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(bench.piece))
			b.ReportAllocs()
			dst, i := make([]byte, 0, 2*len(page)), 0
			start := processorTime(b)
			for b.Loop() {
				if i+bench.piece > len(page) {
					i = 0
				}
				dst = term.Write(dst[:0], page[i:i+bench.piece])
				i += bench.piece
			}
			b.ReportMetric(float64(bench.piece)*float64(b.N)/1e6/(processorTime(b)-start).Seconds(), "cpu-MB/s")
		})
	}
}

func BenchmarkWatchPods(b *testing.B) {
	var text bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&text, `{"type":"MODIFIED","object":%s}`+"\n", podJSON(i))
	}
	m := must(New(Config{Resource: "pods", Fields: paths(b, "spec.containers[*].env[*].value"), Choose: redactAll}))
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	start := processorTime(b)
	for b.Loop() {
		if rep, err := m.Events(io.Discard, bytes.NewReader(text.Bytes()), nil); err != nil || rep.Items != 2000 {
			b.Fatal(rep, err)
		}
	}
	b.ReportMetric(float64(text.Len())*float64(b.N)/1e6/(processorTime(b)-start).Seconds(), "cpu-MB/s")
}
