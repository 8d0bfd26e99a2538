package kubeapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
)

// shown writes facts in short.
func shown(f kubeapi.Facts) string {
	var out []string
	for _, mark := range []struct {
		is   bool
		text string
	}{
		{!f.Known, "unknown"}, {f.Privileged, "privileged"}, {f.HostNamespaces, "host"}, {f.EphemeralContainers, "ephemeral"}, {f.Escalates, "escalates"},
	} {
		if mark.is {
			out = append(out, mark.text)
		}
	}
	for _, l := range []struct {
		text string
		all  []string
	}{
		{"image", f.Images}, {"path", f.HostPaths}, {"account", f.ServiceAccounts}, {"secret", f.Secrets}, {"map", f.ConfigMaps},
		{"role", f.RoleRefs}, {"subject", f.Subjects}, {"verb", f.Verbs}, {"signer", f.SignerNames},
	} {
		for _, name := range l.all {
			out = append(out, l.text+"="+name)
		}
	}
	if f.Replicas != nil {
		out = append(out, fmt.Sprint("replicas=", *f.Replicas))
	}
	return strings.Join(out, " ")
}

const allFlags = "unknown privileged host ephemeral escalates"

func facts(t *testing.T, r kubeapi.Request, media, body string) string {
	t.Helper()
	b, err := kubeapi.ReadBody(r, media, []byte(body), 0)
	if err != nil {
		t.Errorf("%s %s: %v", media, body, err)
	}
	return shown(b.Facts)
}

