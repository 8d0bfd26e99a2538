package kubeapi

// readDelete reads the options of a delete. The API server heeds those in the query only when there is no body, so that
// both together would say one thing and do another.
func (b *Body) readDelete(r Request, doc any) error {
	o, ok := doc.(map[string]any)
	if !ok {
		return badBody("no object")
	}
	for name := range forDelete {
		if r.Query.Has(name) && !(r.Verb == "deletecollection" && name == "resourceVersion") {
			return refuse(ErrQuery, "query parameter "+name, "the body has the options", "give them in the body only")
		}
	}
	if err := exactKeys(o, "kind", "apiVersion", "metadata", "dryRun", "gracePeriodSeconds", "preconditions",
		"orphanDependents", "propagationPolicy", "ignoreStoreReadErrorWithClusterBreakingPotential"); err != nil {
		return err
	}
	var err error
	if b.Kind, err = textOf(o, "kind"); err != nil {
		return err
	}
	if b.APIVersion, err = textOf(o, "apiVersion"); err != nil {
		return err
	}
	b.DryRun, err = dryRunOf(o["dryRun"])
	b.Facts = Facts{Known: true}
	return err
}

func dryRunOf(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case []any:
		for _, s := range v {
			if s != "All" {
				return false, refuse(ErrBody, "body dryRun", "unknown value", "All is the only one")
			}
		}
		return len(v) > 0, nil
	}
	return false, refuse(ErrBody, "body dryRun", "no list", `write ["All"]`)
}
