package sigv4

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	goodScope  = testKey + "/20150830/us-east-1/sts/aws4_request"
	goodSig    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	goodHeader = "AWS4-HMAC-SHA256 Credential=" + goodScope + ", SignedHeaders=host;x-amz-date, Signature=" + goodSig
	goodQuery  = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + testKey + "%2F20150830%2Fus-east-1%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=" + goodSig
)

func headerRequest() *Request {
	return &Request{
		Method: "GET", Host: "sts.amazonaws.com", Path: "/", BodyHash: emptyHash, Length: -1,
		Header: http.Header{"X-Amz-Date": {"20150830T123600Z"}, "Authorization": {goodHeader}},
	}
}

func queryRequest() *Request {
	return &Request{Method: "GET", Host: "sts.amazonaws.com", Path: "/", RawQuery: goodQuery, BodyHash: emptyHash, Header: http.Header{}}
}

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
	var e *Error
	if kind != nil && !errors.As(err, &e) {
		t.Errorf("%T is no *Error", err)
	}
	if err != nil && (strings.Contains(err.Error(), goodSig) || strings.Contains(err.Error(), "secret-token")) {
		t.Errorf("the error tells a secret: %v", err)
	}
}

func TestParseHeaderForm(t *testing.T) {
	const pre = "AWS4-HMAC-SHA256 "
	cred, names, sig := "Credential="+goodScope, "SignedHeaders=host;x-amz-date", "Signature="+goodSig
	tests := []struct {
		value string
		kind  error
	}{
		{goodHeader, nil},
		{pre + cred + "," + names + "," + sig, nil},
		{pre + "  " + cred + " ,  " + names + " , " + sig + " ", nil},
		{pre + sig + ", " + cred + ", " + names, nil},
		{"AWS " + testKey + ":c2ln", ErrSigV2},
		{"Bearer x", ErrScheme},
		{"Basic eDp5", ErrScheme},
		{"AWS3-HTTPS AWSAccessKeyId=x", ErrScheme},
		{"aws4-hmac-sha256 " + cred + "," + names + "," + sig, ErrScheme},
		{"AWS4-HMAC-SHA256\t" + cred + "," + names + "," + sig, ErrScheme},
		{"AWS4-HMAC-SHA1 " + cred + "," + names + "," + sig, ErrScheme},
		{"", ErrScheme},
		{"AWS4-HMAC-SHA256", ErrHeaderForm},
		{pre + cred + ", " + names, ErrHeaderForm},
		{pre + cred + ", " + sig, ErrHeaderForm},
		{pre + names + ", " + sig, ErrHeaderForm},
		{goodHeader + ", " + cred, ErrHeaderForm},
		{goodHeader + ", " + names, ErrHeaderForm},
		{goodHeader + ", " + sig, ErrHeaderForm},
		{goodHeader + ", Extra=1", ErrHeaderForm},
		{goodHeader + ",", ErrHeaderForm},
		{pre + cred + ",, " + names + ", " + sig, ErrHeaderForm},
		{pre + cred + " " + names + " " + sig, ErrHeaderForm},
		{pre + "credential=" + goodScope + ", " + names + ", " + sig, ErrHeaderForm},
		{pre + "Credential =" + goodScope + ", " + names + ", " + sig, ErrHeaderForm},
		{pre + "Credential= " + goodScope + ", " + names + ", " + sig, ErrHeaderForm},
		{pre + "\t" + cred + ", " + names + ", " + sig, ErrHeaderForm},
	}
	for _, scope := range []string{
		"", "/20150830/us-east-1/sts/aws4_request", testKey + "/20150830/us-east-1/aws4_request", testKey + "/2015083/us-east-1/sts/aws4_request",
		testKey + "/20150830/us-east-1/sts/aws4_request/x", testKey + "/20150830//sts/aws4_request", testKey + "/20150830/us-east-1//aws4_request",
		testKey + "/20150830/us-east-1/sts/aws4_Request", "A KEY/20150830/us-east-1/sts/aws4_request", testKey + "/20150830/us east/sts/aws4_request",
		strings.Repeat("A", 129) + "/20150830/us-east-1/sts/aws4_request", testKey + "/2015083a/us-east-1/sts/aws4_request",
	} {
		tests = append(tests, struct {
			value string
			kind  error
		}{pre + "Credential=" + scope + ", " + names + ", " + sig, ErrHeaderForm})
	}
	for _, list := range []string{
		"", "x-amz-date;host", "host;host;x-amz-date", "Host;x-amz-date", "host;;x-amz-date", "host;x-amz-date;", ";host", "host, x-amz-date",
		"authorization;host;x-amz-date", "host;x-amz date", "host:x;x-amz-date",
	} {
		tests = append(tests, struct {
			value string
			kind  error
		}{pre + cred + ", SignedHeaders=" + list + ", " + sig, ErrHeaderForm})
	}
	for _, signature := range []string{"", goodSig[1:], goodSig + "00", strings.ToUpper(goodSig), "g" + goodSig[1:]} {
		tests = append(tests, struct {
			value string
			kind  error
		}{pre + cred + ", " + names + ", Signature=" + signature, ErrHeaderForm})
	}
	for _, test := range tests {
		t.Run(test.value, func(t *testing.T) {
			r := headerRequest()
			r.Header["Authorization"] = []string{test.value}
			a, err := Parse(r)
			if wantKind(t, err, test.kind); err == nil && (a.KeyID != testKey || a.Scope != Scope{"20150830", "us-east-1", "sts"} || a.Presigned) {
				t.Errorf("parsed %v", a)
			}
		})
	}
}

