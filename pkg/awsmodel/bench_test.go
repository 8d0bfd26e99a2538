package awsmodel

import (
	"runtime"
	"testing"

	"github.com/writhq/writ/pkg/awsmodel/data"
)

// The data is part of every edge's binary.
func TestSize(t *testing.T) {
	const most = 2000 << 10
	n := len(data.Head) + len(data.Services)
	t.Logf("%d bytes of data", n)
	if n > most {
		t.Errorf("the models take %d bytes, more than %d", n, most)
	}
}

func BenchmarkIdentify(b *testing.B) {
	m := model(b)
	for _, c := range []struct {
		name string
		r    Request
	}{
		{"json", jsonCall("dynamodb", putItem, "{}")},
		{"query", formCall("sts", "2011-06-15", "Action=GetCallerIdentity")},
		{"ec2", formCall("ec2", "2016-11-15", "Action=DescribeInstances")},
		{"cbor", Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/ListMetrics", Service: "monitoring", Header: header("Smithy-Protocol", "rpc-v2-cbor")}},
		{"eks", Request{Method: "GET", Path: "/clusters", Service: "eks"}},
		{"connect", Request{Method: "GET", Path: "/queues/i/q", Service: "connect"}},
		{"s3", Request{Method: "GET", Path: "/bkt", Query: "list-type=2&prefix=a", Service: "s3"}},
		{"s3 by host", Request{Method: "GET", Path: "/a/b", Service: "s3", Region: "us-east-1", Host: "bkt.s3.us-east-1.amazonaws.com"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Identify(c.r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMembers(b *testing.B) {
	m := model(b)
	r := jsonCall("dynamodb", putItem, `{"TableName":"t","Item":{"id":{"S":"1"},"name":{"S":"x"}}}`)
	c, err := m.Identify(r)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p, err := m.Members(c, r.Body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Access(c, p, owner); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Open(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUnpack unpacks one service, and reports the heap of the head alone and of all services.
func BenchmarkUnpack(b *testing.B) {
	for _, id := range []string{"sts", "s3", "ec2"} {
		b.Run(id, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				m := model(b)
				b.StartTimer()
				if _, err := m.byID[id].unpack(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			before := heap()
			m := model(b)
			head := heap()
			for _, s := range m.services {
				if _, err := s.unpack(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(head-before)/1e6, "MB-head")
			b.ReportMetric(float64(heap()-before)/1e6, "MB-all")
			runtime.KeepAlive(m)
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
