package aws

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
)

// template reads a template of CloudFormation: the types of its resources, and whether they hand on roles. One by its URL, the one that the stack has
// already, and what macros make of one are not in the call.
func template(path string) reader {
	return func(x *exchange) (reading, error) {
		body := x.params.Get(path)
		if body.Kind == awsmodel.NoValue {
			return elsewhere(x)
		}
		if x.params.Get("TemplateURL").Kind != awsmodel.NoValue || x.params.Get("UsePreviousTemplate").Text == "true" {
			return reading{}, x.unreadText("it has two templates", "give one")
		}
		x.told = append(x.told, body.Text)
		root, err := readTree(body.Text)
		if err != nil {
			return reading{}, x.unreadText("the template is not understood: "+err.Error(), "")
		}
		r := reading{changes: true}
		if why := r.template(root); why != "" {
			return reading{}, x.unreadText("the template is not understood: "+why, "")
		}
		return r, nil
	}
}

// elsewhere is a call whose template is not in it.
func elsewhere(*exchange) (reading, error) {
	r := reading{changes: true, permissions: true, anyRole: true}
	r.Unread = true
	return r, nil
}

// sections are what a template may have.
var sections = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform", "Resources", "Outputs", "Hooks", "Globals"}

func (r *reading) template(root *tree) (why string) {
	if root.kind != mapping {
		return "it is no mapping"
	}
	for i, key := range root.keys {
		if !slices.Contains(sections, key) || root.items[i].tag != "" {
			return "it has a section that is not known"
		}
	}
	resources := root.get("Resources")
	if resources == nil || resources.kind != mapping {
		return "it has no resources"
	}
	r.macros(root)
	for _, res := range resources.items {
		kind := res.get("Type")
		switch {
		case kind == nil && r.Unread: // a macro's own
			continue
		case kind == nil || kind.kind != scalar || kind.tag != "" || kind.text == "":
			return "a resource has no type"
		}
		r.resource(kind.text)
		if properties := res.get("Properties"); properties != nil {
			r.handsOn(properties)
		}
	}
	slices.Sort(r.ResourceTypes)
	r.ResourceTypes = slices.Compact(r.ResourceTypes)
	return ""
}

// macros finds what rewrites the template after it was sent.
func (r *reading) macros(root *tree) {
	found := root.get("Transform") != nil
	root.walk(func(key string, v *tree) {
		found = found || key == "Fn::Transform" || strings.HasPrefix(key, "Fn::ForEach") || v.tag == "!Transform" || v.tag == "!ForEach"
	})
	if found {
		r.Unread, r.permissions, r.anyRole = true, true, true
	}
}

// resource notes one type. Identities and their policies are permissions, and so is whatever has a program or a template of its own behind it.
func (r *reading) resource(kind string) {
	r.ResourceTypes = append(r.ResourceTypes, kind)
	parts := strings.Split(kind, "::")
	own := len(parts) == 3 && parts[0] == "AWS"
	switch {
	case !own, kind == "AWS::CloudFormation::Stack", kind == "AWS::CloudFormation::StackSet", kind == "AWS::CloudFormation::CustomResource",
		kind == "AWS::CloudFormation::Macro", kind == "AWS::ServiceCatalog::CloudFormationProvisionedProduct", kind == "AWS::Serverless::Application":
		r.Unread, r.permissions = true, true
	case parts[1] == "IAM", parts[1] == "SSO", parts[1] == "Organizations", parts[1] == "RolesAnywhere", parts[1] == "AccessAnalyzer", strings.HasSuffix(kind, "Policy"), strings.HasSuffix(kind, "Permission"):
		r.permissions = true
	}
}

// handsOn finds roles among properties, by their names, and policies by their statements. A role that is no plain ARN cannot be told, nor what
// CloudFormation puts in the place of a dynamic reference: secrets and parameters.
func (r *reading) handsOn(properties *tree) {
	properties.walk(func(key string, v *tree) {
		if v.kind == scalar && strings.Contains(v.text, "{{resolve:") {
			r.Unread, r.permissions = true, true
		}
		r.permissions = r.permissions || v.get("Statement") != nil || v.kind == scalar && strings.Contains(v.text, `"Statement"`)
		name := strings.ToLower(key)
		if !strings.Contains(name, "role") && !strings.Contains(name, "instanceprofile") || v.kind == sequence {
			return
		}
		if v.kind == scalar && v.tag == "" && isRole(v.text) {
			r.roles = append(r.roles, v.text)
			return
		}
		r.anyRole = true
	})
}

func isRole(arn string) bool {
	parts := strings.SplitN(arn, ":", 6)
	return len(parts) == 6 && parts[0] == "arn" && parts[2] == "iam" && strings.HasPrefix(parts[5], "role/") && !strings.ContainsAny(arn, "${}*?")
}

// control reads a call of Cloud Control, which makes, changes or deletes a resource of one type.
func control(state string) reader {
	return func(x *exchange) (reading, error) {
		r := reading{changes: true}
		r.resource(x.params.Get("TypeName").Text)
		text := x.params.Get(state)
		if text.Kind == awsmodel.NoValue {
			return r, nil
		}
		root, err := readTree(text.Text)
		if err != nil {
			return reading{}, x.unreadText(state+" is not understood: "+err.Error(), "")
		}
		r.handsOn(root)
		root.walk(func(key string, v *tree) { // a patch names what it changes in values
			if lower := strings.ToLower(v.text); key == "path" && (strings.Contains(lower, "role") || strings.Contains(lower, "instanceprofile")) {
				r.anyRole = true
			}
		})
		return r, nil
	}
}