// What a pod template says counts wherever it stands.
func TestFactsOfTemplates(t *testing.T) {
	create := parse(t, "POST", "/apis/x.io/v1/namespaces/shop/things", "")
	for spec, want := range map[string]string{
		`{}`: "",
		`{"containers":[{"name":"a","image":"nginx:1"}],"initContainers":[{"image":"init"}],"ephemeralContainers":[{"image":"debug"}]}`: "ephemeral image=debug image=init image=nginx:1",
		`{"volumes":[{"image":{"reference":"vol:1"}}],"image":{"registry":"r.io","repository":"app","tag":"2","digest":"sha256:0"}}`:    "image=r.io/app:2@sha256:0 image=vol:1",
		`{"image":{"name":"app"},"sidecar":{"image":{"repository":"x"}},"baseImage":"y"}`:                                               "image=app image=x image=y",
		`{"containers":[{"securityContext":{"privileged":true}}]}`:                                                                      "privileged",
		`{"containers":[{"securityContext":{"Privileged":true}}]}`:                                                                      "privileged",
		`{"containers":[{"\u017fecurityContext":{"privileged":true}}]}`:                                                                 "privileged",
		`{"containers":[{"securityContext":{"privileged":false,"allowPrivilegeEscalation":false,"runAsNonRoot":false}}]}`:               "",
		`{"containers":[{"securityContext":{"allowPrivilegeEscalation":true}}]}`:                                                        "privileged",
		`{"containers":[{"securityContext":{"capabilities":{"add":["CHOWN","NET_BIND_SERVICE"],"drop":["ALL"]}}}]}`:                     "",
		`{"containers":[{"securityContext":{"capabilities":{"add":["CHOWN","SYS_PTRACE"]}}}]}`:                                          "privileged",
		`{"containers":[{"securityContext":{"capabilities":{"add":["chown"]}}}]}`:                                                       "privileged",
		`{"containers":[{"securityContext":{"procMount":"Default","seccompProfile":{"type":"RuntimeDefault"}}}]}`:                       "",
		`{"containers":[{"securityContext":{"procMount":"Unmasked"}}]}`:                                                                 "privileged",
		`{"securityContext":{"seccompProfile":{"type":"Unconfined"}}}`:                                                                  "privileged",
		`{"securityContext":{"appArmorProfile":{"type":"Unconfined"}}}`:                                                                 "privileged",
		`{"securityContext":{"windowsOptions":{"hostProcess":true}}}`:                                                                   "privileged",
		`{"securityContext":{"seLinuxOptions":{"type":"container_t"}}}`:                                                                 "",
		`{"securityContext":{"seLinuxOptions":{"type":"spc_t"}}}`:                                                                       "privileged",
		`{"securityContext":{"seLinuxOptions":{"role":"x"}}}`:                                                                           "privileged",
		`{"securityContext":{"sysctls":[{"name":"net.ipv4.tcp_rmem"}]}}`:                                                                "",
		`{"securityContext":{"sysctls":[{"name":"kernel.msgmax"}]}}`:                                                                    "privileged",
		`{"containers":[{"livenessProbe":{"httpGet":{"host":"10.0.0.1"}}}]}`:                                                            "privileged",
		`{"containers":[{"lifecycle":{"preStop":{"tcpSocket":{"host":"10.0.0.1"}}}}]}`:                                                  "privileged",
		`{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/web":"unconfined"}}}`:                              "privileged",
		`{"metadata":{"annotations":{"seccomp.security.alpha.kubernetes.io/pod":"unconfined"}}}`:                                        "privileged",
		`{"metadata":{"annotations":{"container.seccomp.security.alpha.kubernetes.io/web":"unconfined"}}}`:                              "privileged",
		`{"hostPID":true}`: "host", `{"hostIPC":true}`: "host", `{"hostNetwork":true}`: "host", `{"HOSTNETWORK":true}`: "host",
		`{"hostPID":false,"hostUsers":true}`:                         "",
		`{"containers":[{"ports":[{"hostPort":80}]}]}`:               "host",
		`{"containers":[{"ports":[{"hostPort":0}]}]}`:                "",
		`{"volumes":[{"hostPath":{"path":"/","type":"Directory"}}]}`: "path=/",
		`{"hostPath":"/var/run"}`:                                    "path=/var/run",
		`{"serviceAccountName":"a","serviceAccount":"b","job":{"serviceAccount":{"name":"c"},"serviceAccountRef":{"name":"d"}}}`:                                                                               "account=a account=b account=c account=d",
		`{"volumes":[{"secret":{"secretName":"a"}},{"projected":{"sources":[{"secret":{"name":"b"}},{"configMap":{"name":"c"}}]}},{"csi":{"nodePublishSecretRef":{"name":"d"}}},{"configMap":{"name":"e"}}]}`:  "secret=a secret=b secret=d map=c map=e",
		`{"containers":[{"envFrom":[{"secretRef":{"name":"a"}},{"configMapRef":{"name":"b"}}],"env":[{"valueFrom":{"secretKeyRef":{"name":"c","key":"k"}}},{"valueFrom":{"configMapKeyRef":{"name":"d"}}}]}]}`: "secret=a secret=c map=b map=d",
		`{"imagePullSecrets":[{"name":"a"}],"secrets":[{"name":"b"}],"tls":[{"secretName":"c"}],"certificate":{"tlsSecretName":"d"},"auth":{"passwordSecretKeyRef":{"name":"e"}}}`:                             "secret=a secret=b secret=c secret=d secret=e",
		`{"image":"` + strings.Repeat("x", 1025) + `"}`: allFlags,
		`{"image":"a\nb"}`: allFlags,
	} {
		for _, within := range []string{
			`{"spec":%s}`, `{"spec":{"template":{"spec":%s}}}`, `{"spec":{"jobTemplate":{"spec":{"template":{"spec":%s}}}}}`, `{"kind":"List","items":[{},{"spec":%s}]}`,
			`{"spec":{"a":[[[{"b":%s}]]]}}`, `%s`,
		} {
			if strings.HasPrefix(spec, `{"metadata"`) && within == `%s` {
				continue
			}
			if got := facts(t, create, jsonType, fmt.Sprintf(within, spec)); got != want {
				t.Errorf("%s in %s: %q, want %q", spec, within, got, want)
			}
		}
	}
}

