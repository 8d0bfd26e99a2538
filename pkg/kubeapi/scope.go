package kubeapi

// clusterScoped reports resources of Kubernetes itself that stand in no namespace. Others are taken to be namespaced,
// which claims more for a request, never less.
func clusterScoped(group, resource string) bool {
	switch group {
	case "":
		return resource == "namespaces" || resource == "nodes" || resource == "persistentvolumes" || resource == "componentstatuses"
	case "rbac.authorization.k8s.io":
		return resource == "clusterroles" || resource == "clusterrolebindings"
	case "apps", "batch", "autoscaling", "policy", "events.k8s.io", "discovery.k8s.io":
		return false
	case "coordination.k8s.io":
		return false
	case "networking.k8s.io":
		return resource == "ingressclasses" || resource == "ipaddresses" || resource == "servicecidrs"
	case "storage.k8s.io":
		return resource != "csistoragecapacities"
	case "certificates.k8s.io":
		return resource == "certificatesigningrequests" || resource == "clustertrustbundles"
	case "authorization.k8s.io":
		return resource != "localsubjectaccessreviews"
	case "resource.k8s.io":
		return resource == "deviceclasses" || resource == "resourceslices" || resource == "devicetaintrules"
	case "metrics.k8s.io":
		return resource == "nodes"
	case "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io",
		"flowcontrol.apiserver.k8s.io", "node.k8s.io", "scheduling.k8s.io", "internal.apiserver.k8s.io",
		"storagemigration.k8s.io":
		return true
	}
	return false
}