func TestParseRequest(t *testing.T) {
	tests := map[string]struct {
		change func(*Request)
		kind   error
	}{
		"anonymous":               {func(r *Request) { r.Header.Del("Authorization") }, ErrAnonymous},
		"two authorizations":      {func(r *Request) { r.Header.Add("Authorization", goodHeader) }, ErrRequest},
		"no date":                 {func(r *Request) { r.Header.Del("X-Amz-Date"); r.Header.Set("Date", "Sun, 30 Aug 2015 12:36:00 GMT") }, ErrHeaderForm},
		"two dates":               {func(r *Request) { r.Header.Add("X-Amz-Date", "20150830T123600Z") }, ErrRequest},
		"date in lower case":      {func(r *Request) { r.Header.Set("X-Amz-Date", "20150830t123600z") }, ErrHeaderForm},
		"date with a fraction":    {func(r *Request) { r.Header.Set("X-Amz-Date", "20150830T123600.5Z") }, ErrHeaderForm},
		"day 31 of June":          {func(r *Request) { r.Header.Set("X-Amz-Date", "20150631T123600Z") }, ErrHeaderForm},
		"presigned too":           {func(r *Request) { r.RawQuery = goodQuery }, ErrHeaderForm},
		"date in the query":       {func(r *Request) { r.RawQuery = "X-Amz-Date=20150830T123600Z" }, ErrHeaderForm},
		"encoded name in query":   {func(r *Request) { r.RawQuery = "X%2DAmz%2DSignature=x" }, ErrHeaderForm},
		"another case in query":   {func(r *Request) { r.RawQuery = "x-amz-security-token=x" }, ErrHeaderForm},
		"version 2 too":           {func(r *Request) { r.RawQuery = "AWSAccessKeyId=x&Signature=y&Expires=1" }, ErrQueryForm},
		"region set of 4A":        {func(r *Request) { r.Header.Set("X-Amz-Region-Set", "*") }, ErrHeaderForm},
		"two tokens":              {func(r *Request) { r.Header["X-Amz-Security-Token"] = []string{"secret-token", "b"} }, ErrRequest},
		"two targets":             {func(r *Request) { r.Header["X-Amz-Target"] = []string{"a", "b"} }, ErrRequest},
		"underscores":             {func(r *Request) { r.Header["X_amz_date"] = []string{"a"} }, ErrRequest},
		"underscores in metadata": {func(r *Request) { r.Header["X-Amz-Meta-A_b"] = []string{"a"} }, nil},
		"space in a name":         {func(r *Request) { r.Header["X-Amz-Date "] = []string{"a"} }, ErrRequest},
		"name not canonical":      {func(r *Request) { r.Header["x-amz-date"] = []string{"a"} }, ErrRequest},
		"host header beside":      {func(r *Request) { r.Header["Host"] = []string{"other"} }, ErrRequest},
		"header without values":   {func(r *Request) { r.Header["X-Amz-Acl"] = nil }, ErrRequest},
		"too many headers": {func(r *Request) {
			for i := range MaxHeader {
				r.Header.Set(fmt.Sprint("X-", i), "a")
			}
		}, ErrRequest},
		"no host":               {func(r *Request) { r.Host = "" }, ErrRequest},
		"host with user":        {func(r *Request) { r.Host = "a@b" }, ErrRequest},
		"host with path":        {func(r *Request) { r.Host = "a/b" }, ErrRequest},
		"host with space":       {func(r *Request) { r.Host = "a b" }, ErrRequest},
		"two hosts":             {func(r *Request) { r.Host = "a,b" }, ErrRequest},
		"method in lower case":  {func(r *Request) { r.Method = "get" }, ErrRequest},
		"no method":             {func(r *Request) { r.Method = "" }, ErrRequest},
		"relative path":         {func(r *Request) { r.Path = "a" }, ErrRequest},
		"no path":               {func(r *Request) { r.Path = "" }, ErrRequest},
		"long path":             {func(r *Request) { r.Path = "/" + strings.Repeat("a", MaxPath) }, ErrRequest},
		"dots":                  {func(r *Request) { r.Path = "/a/../b" }, ErrRequest},
		"dots at the end":       {func(r *Request) { r.Path = "/a/.." }, ErrRequest},
		"dot":                   {func(r *Request) { r.Path = "/./a" }, ErrRequest},
		"encoded dots":          {func(r *Request) { r.Path = "/a/%2e%2E/b" }, ErrRequest},
		"half encoded dots":     {func(r *Request) { r.Path = "/a/.%2e" }, ErrRequest},
		"empty segment":         {func(r *Request) { r.Path = "/a//b" }, ErrRequest},
		"empty first segment":   {func(r *Request) { r.Path = "//a" }, ErrRequest},
		"slash at the end":      {func(r *Request) { r.Path = "/a/" }, nil},
		"encoded slash":         {func(r *Request) { r.Path = "/arn%3Aaws%2fa" }, nil},
		"three dots":            {func(r *Request) { r.Path = "/.../a..b" }, nil},
		"broken escape":         {func(r *Request) { r.Path = "/a%2" }, ErrRequest},
		"no escape":             {func(r *Request) { r.Path = "/%zz" }, ErrRequest},
		"space in path":         {func(r *Request) { r.Path = "/a b" }, ErrRequest},
		"backslash":             {func(r *Request) { r.Path = `/a\b` }, ErrRequest},
		"raw UTF-8":             {func(r *Request) { r.Path = "/é" }, ErrRequest},
		"question mark in path": {func(r *Request) { r.Path = "/a?b" }, ErrRequest},
		"plus in query":         {func(r *Request) { r.RawQuery = "a=b+c" }, ErrRequest},
		"semicolon in query":    {func(r *Request) { r.RawQuery = "a=b;c=d" }, ErrRequest},
		"empty pair":            {func(r *Request) { r.RawQuery = "a=b&&c=d" }, ErrRequest},
		"ampersand at the end":  {func(r *Request) { r.RawQuery = "a=b&" }, ErrRequest},
		"only ampersand":        {func(r *Request) { r.RawQuery = "&" }, ErrRequest},
		"no name":               {func(r *Request) { r.RawQuery = "=b" }, ErrRequest},
		"no equals sign":        {func(r *Request) { r.RawQuery = "acl" }, nil},
		"two equals signs":      {func(r *Request) { r.RawQuery = "a=b=c" }, nil},
		"a name twice":          {func(r *Request) { r.RawQuery = "a=2&a=1" }, nil},
		"broken escape, query":  {func(r *Request) { r.RawQuery = "a=%4" }, ErrRequest},
		"space in query":        {func(r *Request) { r.RawQuery = "a=b c" }, ErrRequest},
		"raw bytes in query":    {func(r *Request) { r.RawQuery = "a=\xff" }, ErrRequest},
		"fragment":              {func(r *Request) { r.RawQuery = "a=b#c" }, ErrRequest},
		"long query":            {func(r *Request) { r.RawQuery = strings.Repeat("a", MaxQuery+1) }, ErrRequest},
		"many parameters":       {func(r *Request) { r.RawQuery = strings.Repeat("a&", MaxParams) + "a" }, ErrRequest},
		"hash too short":        {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", goodSig[1:]) }, ErrPayload},
		"hash in upper case":    {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", strings.ToUpper(goodSig)) }, ErrPayload},
		"empty hash":            {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", "") }, ErrPayload},
		"two hashes":            {func(r *Request) { r.Header["X-Amz-Content-Sha256"] = []string{goodSig, emptyHash} }, ErrRequest},
		"events":                {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-EVENTS") }, ErrEventStream},
		"ECDSA chunks":          {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") }, ErrPayload},
		"ECDSA events":          {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-EVENTS") }, ErrEventStream},
		"chunks without length": {func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", signedChunks) }, ErrPayload},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := headerRequest()
			test.change(r)
			_, err := Parse(r)
			wantKind(t, err, test.kind)
		})
	}
}

func TestParseQueryForm(t *testing.T) {
	without := func(name string) string {
		pairs := strings.Split(goodQuery, "&")
		return strings.Join(slices.DeleteFunc(pairs, func(p string) bool { return strings.HasPrefix(p, name+"=") }), "&")
	}
	with := func(name, value string) string { return without(name) + "&" + name + "=" + value }
	tests := map[string]struct {
		query string
		kind  error
	}{
		"good":                {goodQuery, nil},
		"other parameters":    {"Action=GetCallerIdentity&" + goodQuery + "&Version=2011-06-15", nil},
		"lower-case escapes":  {strings.ReplaceAll(goodQuery, "%2F", "%2f"), nil},
		"version 2":           {"AWSAccessKeyId=x&Signature=y&Expires=1", ErrSigV2},
		"no algorithm":        {without(qAlgorithm), ErrQueryForm},
		"no credential":       {without(qCredential), ErrQueryForm},
		"no date":             {without(qDate), ErrQueryForm},
		"no signed headers":   {without(qSignedHeaders), ErrQueryForm},
		"no signature":        {without(qSignature), ErrQueryForm},
		"default expiry":      {without(qExpires), nil},
		"seven days":          {with(qExpires, "604800"), nil},
		"over seven days":     {with(qExpires, "604801"), ErrQueryForm},
		"zero seconds":        {with(qExpires, "0"), ErrQueryForm},
		"negative":            {with(qExpires, "-1"), ErrQueryForm},
		"signed number":       {with(qExpires, "%2B60"), ErrQueryForm},
		"no number":           {with(qExpires, "1m"), ErrQueryForm},
		"huge number":         {with(qExpires, "4294967356"), ErrQueryForm},
		"empty expiry":        {with(qExpires, ""), ErrQueryForm},
		"other algorithm":     {with(qAlgorithm, "AWS4-HMAC-SHA1"), ErrQueryForm},
		"signature twice":     {goodQuery + "&X-Amz-Signature=" + goodSig, ErrQueryForm},
		"expiry twice":        {goodQuery + "&X-Amz-Expires=60", ErrQueryForm},
		"another case":        {goodQuery + "&x-amz-expires=60", ErrQueryForm},
		"only another case":   {strings.ReplaceAll(goodQuery, "X-Amz-Date", "x-amz-date"), ErrQueryForm},
		"credential of five":  {with(qCredential, testKey+"%2F20150830%2Fus-east-1%2Faws4_request"), ErrQueryForm},
		"region set":          {goodQuery + "&X-Amz-Region-Set=*", ErrQueryForm},
		"hoisted":             {goodQuery + "&x-amz-acl=private&X-Amz-Meta-A_b=c%20d", nil},
		"hoisted twice":       {goodQuery + "&x-amz-acl=private&X-Amz-Acl=public-read", ErrQueryForm},
		"hoisted, underscore": {goodQuery + "&x-amz-a_b=c", ErrQueryForm},
		"chunks":              {goodQuery + "&X-Amz-Content-Sha256=" + signedChunks, ErrPayload},
		"unsigned payload":    {goodQuery + "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := queryRequest()
			r.RawQuery = test.query
			a, err := Parse(r)
			wantKind(t, err, test.kind)
			if err == nil && (!a.Presigned || a.KeyID != testKey || strings.Contains(a.Query, "X-Amz-")) {
				t.Errorf("parsed %v, %q", a, a.Query)
			}
		})
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Region-Set"} {
		r := queryRequest()
		r.Header.Set(name, "20150830T123600Z")
		_, err := Parse(r)
		wantKind(t, err, ErrQueryForm)
	}
	r := queryRequest()
	r.RawQuery += "&x-amz-acl=a"
	r.Header.Set("X-Amz-Acl", "b")
	_, err := Parse(r)
	wantKind(t, err, ErrQueryForm)
}

// Chunks are signed by the HMAC of a request's header, so that they cannot go with anything else.
func TestChunksNeedHeaderForm(t *testing.T) {
	r := queryRequest()
	r.RawQuery += "&X-Amz-Content-Sha256=" + signedChunks
	r.Header.Set("X-Amz-Decoded-Content-Length", "1")
	_, err := Parse(r)
	wantKind(t, err, ErrPayload)
	base := &Request{Method: "PUT", Host: "h", Path: "/", Header: http.Header{"X-Amz-Decoded-Content-Length": {"1"}}}
	_, err = Parse(signed(t, base, testCredentials, Target{Service: "s3", RegionSet: []string{"*"}}, signedChunks))
	wantKind(t, err, ErrPayload)
	if _, err = Parse(signed(t, base, testCredentials, Target{Service: "s3", RegionSet: []string{"*"}}, unsignedTrailer)); err != nil {
		t.Error(err)
	}
}

func TestPayloadSaidOnce(t *testing.T) {
	r := queryRequest()
	r.RawQuery += "&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
	r.Header.Set("X-Amz-Content-Sha256", emptyHash)
	_, err := Parse(r)
	wantKind(t, err, ErrPayload)
}

func TestParsePresignedS3(t *testing.T) {
	r := queryRequest()
	r.RawQuery = strings.Replace(goodQuery, "%2Fsts%2F", "%2Fs3%2F", 1) + "&x-id=GetObject&x-amz-acl=private"
	a, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if a.Payload.Mode != Unsigned || a.Query != "x-id=GetObject" || a.Hoisted.Get("X-Amz-Acl") != "private" || a.Expires != time.Minute {
		t.Errorf("%v %q %v %v", a.Payload, a.Query, a.Hoisted, a.Expires)
	}
	r.RawQuery = strings.Replace(r.RawQuery, "X-Amz-Expires=60&", "", 1)
	_, err = Parse(r)
	wantKind(t, err, ErrQueryForm) // S3 has no default
}

func TestParseS3NeedsHash(t *testing.T) {
	r := headerRequest()
	r.Header.Set("Authorization", strings.Replace(goodHeader, "/sts/", "/s3/", 1))
	_, err := Parse(r)
	wantKind(t, err, ErrPayload)
	r.Path = "/b//../%2e./a+b"
	r.Header.Set("X-Amz-Content-Sha256", emptyHash)
	if _, err := Parse(r); err != nil {
		t.Error(err)
	}
}

func TestParseChunked(t *testing.T) {
	tests := []struct {
		hash, length string
		trailer      []string
		kind         error
	}{
		{signedChunks, "10", nil, nil},
		{signedChunks, "0", nil, nil},
		{signedChunks, "10", []string{"x-amz-checksum-crc32"}, ErrPayload},
		{signedTrailer, "10", []string{"x-amz-checksum-crc32"}, nil},
		{signedTrailer, "10", nil, ErrPayload},
		{unsignedTrailer, "10", nil, nil},
		{unsignedTrailer, "10", []string{"X-Amz-Checksum-Crc32, x-amz-checksum-sha1"}, nil},
		{unsignedTrailer, "10", []string{""}, ErrPayload},
		{unsignedTrailer, "10", []string{"a b"}, ErrPayload},
		{unsignedTrailer, "10", []string{"a,b,c,d,e,f,g,h,i"}, ErrPayload},
		{signedChunks, "", nil, ErrPayload},
		{signedChunks, "-1", nil, ErrPayload},
		{signedChunks, "+1", nil, ErrPayload},
		{signedChunks, "01", nil, ErrPayload},
		{signedChunks, "0x10", nil, ErrPayload},
		{signedChunks, "5497558138881", nil, ErrPayload},
		{signedChunks, "99999999999999999999", nil, ErrPayload},
		{"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-X", "1", nil, ErrPayload},
	}
	for _, test := range tests {
		r := headerRequest()
		r.Header.Set("X-Amz-Content-Sha256", test.hash)
		if test.length != "" {
			r.Header.Set("X-Amz-Decoded-Content-Length", test.length)
		}
		if test.trailer != nil {
			r.Header["X-Amz-Trailer"] = test.trailer
		}
		_, err := Parse(r)
		wantKind(t, err, test.kind)
	}
}

func TestFromHTTP(t *testing.T) {
	tests := []struct{ target, host, path, query string }{
		{"/a%2Fb/?x=%2f", "h:1", "/a%2Fb/", "x=%2f"},
		{"http://h:1/a?b?c", "h:1", "/a", "b?c"},
		{"/?", "h", "/", ""},
		{"http://h:1?a", "h:1", "", ""},
		{"http://other/a", "h", "", ""},
		{"http://u@h/a", "u@h", "", ""},
		{"https://h/a", "h", "/a", ""},
		{"https://other/a", "h", "", ""},
		{"ftp://h/a", "h", "", ""},
		{"h:443", "h:443", "", ""},
		{"*", "h", "", ""},
		{"", "h", "", ""},
	}
	for _, test := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.RequestURI, r.Host = test.target, test.host
		got, err := FromHTTP(r)
		if test.path == "" {
			wantKind(t, err, ErrRequest)
			continue
		}
		if err != nil || got.Path != test.path || got.RawQuery != test.query || got.Host != test.host {
			t.Errorf("%q: %+v, %v", test.target, got, err)
		}
	}
}

func TestNothingPrintsSecrets(t *testing.T) {
	r := headerRequest()
	r.Header.Set("X-Amz-Security-Token", "secret-token")
	a, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(nil).Sign(&Request{Method: "GET", Host: "h", Path: "/"}, Credentials{testKey, testSecret, "secret-token"}, Target{Service: "sts", Region: "x"}, emptyHash, testTime)
	if err != nil {
		t.Fatal(err)
	}
	c := Credentials{testKey, testSecret, "secret-token"}
	for _, v := range []any{a, s, c, &c, &Verified{Authorization: a}} {
		for _, verb := range []string{"%v", "%+v", "%s", "%#v"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "secret-token") || strings.Contains(got, testSecret) || strings.Contains(got, "Signature=") {
				t.Errorf("%T with %s prints %s", v, verb, got)
			}
		}
	}
}
