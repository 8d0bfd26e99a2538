package requestinfo

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/writhq/writ/pkg/kubeapi"
)

func ptr[T any](v T) *T { return &v }

// security returns the security context of some container, made where it is missing.
func (m maker) security(s *corev1.PodSpec) *corev1.SecurityContext {
	c := &s.Containers[m.IntN(len(s.Containers))]
	if c.SecurityContext == nil {
		c.SecurityContext = &corev1.SecurityContext{}
	}
	return c.SecurityContext
}

func podSecurity(s *corev1.PodSpec) *corev1.PodSecurityContext {
	if s.SecurityContext == nil {
		s.SecurityContext = &corev1.PodSecurityContext{}
	}
	return s.SecurityContext
}

func addVolume(s *corev1.PodSpec, name string, source corev1.VolumeSource) {
	s.Volumes = slices.DeleteFunc(s.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	s.Volumes = append(s.Volumes, corev1.Volume{Name: name, VolumeSource: source})
}

// changes are what is done to a pod, good and bad.
var changes = []func(maker, *corev1.PodSpec){
	func(m maker, s *corev1.PodSpec) { m.security(s).Privileged = ptr(m.chance(50)) },
	func(m maker, s *corev1.PodSpec) {
		m.security(s).Capabilities = &corev1.Capabilities{Add: []corev1.Capability{corev1.Capability(m.one("SYS_ADMIN", "CHOWN", "ALL", "NET_RAW", "NET_BIND_SERVICE"))}}
	},
	func(m maker, s *corev1.PodSpec) { m.security(s).ProcMount = ptr(corev1.UnmaskedProcMount) },
	func(m maker, s *corev1.PodSpec) {
		m.security(s).SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileType(m.one("Unconfined", "RuntimeDefault"))}
	},
	func(m maker, s *corev1.PodSpec) {
		m.security(s).AppArmorProfile = &corev1.AppArmorProfile{Type: corev1.AppArmorProfileType(m.one("Unconfined", "RuntimeDefault"))}
	},
	func(m maker, s *corev1.PodSpec) {
		podSecurity(s).SELinuxOptions = &corev1.SELinuxOptions{Type: m.one("", "spc_t", "container_t"), User: m.one("", "root"), Role: m.one("", "sysadm_r")}
	},
	func(m maker, s *corev1.PodSpec) {
		podSecurity(s).Sysctls = []corev1.Sysctl{{Name: m.one("kernel.msgmax", "net.ipv4.tcp_rmem"), Value: "1"}}
	},
	func(m maker, s *corev1.PodSpec) {
		podSecurity(s).WindowsOptions = &corev1.WindowsSecurityContextOptions{HostProcess: ptr(m.chance(50))}
	},
	func(m maker, s *corev1.PodSpec) {
		s.HostNetwork, s.HostPID, s.HostIPC = m.chance(30), m.chance(30), m.chance(30)
	},
	func(m maker, s *corev1.PodSpec) {
		s.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 80, HostPort: int32(m.IntN(2) * 80)}}
	},
	func(m maker, s *corev1.PodSpec) {
		addVolume(s, "host", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: m.one("/", "/var/run", "/etc")}})
	},
	func(m maker, s *corev1.PodSpec) {
		addVolume(s, "secret", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: m.one("db", "tls")}})
	},
	func(m maker, s *corev1.PodSpec) {
		addVolume(s, "projected", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "projected-secret"}}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "projected-map"}}},
		}}})
	},
	func(m maker, s *corev1.PodSpec) {
		addVolume(s, "image", corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "volume:1"}})
	},
	func(m maker, s *corev1.PodSpec) {
		s.Containers[m.IntN(len(s.Containers))].Image = m.one("nginx:1", "evil:latest", "registry.x/y@sha256:00")
	},
	func(m maker, s *corev1.PodSpec) {
		s.InitContainers = append(s.InitContainers, corev1.Container{Name: m.one("i1", "i2"), Image: "init:1", SecurityContext: &corev1.SecurityContext{Privileged: ptr(m.chance(40))}})
	},
	func(m maker, s *corev1.PodSpec) { s.ServiceAccountName = m.one("default", "admin") },
	func(m maker, s *corev1.PodSpec) {
		s.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "env-secret"}}}}
	},
	func(m maker, s *corev1.PodSpec) {
		s.Containers[0].Env = append(s.Containers[0].Env, corev1.EnvVar{Name: m.one("A", "B"), ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: m.one("key-secret", "db")}, Key: "k"}}})
	},
	func(m maker, s *corev1.PodSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}} },
	func(m maker, s *corev1.PodSpec) {
		s.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: m.one("", "169.254.169.254")}}}
	},
	func(m maker, s *corev1.PodSpec) { s.Containers[0].SecurityContext = nil },
	func(m maker, s *corev1.PodSpec) { s.SecurityContext = nil },
}

