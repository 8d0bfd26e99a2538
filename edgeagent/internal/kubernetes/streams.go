package kubernetes

func (x *exchange) exec() {}

func (x *exchange) portForward() {}
