// Package protobody reads the protobuf form of Kubernetes objects, in which kubectl and client-go send what they write, and
// turns it into what would have been sent as JSON. It goes by a table of the types of k8s.io/api, and refuses kinds and
// fields that are not in it.
//
// Source: k8s.io/apimachinery/pkg/runtime/serializer/protobuf, and the generated.proto files of k8s.io/api.
package protobody

//go:generate sh -c "go -C ../../../test/kube/requestinfo run ./kubetypes > types.txt"
