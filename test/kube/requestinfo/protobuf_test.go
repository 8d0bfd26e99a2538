package requestinfo

import (
	"bytes"
	"encoding/json"
	"math/rand"
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	"k8s.io/apimachinery/pkg/api/resource"
	metafuzzer "k8s.io/apimachinery/pkg/apis/meta/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/randfill"

	"github.com/writhq/writ/pkg/kubeapi/protobody"
)

// TestProtobufIsReadAsItsJSON fills objects of every kind at random. Their protobuf, written by the API's own code, must be
// read as what encoding/json writes of them.
func TestProtobufIsReadAsItsJSON(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 2
	}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := fuzzer.FuzzerFor(fuzzer.MergeFuzzerFuncs(metafuzzer.Funcs, ours), rand.NewSource(seed), scheme.Codecs)
	encoder := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)
	kinds := 0
	for gvk, typ := range scheme.Scheme.AllKnownTypes() {
		if _, is := typ.FieldByName("ObjectMeta"); !is || gvk.Version == runtime.APIVersionInternal {
			continue
		}
		kinds++
		for i := range rounds {
			object := reflect.New(typ).Interface().(runtime.Object)
			if i > 0 { // the first is empty
				random.Fill(object)
			}
			object.GetObjectKind().SetGroupVersionKind(gvk)
			var body bytes.Buffer
			if err := encoder.Encode(object, &body); err != nil {
				t.Fatalf("%v: %v", gvk, err)
			}
			same(t, object, body.Bytes())
			if t.Failed() {
				return
			}
		}
	}
	if kinds < 100 {
		t.Errorf("only %d kinds", kinds)
	}
}

func same(t *testing.T, object runtime.Object, body []byte) {
	t.Helper()
	gvk := object.GetObjectKind().GroupVersionKind()
	read, err := protobody.Decode(body)
	if err != nil {
		t.Errorf("%v: %v", gvk, err)
		return
	}
	here, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	there, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := bare(t, here), bare(t, there); !reflect.DeepEqual(a, b) {
		t.Errorf("%v is\n%s here and\n%s there", gvk, here, there)
	}
}

// bare reads JSON without what protobuf cannot tell apart: null, no text, and lists of nothing.
func bare(t *testing.T, doc []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return withoutNothing(v)
}

func withoutNothing(v any) any {
	switch v := v.(type) {
	case string:
		if v == "" {
			return nil
		}
	case map[string]any:
		for key, within := range v {
			if v[key] = withoutNothing(within); v[key] == nil {
				delete(v, key)
			}
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = withoutNothing(v[i])
		}
	}
	return v
}

// ours makes the types whose JSON is not free.
func ours(_ serializer.CodecFactory) []any {
	return []any{
		func(v *runtime.RawExtension, c randfill.Continue) { v.Raw = []byte(`{"a":[1,"b",null]}`) },
		func(v *metav1.FieldsV1, c randfill.Continue) { v.Raw = []byte(`{"f:a":{}}`) },
		func(v *metav1.MicroTime, c randfill.Continue) { v.Time = time.UnixMicro(c.Int63() % 4e15).UTC() },
		func(v *metav1.Duration, c randfill.Continue) { v.Duration = time.Duration(c.Int63()) },
		func(v *intstr.IntOrString, c randfill.Continue) { *v = intstr.FromInt32(c.Int31()) },
		func(v *resource.Quantity, c randfill.Continue) {
			*v = *resource.NewQuantity(c.Int63n(1<<40), resource.BinarySI)
		},
	}
}

// TestTableIsWhatTheTypesSay makes the table again.
func TestTableIsWhatTheTypesSay(t *testing.T) {
	made, err := exec.Command("go", "run", "./kubetypes").Output()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("../../../pkg/kubeapi/protobody/types.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("types.txt is out of date: run go generate in pkg/kubeapi/protobody")
	}
}
