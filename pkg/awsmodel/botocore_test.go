package awsmodel

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var (
	botocoreServices = flag.String("services", "sts dynamodb s3 s3control sqs cloudwatch lambda geo-maps rds", "services for TestBotocore, or all")
	botocoreRequests = flag.String("requests", "", "a file that testdata/requests.py has written, for TestBotocore")
)

// recorded is a request that botocore would have sent.
type recorded struct {
	Service, Operation, Problem string
	Params                      map[string]any
	Method, URL                 string
	Headers                     map[string]string
	Body                        []byte
}

// What botocore sends is identified as what it was asked for, and its members are read back as they were given.
func TestBotocore(t *testing.T) {
	m := model(t)
	var problems, seen int
	kinds := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(botocore(t)))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r recorded
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Problem != "" {
			problems++
			continue
		}
		seen++
		kind, err := r.check(m)
		if err != nil && r.excepted() {
			kinds["excepted"]++
			continue
		}
		if err != nil {
			t.Errorf("%s:%s: %v", r.Service, r.Operation, err)
		}
		kinds[kind]++
	}
	if seen == 0 {
		t.Fatal("botocore made no request")
	}
	t.Logf("%d requests, %d that botocore would not make: %v", seen, problems, kinds)
}

func botocore(t *testing.T) []byte {
	t.Helper()
	if *botocoreRequests != "" {
		b, err := os.ReadFile(*botocoreRequests)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import botocore").Run(); err != nil {
		t.Skip("no python3 with botocore")
	}
	args := strings.Fields(*botocoreServices)
	if *botocoreServices == "all" {
		args = nil
	}
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{"testdata/requests.py"}, args...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (r recorded) request() (Request, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return Request{}, err
	}
	rest := strings.TrimPrefix(r.URL, "https://"+u.Host)
	path, query, _ := strings.Cut(rest, "?")
	out := Request{Method: r.Method, Path: path, Query: query, Host: u.Host, Header: map[string][]string{}, Body: body(string(r.Body))}
	for k, v := range r.Headers {
		out.Header[http.CanonicalHeaderKey(k)] = []string{v}
	}
	credential := u.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Headers["Authorization"], "Credential="); ok {
		credential, _, _ = strings.Cut(after, ",")
	}
	if parts := strings.Split(credential, "/"); len(parts) == 5 {
		out.Region, out.Service = parts[2], parts[3]
	}
	return out, nil
}

// check identifies a request and compares what is read of it with what was asked for.
func (r recorded) check(m *Model) (string, error) {
	req, err := r.request()
	if err != nil {
		return "", err
	}
	c, err := m.Identify(req)
	switch {
	case c.InputEvents && errors.Is(err, ErrUnsupported):
		return "event streams", nil
	case err != nil:
		return "refused", fmt.Errorf("%w: %s %s scope %s", err, r.Method, r.URL, req.Service)
	case c.Operation != r.Operation || c.Service != r.Service && !slices.Contains(c.Siblings, r.Service):
		if slices.Contains([]string{"GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification"}, r.Operation) {
			return "older names", nil
		}
		return "wrong", fmt.Errorf("taken for %s:%s", c.Service, c.Operation)
	}
	p, err := m.Members(c, req.Body)
	if err != nil {
		return "wrong", err
	}
	if len(p.Unknown) > 0 {
		return "wrong", fmt.Errorf("unknown members %v", p.Unknown)
	}
	if c.Service != r.Service {
		return "siblings", nil
	}
	if d := r.endpoint(m, c, p, req); d != "" {
		return "wrong", errors.New(d)
	}
	given, _ := filled(r.Params)
	if d := lacks("", given, p.Value, c); d != "" {
		return "wrong", errors.New(d)
	}
	return "exact", nil
}