func TestFactsOfObjects(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"roleRef":{"kind":"ClusterRole","name":"cluster-admin"},"subjects":[{"kind":"User","name":"alice"},{"kind":"Group","name":"system:masters"},{"kind":"ServiceAccount","name":"ci","namespace":"shop"}]}`,
			"role=ClusterRole/cluster-admin subject=Group/system:masters subject=ServiceAccount/shop/ci subject=User/alice"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"roleRef":{"name":"cluster-admin"}}`, allFlags},
		{"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"subjects":[{"name":"alice"}]}`, allFlags + ""},
		{"/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas", `{"spec":{"rules":[{"subjects":[{"kind":"User","user":{"name":"a"}},{"kind":"ServiceAccount","serviceAccount":{"name":"b","namespace":"c"}}]}]}}`, "account=b subject=ServiceAccount/c/b subject=User/a"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"rules":[{"verbs":["get","list"],"resources":["pods"]}]}`, "verb=get verb=list"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"rules":[{"verbs":["*"]}]}`, "escalates verb=*"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"rules":[{"verbs":["bind"]},{"verbs":["get"]}]}`, "escalates verb=bind verb=get"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"rules":[{"verbs":["impersonate"]}]}`, "escalates verb=impersonate"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"rules":[{"verbs":["escalate"]}]}`, "escalates verb=escalate"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"aggregationRule":{"clusterRoleSelectors":[]}}`, "escalates"},
		{"/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"metadata":{"labels":{"rbac.authorization.k8s.io/aggregate-to-admin":"true"}}}`, "escalates"},
		{"/api/v1/namespaces", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`, "privileged"},
		{"/api/v1/namespaces", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted","pod-security.kubernetes.io/enforce-version":"v1.30"}}}`, ""},
		{"/apis/apps/v1/namespaces/a/deployments", `{"spec":{"replicas":3}}`, "replicas=3"},
		{"/apis/apps/v1/namespaces/a/deployments", `{"spec":{"replicas":0,"x":{"replicas":7}}}`, "replicas=0"},
		{"/apis/apps/v1/namespaces/a/deployments", `{"spec":{"replicas":3,"Replicas":5}}`, allFlags},
		{"/apis/apps/v1/namespaces/a/deployments", `{"spec":{"replicas":1.5}}`, allFlags},
		{"/apis/apps/v1/namespaces/a/deployments", `{"spec":{"replicas":99999999999999999999}}`, allFlags},
		{"/api/v1/persistentvolumes", `{"spec":{"local":{"path":"/mnt"}}}`, "path=/mnt"},
		{"/api/v1/persistentvolumes", `{"spec":{"hostPath":{"path":"/"}}}`, "path=/"},
		// Data may be secret, and is nobody's fact.
		{"/api/v1/namespaces/a/secrets", `{"data":{"image":"aHVudGVyMg==","privileged":"x"},"stringData":{"serviceAccountName":"hunter2"}}`, ""},
		{"/api/v1/namespaces/a/configmaps", `{"data":{"image":"x","hostPath":"/"},"binaryData":{"image":"eA=="}}`, ""},
		{"/apis/x.io/v1/namespaces/a/secrets", `{"data":{"image":"x"}}`, "image=x"},
		{"/apis/certificates.k8s.io/v1/certificatesigningrequests", `{"spec":{"signerName":"kubernetes.io/kube-apiserver-client","request":"` + csr(t) + `"}}`,
			"subject=Group/system:masters subject=User/mallory signer=kubernetes.io/kube-apiserver-client"},
		{"/apis/certificates.k8s.io/v1/certificatesigningrequests", `{"spec":{"request":"x"}}`, allFlags},
		{"/apis/certificates.k8s.io/v1/certificatesigningrequests", `{"spec":{"request":"eHh4"}}`, allFlags},
	} {
		if got := facts(t, parse(t, "POST", c.path, ""), jsonType, c.body); got != c.want {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
	}
}

