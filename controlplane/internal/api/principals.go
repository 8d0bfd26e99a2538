package api

import "github.com/writhq/writ/proto/access/v1/accessv1connect"

type principalService struct {
	accessv1connect.UnimplementedPrincipalServiceHandler
	cfg Config
}
