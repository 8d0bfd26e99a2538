package aws

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestPlaceholdersAreNotStored: what was read masked is not written back.
func TestPlaceholdersAreNotStored(t *testing.T) {
	b, answer := newWire(t, nil)
	answer(reply{200, http.Header{}, []byte(`{}`)})
	packed := base64.StdEncoding.EncodeToString([]byte("***"))
	item := func(email string) attempt {
		return rpc("dynamodb", "DynamoDB_20120810.PutItem", `{"TableName":"t","Item":{"k":{"S":"1"},"email":{"S":"`+email+`"}}}`)
	}
	secret := func(value string) attempt {
		return rpc("secretsmanager", "secretsmanager.PutSecretValue", `{"SecretId":"x","ClientRequestToken":"11111111-2222-3333-4444-555555555555","SecretString":"`+value+`"}`)
	}
	function := attempt{method: http.MethodPut, path: "/2015-03-31/functions/f/configuration", service: "lambda", header: http.Header{"Content-Type": {"application/json"}}, body: `{"Environment":{"Variables":{"NEW":"x","TOKEN":"***"}}}`}
	machine := attempt{
		method: http.MethodPost, path: "/", service: "ec2", header: http.Header{"Content-Type": {formType}},
		body: "Action=ModifyInstanceAttribute&Version=2016-11-15&InstanceId=i-1&UserData.Value=" + url.QueryEscape(packed),
	}
	for name, c := range map[string]struct {
		ask     attempt
		refused bool
	}{
		"an item": {item("***"), true}, "an item with stars": {item("a ***"), false}, "a secret": {secret("***"), true}, "a part of a secret": {secret("***word"), true},
		"a secret with stars": {secret("x***"), false}, "a long secret": {secret("***" + strings.Repeat("x", 30)), false}, "a secret in base64": {secret(packed), true},
		"environment": {function, true}, "user data": {machine, true},
		"a read": {rpc("dynamodb", "DynamoDB_20120810.GetItem", `{"TableName":"t","Key":{"k":{"S":"***"}}}`), false},
	} {
		b.reached()
		status, text := b.send(c.ask)
		if refused := strings.Contains(text, "would store ***"); refused != c.refused || refused != (status == 403) {
			t.Errorf("%s: %d %s", name, status, text)
		}
		if reached := len(b.reached()) > 0; reached == c.refused {
			t.Errorf("%s: reached AWS: %v", name, reached)
		}
	}
}
