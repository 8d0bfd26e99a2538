package modelfile

const magic = "writ-aws-2\n"

func (c *coder) file(f *File) {
	list(c, &f.Sources, c.raw)
	c.raw(&f.Dictionary)
	list(c, &f.Partitions, func(p *Partition) {
		c.string(&p.ID)
		c.string(&p.Pattern)
		list(c, &p.Suffixes, c.string)
		list(c, &p.Regions, c.string)
	})
	list(c, &f.Services, func(h *Head) {
		for _, s := range []*string{&h.ID, &h.Name, &h.SigningName, &h.EndpointPrefix, &h.Version, &h.Target, &h.Prefix, &h.Base, &h.Endpoint} {
			c.string(s)
		}
		list(c, &h.Protocols, func(p *Protocol) { c.byte((*uint8)(p)) })
		list(c, &h.Hosts, c.string)
		list(c, &h.Prefixes, c.string)
		c.int(&h.Size)
	})
	if c.reading {
		offset := 0
		for i := range f.Services {
			f.Services[i].Offset = offset
			offset += f.Services[i].Size
		}
	}
}

func (c *coder) service(s *Service) {
	list(c, &s.Shapes, c.shape)
	list(c, &s.Operations, c.operation)
}

func (c *coder) shape(s *Shape) {
	c.byte((*uint8)(&s.Kind))
	c.flags(&s.Flags)
	switch s.Kind {
	case Structure:
		list(c, &s.Members, c.member)
	case ListOf:
		c.int(&s.Elem)
		c.string(&s.Wire)
	case MapOf:
		c.int(&s.Key)
		c.int(&s.Elem)
		c.string(&s.KeyWire)
		c.string(&s.Wire)
	case Timestamp:
		c.string(&s.Format)
	}
}

// Parts of a member that are there, in its first byte beside the location.
const (
	hasWire = 8 << iota
	hasQuery
	hasFlags
)

func (c *coder) member(m *Member) {
	head := int(m.At)
	if m.Wire != "" {
		head |= hasWire
	}
	if m.Query != "" {
		head |= hasQuery
	}
	if m.Flags != 0 {
		head |= hasFlags
	}
	c.int(&head)
	m.At = Location(head & 7)
	c.string(&m.Name)
	if head&hasWire != 0 {
		c.string(&m.Wire)
	}
	if head&hasQuery != 0 {
		c.string(&m.Query)
	}
	if head&hasFlags != 0 {
		c.flags(&m.Flags)
	}
	c.int(&m.Shape)
}

func (c *coder) operation(o *Operation) {
	for _, s := range []*string{&o.Name, &o.Method, &o.URI, &o.HostPrefix, &o.Language, &o.Account} {
		c.string(s)
	}
	c.int(&o.Input)
	c.int(&o.Output)
	c.int(&o.Fault)
	c.flags(&o.Flags)
	list(c, &o.Actions, c.action)
	list(c, &o.Roles, c.string)
	list(c, &o.Secrets, c.string)
	list(c, &o.Data, c.string)
}

func (c *coder) action(a *Action) {
	c.string(&a.Name)
	c.byte((*uint8)(&a.Level))
	c.string(&a.When)
	c.bool(&a.Unknown)
	list(c, &a.Resources, func(r *Resource) {
		c.string(&r.Type)
		c.string(&r.ARN)
		c.bool(&r.Optional)
		c.bool(&r.Pathless)
		c.bool(&r.Slashes)
		c.bool(&r.Lower)
		c.bool(&r.Free)
		list(c, &r.Binds, func(b *Bind) {
			c.string(&b.Var)
			c.string(&b.Path)
		})
	})
}

func (c *coder) bool(v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	c.byte(&n)
	*v = n != 0
}
