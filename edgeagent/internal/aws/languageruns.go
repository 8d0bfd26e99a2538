package aws

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
)

// shells are the documents of Systems Manager that run the commands of their parameters and nothing else.
var shells = map[string]bool{"AWS-RunShellScript": true, "AWS-RunPowerShellScript": true}

// runs reads a call that has a document of Systems Manager run: its name, and the commands among its parameters. What another document
// than AWS's shells does with them is not in the call.
func runs(name, params string) reader {
	return func(x *exchange) (reading, error) {
		for _, elsewhere := range []string{"TargetLocations", "TargetLocationsURL"} {
			if x.params.Get(elsewhere).Kind != awsmodel.NoValue {
				return reading{}, x.unreadText("it runs in other accounts or regions", "leave "+elsewhere+" out, and call in each")
			}
		}
		if x.params.Get("TaskParameters").Kind != awsmodel.NoValue {
			return reading{}, x.unreadText("it has parameters in the old form", "give them in TaskInvocationParameters")
		}
		var r reading
		r.changes, r.Document = true, x.params.Get(name).Text
		values := awsmodel.Value{Kind: awsmodel.Struct, Fields: []awsmodel.Field{{Name: "it", Value: x.params.Value}}}
		for _, step := range strings.Split(params, ".") {
			values.Fields[0].Value = values.Fields[0].Value.Get(step)
		}
		for _, f := range values.Fields[0].Value.Fields {
			switch f.Name {
			case "commands", "commandLine", "Commands":
				r.Commands = append(r.Commands, f.Value.Strings("[]")...)
			}
		}
		r.Unread = !shells[r.Document]
		return r, x.bounded(r.Commands)
	}
}

func (x *exchange) bounded(texts []string) error {
	if size := len(strings.Join(texts, "")); size > maxTexts {
		return x.unreadText("its commands are too long", "send less at a time")
	}
	return nil
}

// document is one that is kept and run by a later call.
func document(x *exchange) (reading, error) {
	var r reading
	r.changes, r.Document, r.Unread = true, x.params.Get("Name").Text, true
	return r, nil
}

// steps are what a cluster of EMR runs: programs with their arguments.
func steps(x *exchange) (reading, error) {
	var r reading
	for _, step := range x.params.All("Steps[].HadoopJarStep") {
		line := append(step.Strings("Jar"), step.Strings("MainClass")...)
		r.Commands = append(r.Commands, strings.Join(append(line, step.Strings("Args[]")...), " "))
	}
	for _, script := range x.params.All("BootstrapActions[].ScriptBootstrapAction") {
		r.Commands = append(r.Commands, strings.Join(append(script.Strings("Path"), script.Strings("Args[]")...), " "))
	}
	r.changes = true
	return r, x.bounded(r.Commands)
}

// commandIn is one command that is run on a machine.
func commandIn(member string) reader {
	return func(x *exchange) (reading, error) {
		texts, err := x.texts(member)
		r := reading{changes: true}
		r.Commands = texts
		return r, err
	}
}

// build starts a build of CodeBuild, with the commands of its project.
func build(x *exchange) (reading, error) {
	for _, f := range x.params.Fields {
		if strings.EqualFold(f.Name, "buildspecOverride") {
			return reading{}, x.unreadText("commands in buildspecOverride are not read", "leave it out, and change the project")
		}
	}
	return reading{}, nil
}

// states reads a state machine, which runs under the role that the call passes: the resources of its tasks are its commands.
func states(x *exchange) (reading, error) {
	var r reading
	r.changes = true
	definition := x.params.Get("definition")
	if definition.Kind == awsmodel.NoValue {
		return r, nil // an update of something else
	}
	root, err := readTree(definition.Text)
	if err != nil {
		return reading{}, x.unreadText("the definition is not understood: "+err.Error(), "")
	}
	root.walk(func(key string, v *tree) {
		if key == "Resource" && v.kind == scalar {
			r.Commands = append(r.Commands, v.text)
		}
	})
	slices.Sort(r.Commands)
	r.Commands = slices.Compact(r.Commands)
	return r, nil
}
