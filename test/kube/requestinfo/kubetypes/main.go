// Command kubetypes writes the table by which pkg/kubeapi/protobody reads protobuf: the fields of every type that the API
// server takes, from the Go types of k8s.io/api.
package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	if err := write(out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// special are the types whose JSON is not what their fields say.
var special = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():          "time",
	reflect.TypeFor[metav1.MicroTime]():     "microtime",
	reflect.TypeFor[metav1.Duration]():      "duration",
	reflect.TypeFor[metav1.FieldsV1]():      "json",
	reflect.TypeFor[runtime.RawExtension](): "json",
	reflect.TypeFor[resource.Quantity]():    "quantity",
	reflect.TypeFor[intstr.IntOrString]():   "intorstring",
}

type table struct {
	kinds []string
	types map[string][]string
}

func write(w io.Writer) error {
	t := table{types: map[string][]string{}}
	for gvk, typ := range scheme.Scheme.AllKnownTypes() {
		if !isObject(typ) || gvk.Version == runtime.APIVersionInternal {
			continue
		}
		name, err := t.message(typ)
		if err != nil {
			return fmt.Errorf("%v: %w", gvk, err)
		}
		t.kinds = append(t.kinds, fmt.Sprintf("kind %s %s %s", gvk.GroupVersion(), gvk.Kind, name))
	}
	options, err := t.message(reflect.TypeFor[metav1.DeleteOptions]())
	if err != nil {
		return err
	}
	t.kinds = append(t.kinds, "kind * DeleteOptions "+options)
	slices.Sort(t.kinds)
	_, _ = fmt.Fprintf(w, "# Written by test/kube/requestinfo/kubetypes. Do not edit.\n%s\n", strings.Join(t.kinds, "\n"))
	for _, name := range slices.Sorted(maps.Keys(t.types)) {
		_, _ = fmt.Fprintf(w, "type %s\n%s", name, strings.Join(t.types[name], ""))
	}
	return nil
}

// isObject reports what may be written by itself: what has object metadata, which lists and options have not.
func isObject(t reflect.Type) bool {
	f, ok := t.FieldByName("ObjectMeta")
	return ok && f.Anonymous
}

// message takes in a type and those it is made of, and returns its name.
func (t *table) message(typ reflect.Type) (string, error) {
	name := nameOf(typ)
	if _, known := t.types[name]; known {
		return name, nil
	}
	t.types[name] = nil
	lines := map[int]string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, ok := f.Tag.Lookup("protobuf")
		if !ok || tag == "-" {
			continue
		}
		number, err := strconv.Atoi(strings.Split(tag, ",")[1])
		if err != nil {
			return "", fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
		if lines[number], err = t.field(f); err != nil {
			return "", fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
		lines[number] = fmt.Sprintf("%d %s\n", number, lines[number])
	}
	for _, number := range slices.Sorted(maps.Keys(lines)) {
		t.types[name] = append(t.types[name], lines[number])
	}
	return name, nil
}

// field returns a field's JSON name and type. Before the type stands [] for a list, {} for a map, and ? for what JSON leaves
// out when it is zero. A name of . says that the fields of the value stand in the object itself.
func (t *table) field(f reflect.StructField) (string, error) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		if !strings.Contains(options, "inline") {
			return "", fmt.Errorf("no JSON name")
		}
		name = "."
	}
	typ, err := t.typeOf(f.Type)
	if err != nil {
		return "", err
	}
	if omits(f, typ, options) {
		typ = "?" + typ
	}
	return name + " " + typ, nil
}

// omits reports fields that encoding/json leaves out when they are zero, and protobuf does not.
func omits(f reflect.StructField, typ, options string) bool {
	switch f.Type.Kind() {
	case reflect.Pointer, reflect.Map:
		return false
	case reflect.Slice:
		return typ == "bytes" && strings.Contains(options, "omit")
	case reflect.Struct:
		return strings.Contains(options, "omitzero")
	}
	return strings.Contains(options, "omit")
}

func (t *table) typeOf(typ reflect.Type) (string, error) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if name, ok := special[typ]; ok {
		return name, nil
	}
	switch typ.Kind() {
	case reflect.Struct:
		return t.message(typ)
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float64:
		return typ.Kind().String(), nil
	case reflect.Slice:
		return t.listOf(typ)
	case reflect.Map:
		if typ.Key().Kind() != reflect.String {
			return "", fmt.Errorf("a map by %v", typ.Key())
		}
		within, err := t.typeOf(typ.Elem())
		return "{}" + within, err
	}
	return "", fmt.Errorf("a field of type %v", typ)
}

func (t *table) listOf(typ reflect.Type) (string, error) {
	if typ.Elem().Kind() == reflect.Uint8 {
		return "bytes", nil // as base64
	}
	within, err := t.typeOf(typ.Elem())
	if err != nil {
		return "", err
	}
	if _, wrapped := reflect.PointerTo(typ).MethodByName("Unmarshal"); !wrapped {
		return "[]" + within, nil
	}
	name := nameOf(typ) // a message of one list, which is a bare list in JSON
	t.types[name] = []string{"1 . []" + within + "\n"}
	return name, nil
}

func nameOf(t reflect.Type) string {
	path := strings.TrimPrefix(strings.TrimPrefix(t.PkgPath(), "k8s.io/api/"), "k8s.io/apimachinery/pkg/apis/")
	return path + "." + t.Name()
}