func basePod() corev1.PodSpec {
	return corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{
			{Name: "web", Image: "web:1", SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}},
			{Name: "side", Image: "side:1"},
		},
	}
}

// workload is a deployment as JSON.
func workload(t *testing.T, spec corev1.PodSpec) []byte {
	d := appsv1.Deployment{}
	d.Kind, d.APIVersion, d.Name, d.Namespace = "Deployment", "apps/v1", "web", "shop"
	d.Spec.Template.Spec = spec
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// want are the facts of a pod, as the types of the API tell them.
type want struct {
	forbidden                                               bool
	images, hostPaths, serviceAccounts, secrets, configMaps []string
}

func factsOf(t *testing.T, workload []byte) want {
	var d appsv1.Deployment
	if err := json.Unmarshal(workload, &d); err != nil {
		t.Fatalf("%s: %v", workload, err)
	}
	s := d.Spec.Template.Spec
	checks, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psaapi.LevelVersion{Level: psaapi.LevelBaseline, Version: psaapi.LatestVersion()}
	w := want{forbidden: !policy.AggregateCheckResults(checks.EvaluatePod(level, &d.Spec.Template.ObjectMeta, &s)).Allowed}
	for _, c := range append(slices.Clone(s.Containers), s.InitContainers...) {
		w.images = append(w.images, c.Image)
		for _, e := range c.EnvFrom {
			w.secrets = append(w.secrets, e.SecretRef.Name)
		}
		for _, e := range c.Env {
			w.secrets = append(w.secrets, e.ValueFrom.SecretKeyRef.Name)
		}
	}
	for _, v := range s.Volumes {
		switch {
		case v.HostPath != nil:
			w.hostPaths = append(w.hostPaths, v.HostPath.Path)
		case v.Secret != nil:
			w.secrets = append(w.secrets, v.Secret.SecretName)
		case v.Image != nil:
			w.images = append(w.images, v.Image.Reference)
		case v.Projected != nil:
			w.secrets = append(w.secrets, v.Projected.Sources[0].Secret.Name)
			w.configMaps = append(w.configMaps, v.Projected.Sources[1].ConfigMap.Name)
		}
	}
	for _, p := range s.ImagePullSecrets {
		w.secrets = append(w.secrets, p.Name)
	}
	if s.ServiceAccountName != "" {
		w.serviceAccounts = append(w.serviceAccounts, s.ServiceAccountName)
	}
	return w
}

// TestFactsOfChanges changes workloads at random, by every kind of write. Whatever the result has that was not there before
// must be among the facts of the body; the server's own libraries make and apply the patches, and its own Pod Security says
// what is forbidden.
func TestFactsOfChanges(t *testing.T) {
	seed := rand.Uint64()
	m := maker{rand.New(rand.NewPCG(seed, 0))}
	forbidden := 0
	for range 8000 {
		before, after := basePod(), basePod()
		if m.chance(50) {
			changes[m.IntN(len(changes))](m, &before)
			after = *before.DeepCopy()
		}
		for range 1 + m.IntN(3) {
			changes[m.IntN(len(changes))](m, &after)
		}
		old, changed := workload(t, before), workload(t, after)
		media, body := m.write(t, old, changed)
		method := "PATCH"
		if !strings.Contains(media, "patch") {
			method = "PUT"
		}
		r, err := kubeapi.Parse(method, "/apis/apps/v1/namespaces/shop/deployments/web", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := kubeapi.ReadBody(r, media, body, 0)
		if err != nil {
			t.Fatalf("seed %d: %s %s: %v", seed, media, body, err)
		}
		was, is := factsOf(t, old), factsOf(t, changed)
		if is.forbidden && !was.forbidden {
			forbidden++
		}
		if !covered(t, b.Facts, was, is) {
			t.Fatalf("seed %d: %s\n%s\nfacts %+v", seed, media, body, b.Facts)
		}
	}
	if forbidden < 500 {
		t.Errorf("only %d forbidden changes", forbidden)
	}
}

func covered(t *testing.T, f kubeapi.Facts, was, is want) bool {
	ok := true
	if is.forbidden && !was.forbidden && !f.Privileged && !f.HostNamespaces && len(f.HostPaths) == 0 {
		t.Errorf("forbidden, and not told")
		ok = false
	}
	for _, l := range []struct {
		what           string
		was, is, facts []string
	}{
		{"image", was.images, is.images, f.Images}, {"host path", was.hostPaths, is.hostPaths, f.HostPaths},
		{"service account", was.serviceAccounts, is.serviceAccounts, f.ServiceAccounts}, {"secret", was.secrets, is.secrets, f.Secrets},
		{"config map", was.configMaps, is.configMaps, f.ConfigMaps},
	} {
		for _, name := range l.is {
			if f.Known && !slices.Contains(l.was, name) && !slices.Contains(l.facts, name) {
				t.Errorf("%s %q is not told", l.what, name)
				ok = false
			}
		}
	}
	return ok
}

// write makes a body that turns one workload into another, and checks that it does.
func (m maker) write(t *testing.T, old, changed []byte) (media string, body []byte) {
	t.Helper()
	var err error
	var result []byte
	switch m.IntN(5) {
	case 0:
		return "application/json", changed
	case 1:
		body, err = yaml.JSONToYAML(changed)
		media, result = m.one("application/yaml", "application/apply-patch+yaml"), changed
	case 2:
		media = "application/merge-patch+json"
		if body, err = jsonmergepatch.CreateThreeWayJSONMergePatch(old, changed, old); err == nil {
			result, err = jsonpatch.MergePatch(old, body)
		}
	case 3:
		media = "application/strategic-merge-patch+json"
		if body, err = strategicpatch.CreateTwoWayMergePatch(old, changed, appsv1.Deployment{}); err == nil {
			result, err = strategicpatch.StrategicMergePatch(old, body, appsv1.Deployment{})
		}
	default:
		media, body = "application/json-patch+json", m.operations(t, old, changed)
		var p jsonpatch.Patch
		if p, err = jsonpatch.DecodePatch(body); err == nil {
			result, err = p.Apply(old)
		}
	}
	if err != nil {
		t.Fatalf("%s %s: %v", media, body, err)
	}
	if !jsonpatch.Equal(result, changed) && media != "application/strategic-merge-patch+json" {
		t.Fatalf("%s %s does not make %s of %s, but %s", media, body, changed, old, result)
	}
	return media, body
}

// operations writes a JSON patch that replaces what differs, at a random depth.
func (m maker) operations(t *testing.T, old, changed []byte) []byte {
	var from, to any
	if json.Unmarshal(old, &from) != nil || json.Unmarshal(changed, &to) != nil {
		t.Fatal("no JSON")
	}
	ops := []map[string]any{}
	var walk func(pointer string, a, b any)
	walk = func(pointer string, a, b any) {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if string(x) == string(y) {
			return
		}
		ao, aIs := a.(map[string]any)
		bo, bIs := b.(map[string]any)
		if al, ok := a.([]any); ok && !m.chance(20) {
			if bl, ok := b.([]any); ok && len(al) <= len(bl) {
				for i := range bl {
					if i < len(al) {
						walk(pointer+"/"+string(rune('0'+i)), al[i], bl[i])
					} else {
						ops = append(ops, map[string]any{"op": "add", "path": pointer + "/-", "value": bl[i]})
					}
				}
				return
			}
		}
		if !aIs || !bIs || pointer != "" && m.chance(10) {
			ops = append(ops, map[string]any{"op": "replace", "path": pointer, "value": b})
			return
		}
		for key := range ao {
			if _, keeps := bo[key]; !keeps {
				ops = append(ops, map[string]any{"op": "remove", "path": pointer + "/" + key})
			}
		}
		for key, v := range bo {
			if _, had := ao[key]; had {
				walk(pointer+"/"+key, ao[key], v)
			} else {
				ops = append(ops, map[string]any{"op": "add", "path": pointer + "/" + key, "value": v})
			}
		}
	}
	walk("", from, to)
	out, err := json.Marshal(ops)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
