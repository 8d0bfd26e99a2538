package docs

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/writhq/writ/controlplane"
	"github.com/writhq/writ/pkg/webhook"
)

// Every setting of a receiver, every event and every member of its data is described.
func TestNotificationsAreDescribed(t *testing.T) {
	raw, err := os.ReadFile(root + "/docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	receiver := reflect.TypeFor[controlplane.Receiver]()
	hook, _ := receiver.FieldByName("Webhook")
	slack, _ := receiver.FieldByName("Slack")
	for _, settings := range []reflect.Type{receiver, hook.Type.Elem(), slack.Type.Elem()} {
		for i := range settings.NumField() {
			name, _, _ := strings.Cut(settings.Field(i).Tag.Get("yaml"), ",")
			if !strings.Contains(text, "\n| `"+name+"` |") {
				t.Errorf("the setting %s of %s is not described", name, settings.Name())
			}
		}
	}
	for _, event := range webhook.Types() {
		if !strings.Contains(text, "\n| `"+event+"` |") {
			t.Errorf("the event %s is not described", event)
		}
	}
	_, members, _ := strings.Cut(text, "| member of `data` |")
	members, _, _ = strings.Cut(members, "\n\n")
	data := reflect.TypeFor[webhook.Data]()
	for i := range data.NumField() {
		name, _, _ := strings.Cut(data.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(members, "`"+name+"`") {
			t.Errorf("the member %s of data is not described", name)
		}
	}
}

// The body that the page shows is one.
func TestWebhookExampleIsAnEvent(t *testing.T) {
	for _, b := range blocks(t) {
		if b.page != "notifications.md" || b.info != "json" {
			continue
		}
		dec := json.NewDecoder(strings.NewReader(b.text))
		dec.DisallowUnknownFields()
		var e webhook.Event
		if err := dec.Decode(&e); err != nil || e.Version != webhook.Version || e.Type == "" {
			t.Errorf("%v in %s", err, b.text)
		}
		return
	}
	t.Error("no example")
}
