package cli

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// maxIntentFile bounds an intent file, in bytes. The control plane takes less.
const maxIntentFile = 64 << 10

// intentFlags say what is about to be done, for programs to fill in and approvers to judge.
type intentFlags struct {
	Task       string   `help:"What is about to be done, in one line."`
	RunID      string   `name:"run" placeholder:"URL" help:"URL or id of the run, conversation or pipeline that asks."`
	Command    []string `sep:"none" help:"Command that it means to run; repeat it for more."`
	IntentFile string   `placeholder:"FILE" help:"Read task, run, commands and details from a JSON file; - is standard input."`
}

// intent is nil when nothing is said. A flag goes before what the file says; commands add up.
func (f intentFlags) intent(a *app) (*accessv1.Intent, error) {
	in := new(accessv1.Intent)
	if f.IntentFile != "" {
		raw, err := readLimited(a, f.IntentFile)
		if err != nil {
			return nil, fmt.Errorf("read intent: %w", err)
		}
		if err := protojson.Unmarshal(raw, in); err != nil {
			return nil, misused(`for example {"task": "...", "commands": ["..."], "details": {"model": "..."}}`,
				"%s is not an intent in JSON: %w", f.IntentFile, err)
		}
	}
	if f.Task != "" {
		in.Task = f.Task
	}
	if f.RunID != "" {
		in.Run = f.RunID
	}
	in.Commands = append(in.Commands, f.Command...)
	if in.GetTask() == "" && in.GetRun() == "" && len(in.GetCommands()) == 0 && len(in.GetDetails()) == 0 {
		return nil, nil
	}
	return in, nil
}

func readLimited(a *app, name string) ([]byte, error) {
	in := a.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxIntentFile+1))
	if err == nil && len(raw) > maxIntentFile {
		err = fmt.Errorf("it is larger than %d bytes", maxIntentFile)
	}
	return raw, err
}

func intentFields(in *accessv1.Intent) []output.Field {
	fields := []output.Field{{Name: "task", Value: in.GetTask()}, {Name: "run", Value: in.GetRun()}}
	for _, c := range in.GetCommands() {
		fields = append(fields, output.Field{Name: "means to run", Value: c})
	}
	for _, k := range slices.Sorted(maps.Keys(in.GetDetails())) {
		fields = append(fields, output.Field{Name: "detail", Value: k + "=" + in.GetDetails()[k]})
	}
	return fields
}
