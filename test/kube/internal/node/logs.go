package node

import (
	"context"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	cri "k8s.io/cri-api/pkg/apis"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/logs"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // the options of logs are decoded from a query
)

// serveLogs answers with a container's log, and follows it where asked.
func (n *Node) serveLogs(w http.ResponseWriter, r *http.Request) {
	c := n.find(w, r)
	if c == nil {
		return
	}
	var options corev1.PodLogOptions
	if err := legacyscheme.ParameterCodec.DecodeParameters(r.URL.Query(), corev1.SchemeGroupVersion, &options); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if options.Previous {
		http.Error(w, "logs of an earlier run are not kept apart here", http.StatusBadRequest)
		return
	}
	out := flusher{w, http.NewResponseController(w)}
	_ = out.control.Flush()
	logger := klog.Background()
	err := logs.ReadLogs(r.Context(), &logger, c.output.path, "", logs.NewLogOptions(&options, time.Now()), liveness{container: c}, out, out)
	if err != nil && r.Context().Err() == nil {
		klog.ErrorS(err, "read log", "path", c.output.path)
	}
}

// liveness tells the reader of a log whether more may come; it calls nothing else of the interface.
type liveness struct {
	cri.RuntimeService
	container *container
}

// ContainerStatus says whether the container may still write.
func (l liveness) ContainerStatus(context.Context, string, bool) (*runtime.ContainerStatusResponse, error) {
	state := runtime.ContainerState_CONTAINER_RUNNING
	select {
	case <-l.container.ended:
		state = runtime.ContainerState_CONTAINER_EXITED
	default:
	}
	return &runtime.ContainerStatusResponse{Status: &runtime.ContainerStatus{State: state}}, nil
}

// flusher sends at once what is written.
type flusher struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.control.Flush()
	}
	return n, err
}
