package lab

import "strconv"

// apiserverFlags are the flags of kube-apiserver.
func (l *lab) apiserverFlags() []string {
	flags := []string{
		"--etcd-servers=" + l.etcd,
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(l.port),
		"--advertise-address=192.0.2.1", "--endpoint-reconciler-type=none", // a loopback address may not be an endpoint
		"--tls-cert-file=" + l.pair("apiserver").Cert, "--tls-private-key-file=" + l.pair("apiserver").Key,
		"--client-ca-file=" + l.pair("clients").Cert,
		"--authorization-mode=RBAC", "--allow-privileged=true", "--profiling=false",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24",
		"--service-account-key-file=" + l.pair("accounts").Cert, "--service-account-signing-key-file=" + l.pair("accounts").Key,
		"--kubelet-client-certificate=" + l.pair("kubelet-client").Cert, "--kubelet-client-key=" + l.pair("kubelet-client").Key,
		"--kubelet-certificate-authority=" + l.pair("servers").Cert, "--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + l.path("audit-policy.yaml"), "--audit-log-path=" + l.path("audit.log"), "--audit-log-maxsize=2048",
	}
	if len(l.cfg.Users) > 0 {
		flags = append(flags, "--token-auth-file="+l.path("tokens.csv"))
	}
	if l.cfg.TokenWebhook != "" {
		flags = append(flags, "--authentication-token-webhook-config-file="+l.cfg.TokenWebhook, "--authentication-token-webhook-version=v1",
			"--authentication-token-webhook-cache-ttl=0s")
	}
	return append(flags, l.cfg.APIServerFlags...)
}

// controllerFlags are the flags of kube-controller-manager. The controllers of the node's health are left out: the node
// sends no heartbeats.
func (l *lab) controllerFlags() []string {
	return []string{
		"--kubeconfig=" + l.path("controllers.kubeconfig"), "--controllers=*,-node-lifecycle-controller,-node-ipam-controller,-node-route-controller,-cloud-node-lifecycle-controller",
		"--service-account-private-key-file=" + l.pair("accounts").Key, "--root-ca-file=" + l.pair("servers").Cert,
		"--cluster-signing-cert-file=" + l.pair("clients").Cert, "--cluster-signing-key-file=" + l.pair("clients").Key,
		"--leader-elect=false", "--secure-port=0",
	}
}

func (l *lab) schedulerFlags() []string {
	return []string{"--kubeconfig=" + l.path("scheduler.kubeconfig"), "--leader-elect=false", "--secure-port=0"}
}