// lacks says what of the given parameters is not among the members.
func lacks(path string, given any, v Value, c Call) string {
	switch g := given.(type) {
	case map[string]any:
		if raw, ok := g["$bytes"]; ok {
			b, _ := base64.StdEncoding.DecodeString(raw.(string))
			if v.Text != string(b) && !(v.Kind == NoValue && c.InputBlob) && base64.StdEncoding.EncodeToString([]byte(v.Text)) != raw {
				return fmt.Sprintf("%s is %q", path, v.Text)
			}
			return ""
		}
		if g["$time"] == true {
			return ""
		}
		for _, k := range slices.Sorted(maps.Keys(g)) {
			if d := lacks(path+"."+k, g[k], v.Get(k), c); d != "" {
				return d
			}
		}
	case []any:
		v.Items = slices.DeleteFunc(slices.Clone(v.Items), func(x Value) bool { return x.Kind < Text && len(x.Items)+len(x.Fields) == 0 })
		if len(g) != len(v.Items) {
			return fmt.Sprintf("%s has %d elements", path, len(v.Items))
		}
		for i := range g {
			if d := lacks(path+"[]", g[i], v.Items[i], c); d != "" {
				return d
			}
		}
	case nil:
	default:
		if s := fmt.Sprint(g); s != v.Text && s+".0" != v.Text {
			return fmt.Sprintf("%s is %q, not %q", path, v.Text, s)
		}
	}
	return ""
}

// filled takes away what is empty, which a form cannot write.
func filled(v any) (any, bool) {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			if e, ok := filled(e); ok {
				out[k] = e
			}
		}
		return out, len(out) > 0
	case []any:
		var out []any
		for _, e := range x {
			if e, ok := filled(e); ok {
				out = append(out, e)
			}
		}
		return out, len(out) > 0
	}
	return v, true
}

// exceptions are the requests of botocore that are refused, or read in another way than they were asked for, on purpose.
var exceptions = map[string]string{
	"timestream-query": "asks for its endpoint first, with DescribeEndpoints",
	"timestream-write": "asks for its endpoint first, with DescribeEndpoints",
	"sdb":              "signs with version 2",
	"importexport":     "signs with version 2",
	"signin":           "lives outside of AWS's API hosts",

	"cloudsearchdomain:Search":                       "botocore makes a POST of what the model has as a GET",
	"s3:CreateSession":                               "is of directory buckets",
	"s3:RenameObject":                                "is of directory buckets",
	"s3:ListDirectoryBuckets":                        "is s3express",
	"s3:WriteGetObjectResponse":                      "is s3-object-lambda",
	"s3control:CreateBucket":                         "is s3-outposts",
	"s3control:ListRegionalBuckets":                  "is s3-outposts",
	"s3control:DeleteAccessPointScope":               "is s3express",
	"s3control:GetAccessPointScope":                  "is s3express",
	"s3control:PutAccessPointScope":                  "is s3express",
	"s3control:ListAccessPointsForDirectoryBuckets":  "is s3express",
	"s3:CopyObject":                                  "botocore encodes CopySource",
	"s3:UploadPartCopy":                              "botocore encodes CopySource",
	"s3:PutObject":                                   "botocore adds aws-chunked to ContentEncoding",
	"ec2:RunInstances":                               "botocore encodes UserData",
	"autoscaling:CreateLaunchConfiguration":          "botocore encodes UserData",
	"rds:CopyDBClusterSnapshot":                      "botocore makes a PreSignedUrl of SourceRegion",
	"rds:CopyDBSnapshot":                             "botocore makes a PreSignedUrl of SourceRegion",
	"rds:CreateDBCluster":                            "botocore makes a PreSignedUrl of SourceRegion",
	"rds:CreateDBInstanceReadReplica":                "botocore makes a PreSignedUrl of SourceRegion",
	"rds:StartDBInstanceAutomatedBackupsReplication": "botocore makes a PreSignedUrl of SourceRegion",
	"iot-data:Publish":                               "the header is JSON in itself",
	"lex-runtime:PostContent":                        "the header is JSON in itself",
	"bedrock-agentcore:InvokeAgentRuntimeCommand":    "the made Content-Type is none",
}

func (r recorded) excepted() bool {
	return exceptions[r.Service] != "" || exceptions[r.Service+":"+r.Operation] != ""
}

// endpoint compares where the call would be sent with where botocore sends it. S3 is sent in path style.
func (r recorded) endpoint(m *Model, c Call, p Params, req Request) string {
	if c.Service == "s3" || c.api.Endpoint == "" {
		return ""
	}
	host, path, err := m.Endpoint(c, p, c.Region)
	if err != nil {
		return err.Error()
	}
	if !strings.EqualFold(host, req.Host) || path != req.Path {
		return "it would be sent to " + host + path + ", not " + req.Host + req.Path
	}
	return ""
}
