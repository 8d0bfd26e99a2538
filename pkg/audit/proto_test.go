package audit

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// describe reads record.proto, which keeps to one field per line.
func describe(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	text, err := os.ReadFile("record.proto")
	if err != nil {
		t.Fatal(err)
	}
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("record.proto"), Package: proto.String("writ.audit.v1"), Syntax: proto.String("proto3"),
	}
	scalar := map[string]descriptorpb.FieldDescriptorProto_Type{
		"bytes": descriptorpb.FieldDescriptorProto_TYPE_BYTES, "string": descriptorpb.FieldDescriptorProto_TYPE_STRING,
		"uint64": descriptorpb.FieldDescriptorProto_TYPE_UINT64, "bool": descriptorpb.FieldDescriptorProto_TYPE_BOOL,
		"fixed64": descriptorpb.FieldDescriptorProto_TYPE_FIXED64,
	}
	line := regexp.MustCompile(`(?m)^message (\w+)|^  (repeated )?(\w+) (\w+) = (\d+);`)
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			file.MessageType = append(file.MessageType, &descriptorpb.DescriptorProto{Name: proto.String(m[1])})
			continue
		}
		number, _ := strconv.Atoi(m[5])
		f := &descriptorpb.FieldDescriptorProto{
			Name: proto.String(m[4]), Number: proto.Int32(int32(number)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
		if m[2] != "" {
			f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
		}
		if typ, ok := scalar[m[3]]; ok {
			f.Type = typ.Enum()
		} else {
			f.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
			f.TypeName = proto.String(".writ.audit.v1." + m[3])
		}
		msg := file.MessageType[len(file.MessageType)-1]
		msg.Field = append(msg.Field, f)
	}
	fd, err := protodesc.NewFile(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// TestProtoAgrees decodes a record with every field by the description and encodes it again.
func TestProtoAgrees(t *testing.T) {
	desc := describe(t).Messages().ByName("Record")
	if got := desc.Fields().Len(); got != int(fieldHash) {
		t.Fatalf("record.proto has %d fields, the encoder %d", got, fieldHash)
	}
	r := full(testIDs(t))
	want, err := r.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	msg := dynamicpb.NewMessage(desc)
	if err := proto.Unmarshal(want, msg); err != nil {
		t.Fatal(err)
	}
	noUnknown(t, msg)
	if msg.Get(desc.Fields().ByName("statement")).String() != r.Statement {
		t.Error("statement is not field 16")
	}
	got, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("protobuf writes %x\nwe write        %x", got, want)
	}
}

func noUnknown(t *testing.T, msg protoreflect.Message) {
	t.Helper()
	if len(msg.GetUnknown()) > 0 {
		t.Errorf("%s has fields the description lacks", msg.Descriptor().Name())
	}
	msg.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.IsList() && fd.Message() != nil {
			for i := range v.List().Len() {
				noUnknown(t, v.List().Get(i).Message())
			}
		}
		return true
	})
}
