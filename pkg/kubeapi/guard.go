package kubeapi

import (
	"slices"
	"strings"
)

// What Pod Security allows at the level baseline. Source: k8s.io/pod-security-admission/policy.
var (
	baselineCapabilities = []string{
		"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
		"SETPCAP", "SETUID", "SYS_CHROOT",
	}
	baselineSELinux = []string{"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
	baselineSysctls = []string{
		"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
		"net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
		"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
		"net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
	}
)

// The labels and annotations that confine, by what their names begin with.
const (
	podSecurityLabel   = "pod-security.kubernetes.io/enforce"
	appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/"
	seccompAnnotation  = "seccomp.security.alpha.kubernetes.io/"
	seccompOfContainer = "container.seccomp.security.alpha.kubernetes.io/"
)

// unconfined reports a text under a key that baseline forbids.
func unconfined(key, under, s string) bool {
	switch {
	case key == "add" && under == "capabilities":
		return !slices.Contains(baselineCapabilities, s)
	case key == "procmount":
		return s != "" && s != "Default"
	case key == "type" && (under == "seccompprofile" || under == "apparmorprofile"):
		return s == "Unconfined"
	case under == "selinuxoptions":
		return key == "type" && !slices.Contains(baselineSELinux, s) || (key == "user" || key == "role") && s != ""
	case key == "name" && under == "sysctls":
		return !slices.Contains(baselineSysctls, s)
	case key == "host" && (under == "httpget" || under == "tcpsocket"):
		return s != ""
	case strings.HasPrefix(key, podSecurityLabel) && under == "labels":
		return s != "baseline" && s != "restricted" && !strings.HasPrefix(key, podSecurityLabel+"-version")
	case strings.HasPrefix(key, appArmorAnnotation):
		return s != "" && s != "runtime/default" && !strings.HasPrefix(s, "localhost/")
	case strings.HasPrefix(key, seccompAnnotation), strings.HasPrefix(key, seccompOfContainer):
		return s == "unconfined"
	}
	return directive(key) && guards(under)
}

// directive reports the keys with which a strategic merge patch takes things away.
// Source: k8s.io/apimachinery/pkg/util/strategicpatch.
func directive(key string) bool {
	return key == "$patch" || key == "$retainkeys" || strings.HasPrefix(key, "$deletefromprimitivelist/")
}

// guards reports keys under which it is said what confines a container, a pod or a namespace.
func guards(key string) bool {
	switch key {
	case "securitycontext", "capabilities", "seccompprofile", "apparmorprofile", "selinuxoptions", "windowsoptions",
		"runasnonroot", "allowprivilegeescalation", "readonlyrootfilesystem", "procmount", "hostusers", "drop":
		return true
	}
	for _, prefix := range []string{podSecurityLabel, appArmorAnnotation, seccompAnnotation, seccompOfContainer} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// remove takes in that a patch takes away what stands under keys.
func (w *walk) remove(keys []string) {
	if w.patch != NoPatch && slices.ContainsFunc(keys, guards) {
		w.found.Privileged = true
	}
}

// list takes in a list as a whole. A patch that drops fewer capabilities than all may drop fewer than before.
func (w *walk) list(keys []string, all []any) {
	if w.patch != NoPatch && last(keys, 1) == "drop" && last(keys, 2) == "capabilities" && !slices.Contains(all, any("ALL")) {
		w.found.Privileged = true
	}
}

// replaced takes in that an operation of a JSON patch puts a value in the place of whatever was there.
func (w *walk) replaced(keys []string, v any) {
	o, _ := v.(map[string]any)
	switch key := last(keys, 1); {
	case key == "securitycontext" && o["runAsNonRoot"] != true, key == "capabilities" && o["drop"] == nil:
		w.found.Privileged = true
	case last(keys, 2) == "roleref", last(keys, 2) == "subjects", last(keys, 2) == "image" && key != "reference":
		w.opaque = true // half of a reference
	case key == "drop" && o == nil && !isList(v):
		w.found.Privileged = w.found.Privileged || v != "ALL"
	}
}

func isList(v any) bool { _, ok := v.([]any); return ok }
