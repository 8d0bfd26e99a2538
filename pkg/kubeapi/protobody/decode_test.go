package protobody_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/writhq/writ/pkg/kubeapi/protobody"
)

// Parts of messages.
func part(number protowire.Number, content ...string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), strings.Join(content, "")))
}

func varint(number protowire.Number, n uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), n))
}

func object(apiVersion, kind string, content ...string) string {
	return "k8s\x00" + part(1, part(1, apiVersion), part(2, kind)) + part(2, content...) + part(3, "") + part(4, "")
}

func minus(n int64) uint64 { return uint64(-n) }

func TestDecode(t *testing.T) {
	deployment := object("apps/v1", "Deployment",
		part(1, part(1, "web"), part(2, ""), part(8, varint(1, 1700000000)), part(11, part(1, "app"), part(2, "web"))),
		part(2, varint(1, 3), part(3, part(1), part(2,
			part(1, part(1, "data"), part(2, part(6, part(1, "db")))),
			part(2, part(1, "web"), part(2, "app:1"), part(3, "sh"), part(3, "-c"), part(6, part(1, ""), varint(2, 0), varint(3, 80), part(4, "TCP")),
				part(7, part(1, "A"), part(2, ""), part(3, part(4, part(1, part(1, "db")), part(2, "key")))),
				part(8, part(1, part(1, "cpu"), part(2, part(1, "100m")))),
				part(10, part(1, part(2, part(1, "/"), part(2, varint(1, 1), varint(2, 0), part(3, "http")), part(3, ""))))),
			varint(11, 0), varint(12, 1)))))
	for body, want := range map[string]string{
		object("v1", "Namespace", part(1, part(1, "shop"), part(8))): `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}`,
		deployment: `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"creationTimestamp":"2023-11-14T22:13:20Z","labels":{"app":"web"},"name":"web"},"spec":{"replicas":3,"template":{"metadata":{},"spec":{` +
			`"containers":[{"command":["sh","-c"],"env":[{"name":"A","valueFrom":{"secretKeyRef":{"key":"key","name":"db"}}}],"image":"app:1","livenessProbe":{"httpGet":{"path":"/","port":"http"}},"name":"web",` +
			`"ports":[{"containerPort":80,"protocol":"TCP"}],"resources":{"limits":{"cpu":"100m"}}}],"hostPID":true,"volumes":[{"name":"data","secret":{"secretName":"db"}}]}}}}`,
		object("v1", "Secret", part(2, part(1, "a"), part(2, "\x00\xff")), part(2, part(1, "none")), part(3, "Opaque")):                       `{"apiVersion":"v1","data":{"a":"AP8=","none":""},"kind":"Secret","type":"Opaque"}`,
		object("v1", "DeleteOptions", varint(1, 0), part(5, "All")):                                                                           `{"apiVersion":"v1","dryRun":["All"],"gracePeriodSeconds":0,"kind":"DeleteOptions"}`,
		object("apps/v1", "DeleteOptions", varint(1, minus(1))):                                                                               `{"apiVersion":"apps/v1","gracePeriodSeconds":-1,"kind":"DeleteOptions"}`,
		object("authentication.k8s.io/v1", "SelfSubjectReview", part(2, part(1, part(4, part(1, "k"), part(2, part(1, "a"), part(1, "b")))))): `{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview","status":{"userInfo":{"extra":{"k":["a","b"]}}}}`,
		object("apps/v1", "ControllerRevision", part(2, part(1, `{"a":1}`)), varint(3, 7)):                                                    `{"apiVersion":"apps/v1","data":{"a":1},"kind":"ControllerRevision","revision":7}`,
		object("coordination.k8s.io/v1", "Lease", part(2, part(3, varint(1, 1), varint(2, 1500)))):                                            `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","spec":{"acquireTime":"1970-01-01T00:00:01.000001Z"}}`,
	} {
		o, err := protobody.Decode([]byte(body))
		got, _ := json.Marshal(o)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	namespace := func(content ...string) string { return object("v1", "Namespace", content...) }
	secret := func(content ...string) string { return object("v1", "Secret", content...) }
	for body, want := range map[string]error{
		"":                            protobody.ErrMalformed,
		"k8s":                         protobody.ErrMalformed,
		`{"kind":"x"}`:                protobody.ErrMalformed,
		"k8s\x00":                     protobody.ErrUnknown,
		"K8S\x00":                     protobody.ErrMalformed,
		"k8s\x00\xff":                 protobody.ErrMalformed,
		object("", ""):                protobody.ErrUnknown,
		object("v1", "Pods"):          protobody.ErrUnknown,
		object("v2", "Pod"):           protobody.ErrUnknown,
		object("v1", "PodList"):       protobody.ErrUnknown,
		object("v1", "Status"):        protobody.ErrUnknown,
		object("x.io/v1", "Widget"):   protobody.ErrUnknown,
		object("* DeleteOptions", ""): protobody.ErrUnknown,
		namespace() + part(3, "gzip"): protobody.ErrUnknown,
		namespace() + part(4, "application/json"):                 protobody.ErrUnknown,
		namespace() + part(5, "x"):                                protobody.ErrUnknown,
		namespace() + "\x00":                                      protobody.ErrMalformed,
		namespace() + part(1, part(1, "v1")):                      protobody.ErrMalformed,
		namespace(part(9, "x")):                                   protobody.ErrUnknown,
		namespace(part(1), part(1)):                               protobody.ErrMalformed,
		namespace(part(1, part(1, "a"), part(1, "b"))):            protobody.ErrMalformed,
		namespace(varint(1, 1)):                                   protobody.ErrMalformed,
		namespace(part(1, varint(1, 1))):                          protobody.ErrMalformed,
		namespace(part(1, part(1, "\xff"))):                       protobody.ErrMalformed,
		namespace(part(1)[:1]):                                    protobody.ErrMalformed,
		namespace("\x0a\x05a"):                                    protobody.ErrMalformed,
		namespace("\x0b"):                                         protobody.ErrMalformed, // a group
		namespace("\x02"):                                         protobody.ErrMalformed, // field 0
		namespace(part(1, part(7, "x"))):                          protobody.ErrMalformed,
		namespace(part(1, part(8, varint(1, 1), varint(2, 1e9)))): protobody.ErrMalformed,
		namespace(part(1, part(8, varint(1, math.MaxInt64)))):     protobody.ErrMalformed,
		namespace(part(1, part(11, "\xff"))):                      protobody.ErrMalformed,
		namespace(part(1, part(11, part(1, "a")))):                protobody.ErrMalformed,
		namespace(part(1, part(11, part(1, "a"), part(2, "b")), part(11, part(1, "a"), part(2, "c")))): protobody.ErrMalformed,
		secret(varint(2, 1)): protobody.ErrMalformed,
		secret(varint(5, 2)): protobody.ErrMalformed, // no boolean
		object("apps/v1", "Deployment", part(2, varint(1, 1<<32))):                 protobody.ErrMalformed,
		object("apps/v1", "Deployment", part(2, part(1, "3"))):                     protobody.ErrMalformed,
		object("apps/v1", "ControllerRevision", part(2, part(1, "k8s\x00binary"))): protobody.ErrMalformed,
		object("policy/v1", "PodDisruptionBudget", part(2, part(1, varint(1, 2)))): protobody.ErrMalformed,
		// The same volume in two ways: both stand in the object itself.
		object("v1", "Pod", part(2, part(1, part(1, "v"), part(2, part(1, part(1, "/"))), part(2, part(1, part(1, "/x")))))):                                protobody.ErrMalformed,
		object("v1", "ConfigMap", strings.Repeat(part(2, part(1, "a"), part(2, "b")), 3)):                                                                   protobody.ErrMalformed,
		object("v1", "Pod", strings.Repeat(part(1), 1)+strings.Repeat(part(2, strings.Repeat(part(1), 5)), 1)+strings.Repeat(part(3), protobody.MaxValues)): protobody.ErrMalformed,
	} {
		if o, err := protobody.Decode([]byte(body)); !errors.Is(err, want) || o != nil {
			t.Errorf("%.200q: %v, %v", body, o, err)
		}
	}
}

func TestDecodeManyValues(t *testing.T) {
	body := object("v1", "Pod", part(2, strings.Repeat(part(2, part(1, "c")), protobody.MaxValues/2+1)))
	if _, err := protobody.Decode([]byte(body)); !errors.Is(err, protobody.ErrMalformed) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(object("v1", "Secret", part(2, part(1, "a"), part(2, "b")), part(3, "Opaque"))))
	f.Add([]byte(object("v1", "Pod", part(2, part(2, part(1, "c"), part(8, part(1, part(1, "cpu"), part(2, part(1, "1")))))))))
	f.Add([]byte(object("apps/v1", "ControllerRevision", part(2, part(1, `{"a":1}`)))))
	f.Add([]byte(object("policy/v1", "Eviction", part(1), part(2, part(5, "All")))))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := protobody.Decode(body)
		if err != nil {
			if !errors.Is(err, protobody.ErrMalformed) && !errors.Is(err, protobody.ErrUnknown) || o != nil {
				t.Errorf("%v, %v", o, err)
			}
			return
		}
		if _, err := json.Marshal(o); err != nil && !strings.Contains(err.Error(), "unsupported value") {
			t.Error(err)
		}
		if o["kind"] == "" || o["apiVersion"] == nil {
			t.Errorf("no kind in %v", o)
		}
	})
}
