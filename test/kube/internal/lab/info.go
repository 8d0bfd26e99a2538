package lab

// Info tells where a lab that is ready is found. It is printed as one line of JSON; paths are absolute.
type Info struct {
	Server          string            `json:"server"`  // URL of the API server
	Version         string            `json:"version"` // of Kubernetes
	CA              string            `json:"ca"`      // what signed the API server's certificate
	AdminKubeconfig string            `json:"admin_kubeconfig"`
	AdminCert       string            `json:"admin_cert"`
	AdminKey        string            `json:"admin_key"`
	ClientCACert    string            `json:"client_ca_cert"` // what signs the certificates of clients
	ClientCAKey     string            `json:"client_ca_key"`
	Tokens          map[string]string `json:"tokens"`    // of the users that were asked for
	AuditLog        string            `json:"audit_log"` // one audit.k8s.io/v1 Event a line
	Pods            string            `json:"pods"`      // folders of containers: namespace/pod/container
	Logs            string            `json:"logs"`      // what the parts of the lab said
	Node            string            `json:"node"`      // name of the one node
	Dir             string            `json:"dir"`       // everything above
	StartMillis     int64             `json:"start_ms"`
}
