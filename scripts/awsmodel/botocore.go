package main

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// botocoreData is what is read of botocore's folder.
type botocoreData struct {
	services   []*service
	partitions partitionsFile
	endpoints  endpointsFile
	version    string
	hash       string
}

type service struct {
	id    string
	model model
	urls  []string // of the endpoint rule set
}

type model struct {
	Metadata   metadata
	Operations map[string]operation
	Shapes     map[string]shape
}

type metadata struct {
	APIVersion, EndpointPrefix, Protocol, ServiceID, SigningName, TargetPrefix string
	Protocols                                                                  []string
}

type operation struct {
	Name string
	HTTP struct {
		Method, RequestURI string
	}
	Input, Output   *ref
	Errors          []ref
	AuthType        string
	Auth            []string
	Deprecated      bool
	ReadOnly        bool
	UnsignedPayload bool
	Endpoint        struct{ HostPrefix string }
}

type ref struct {
	Shape        string
	Location     string
	LocationName string
	QueryName    string
	Flattened    bool
	HostLabel    bool
	XMLAttribute bool
	JSONValue    bool
	Streaming    bool
	Token        bool `json:"idempotencyToken"`
	EventHeader  bool
	EventPayload bool
}

type shape struct {
	Type            string
	Members         map[string]ref
	Member          ref
	Key, Value      ref
	Required        []string
	Enum            []string
	Payload         string
	Sensitive       bool
	Union           bool
	EventStream     bool
	Streaming       bool
	Document        bool
	Flattened       bool
	TimestampFormat string
	LocationName    string
}

type partitionsFile struct {
	Partitions []struct {
		ID          string
		RegionRegex string
		Regions     map[string]any
		Outputs     struct{ DNSSuffix, DualStackDNSSuffix string }
	}
}

type endpointsFile struct {
	Partitions []struct {
		DNSSuffix string
		Services  map[string]struct {
			PartitionEndpoint string
			IsRegionalized    *bool
			Endpoints         map[string]endpoint
		}
	}
}

type endpoint struct {
	Hostname, SSLCommonName string
	Variants                []struct{ Hostname string }
}

var (
	urlPattern     = regexp.MustCompile(`"url"\s*:\s*"([^"]+)"`)
	versionPattern = regexp.MustCompile(`__version__ = ['"]([^'"]+)['"]`)
)

// readBotocore reads the newest model of every service under dir, in the order of their names.
func readBotocore(dir string) (*botocoreData, error) {
	d := &botocoreData{version: "unknown"}
	hash := sha256.New()
	if b, err := os.ReadFile(filepath.Join(dir, "..", "__init__.py")); err == nil {
		if m := versionPattern.FindSubmatch(b); m != nil {
			d.version = string(m[1])
		}
	}
	for name, into := range map[string]any{"partitions.json": &d.partitions, "endpoints.json": &d.endpoints} {
		b, err := readMaybeZipped(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(b, into); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		s, err := readService(filepath.Join(dir, e.Name()), hash)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if s != nil {
			d.services = append(d.services, s)
		}
	}
	for _, name := range []string{"partitions.json", "endpoints.json"} {
		b, err := readMaybeZipped(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		hash.Write(b)
	}
	d.hash = fmt.Sprintf("%x", hash.Sum(nil))
	return d, nil
}

func readService(dir string, hash io.Writer) (*service, error) {
	versions, err := filepath.Glob(filepath.Join(dir, "*", "service-2.json*"))
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	slices.Sort(versions)
	newest := filepath.Dir(versions[len(versions)-1])
	raw, err := readMaybeZipped(filepath.Join(newest, "service-2.json"))
	if err != nil {
		return nil, err
	}
	hash.Write(raw)
	s := &service{id: filepath.Base(dir)}
	if raw, err = withExtras(raw, filepath.Join(newest, "service-2.sdk-extras.json"), hash); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &s.model); err != nil {
		return nil, err
	}
	if rules, err := readMaybeZipped(filepath.Join(newest, "endpoint-rule-set-1.json")); err == nil {
		hash.Write(rules)
		for _, m := range urlPattern.FindAllSubmatch(rules, -1) {
			s.urls = append(s.urls, string(m[1]))
		}
		slices.Sort(s.urls)
		s.urls = slices.Compact(s.urls)
	}
	if s.model.Metadata.SigningName == "" {
		s.model.Metadata.SigningName = s.model.Metadata.EndpointPrefix
	}
	if len(s.model.Metadata.Protocols) == 0 {
		s.model.Metadata.Protocols = []string{s.model.Metadata.Protocol}
	}
	return s, nil
}

// withExtras merges what botocore adds to a model.
func withExtras(raw []byte, name string, hash io.Writer) ([]byte, error) {
	extra, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return raw, nil
	}
	if err != nil {
		return nil, err
	}
	hash.Write(extra)
	var base map[string]any
	var add struct{ Merge map[string]any }
	if err := json.Unmarshal(raw, &base); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(extra, &add); err != nil {
		return nil, err
	}
	merge(base, add.Merge)
	return json.Marshal(base)
}

func merge(base, add map[string]any) {
	for k, v := range add {
		from, ok1 := v.(map[string]any)
		to, ok2 := base[k].(map[string]any)
		if ok1 && ok2 {
			merge(to, from)
			continue
		}
		base[k] = v
	}
}

func readMaybeZipped(name string) ([]byte, error) {
	name = strings.TrimSuffix(name, ".gz")
	if b, err := os.ReadFile(name); err == nil {
		return b, nil
	}
	f, err := os.Open(name + ".gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