func csr(t *testing.T) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "mallory", Organization: []string{"system:masters"}}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestFactsOfPatches(t *testing.T) {
	patch := parse(t, "PATCH", deployment, "")
	for _, c := range []struct{ media, body, want string }{
		{mergePatch, `{"spec":{"replicas":5}}`, "replicas=5"},
		{mergePatch, `{"spec":{"replicas":null}}`, ""},
		{mergePatch, `{"spec":{"template":{"spec":{"securityContext":null}}}}`, "privileged"},
		{mergePatch, `{"spec":{"template":{"spec":{"securityContext":{"runAsNonRoot":null}}}}}`, "privileged"},
		{mergePatch, `{"spec":{"template":{"spec":{"securityContext":{"runAsUser":null}}}}}`, "privileged"},
		{mergePatch, `{"x":{"runAsNonRoot":null}}`, "privileged"},
		{mergePatch, `{"x":{"runAsNonRoot":false}}`, "privileged"},
		{applyPatch, `{"x":{"runAsNonRoot":false}}`, "privileged"},
		{mergePatch, `{"x":{"runAsNonRoot":true}}`, ""},
		{mergePatch, `{"x":{"hostUsers":true}}`, "privileged"},
		{mergePatch, `{"x":{"hostUsers":null}}`, "privileged"},
		{mergePatch, `{"x":{"capabilities":{"drop":[]}}}`, "privileged"},
		{mergePatch, `{"x":{"capabilities":{"drop":["NET_RAW"]}}}`, "privileged"},
		{mergePatch, `{"x":{"capabilities":{"drop":["ALL"]}}}`, ""},
		{mergePatch, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":null}}}`, "privileged"},
		{mergePatch, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce-version":null}}}`, "privileged"},
		{mergePatch, `{"spec":{"template":{"metadata":{"annotations":{"x":null}}}}}`, ""},
		{mergePatch, `{"x":{"image":{"tag":"2"}}}`, allFlags},
		{mergePatch, `{"roleRef":{"name":"x"}}`, allFlags},
		{mergePatch, `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"evil"}]}}}}`, "image=evil"},
		{strategic, `{"spec":{"template":{"spec":{"$setElementOrder/containers":[{"name":"a"}],"$setElementOrder/imagePullSecrets":[{"name":"a"}],"containers":[{"name":"a","image":"evil"}]}}}}`, "image=evil"},
		{mergePatch, `{"$setElementOrder/containers":[{"image":"evil"}]}`, "image=evil"}, // a key like any other here
		{strategic, `{"spec":{"template":{"spec":{"securityContext":{"$patch":"delete"}}}}}`, "privileged"},
		{strategic, `{"spec":{"template":{"spec":{"securityContext":{"$patch":"replace","runAsUser":1}}}}}`, "privileged"},
		{strategic, `{"spec":{"template":{"spec":{"containers":[{"name":"a","$patch":"delete"}]}}}}`, ""},
		{strategic, `{"spec":{"template":{"spec":{"securityContext":{"$retainKeys":["runAsUser"]}}}}}`, "privileged"},
		{strategic, `{"x":{"capabilities":{"$deleteFromPrimitiveList/drop":["ALL"]}}}`, "privileged"},
		{strategic, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["x"]}}`, ""},

		{jsonPatch, `[]`, ""},
		{jsonPatch, `[{"op":"replace","path":"/spec/replicas","value":0}]`, "replicas=0"},
		{jsonPatch, `[{"op":"replace","path":"/spec/replicas","value":0},{"op":"replace","path":"/spec/replicas","value":9}]`, allFlags},
		{jsonPatch, `[{"op":"test","path":"/spec/replicas","value":3}]`, ""},
		{jsonPatch, `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"evil"}]`, "image=evil"},
		{jsonPatch, `[{"op":"add","path":"/spec/template/spec/containers/-","value":{"image":"evil","securityContext":{"privileged":true}}}]`, "privileged image=evil"},
		{jsonPatch, `[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/privileged","value":true}]`, "privileged"},
		{jsonPatch, `[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/capabilities/add/-","value":"SYS_ADMIN"}]`, "privileged"},
		{jsonPatch, `[{"op":"add","path":"/spec/template/spec/containers/0/securityContext/capabilities/add/0","value":"CHOWN"}]`, ""},
		{jsonPatch, `[{"op":"add","path":"/x/capabilities/drop/0","value":"NET_RAW"}]`, "privileged"},
		{jsonPatch, `[{"op":"add","path":"/x/capabilities/drop","value":["ALL"]}]`, ""},
		{jsonPatch, `[{"op":"add","path":"/x/capabilities","value":{}}]`, "privileged"},
		{jsonPatch, `[{"op":"add","path":"/x/capabilities","value":{"drop":["ALL"]}}]`, ""},
		{jsonPatch, `[{"op":"replace","path":"/x/securityContext","value":{"runAsUser":1}}]`, "privileged"},
		{jsonPatch, `[{"op":"replace","path":"/x/securityContext","value":{"runAsNonRoot":true}}]`, ""},
		{jsonPatch, `[{"op":"remove","path":"/spec/template/spec/securityContext"}]`, "privileged"},
		{jsonPatch, `[{"op":"remove","path":"/spec/template/spec/securityContext/runAsUser"}]`, "privileged"},
		{jsonPatch, `[{"op":"remove","path":"/spec/template/spec/containers/0/securityContext/capabilities/drop/0"}]`, "privileged"},
		{jsonPatch, `[{"op":"remove","path":"/metadata/annotations/x"}]`, ""},
		{jsonPatch, `[{"op":"remove","path":"/metadata/labels/pod-security.kubernetes.io~1enforce"}]`, "privileged"},
		{jsonPatch, `[{"op":"add","path":"/metadata/labels/pod-security.kubernetes.io~1enforce","value":"privileged"}]`, "privileged"},
		{jsonPatch, `[{"op":"add","path":"/spec/template/spec/hostNetwork","value":true}]`, "host"},
		{jsonPatch, `[{"op":"add","path":"/spec/template/spec/volumes/-","value":{"hostPath":{"path":"/"}}}]`, "path=/"},
		{jsonPatch, `[{"op":"replace","path":"/spec/template/spec/volumes/0/hostPath/path","value":"/"}]`, "path=/"},
		{jsonPatch, `[{"op":"replace","path":"/x/env/0/valueFrom/secretKeyRef/name","value":"db"}]`, "secret=db"},
		{jsonPatch, `[{"op":"replace","path":"/x/imagePullSecrets/0/name","value":"db"}]`, "secret=db"},
		{jsonPatch, `[{"op":"replace","path":"/subjects/0/name","value":"mallory"}]`, allFlags},
		{jsonPatch, `[{"op":"replace","path":"/roleRef/name","value":"cluster-admin"}]`, allFlags},
		{jsonPatch, `[{"op":"add","path":"/subjects/-","value":{"kind":"User","name":"mallory"}}]`, "subject=User/mallory"},
		{jsonPatch, `[{"op":"add","path":"/rules/0/verbs/-","value":"*"}]`, "escalates verb=*"},
		{jsonPatch, `[{"op":"replace","path":"/spec/image/tag","value":"evil"}]`, allFlags},
		{jsonPatch, `[{"op":"replace","path":"","value":{"spec":{"hostPID":true}}}]`, "host"},
		{jsonPatch, `[{"op":"replace","path":"/spec/template/spec/ephemeralContainers","value":[{"image":"x"}]}]`, "ephemeral image=x"},
		{jsonPatch, `[{"op":"copy","from":"/metadata/annotations/x","path":"/spec/y"}]`, allFlags},
		{jsonPatch, `[{"op":"add","path":"/x/image","value":"i"},{"op":"move","from":"/a","path":"/b"}]`, allFlags + " image=i"},
		{jsonPatch, `[{"op":"replace","path":"/spec/template/spec/HostNetwork","value":true}]`, "host"},
	} {
		if got := facts(t, patch, c.media, c.body); got != c.want {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
	}
}
