package api

import "github.com/writhq/writ/proto/access/v1/accessv1connect"

type notificationService struct {
	accessv1connect.UnimplementedNotificationServiceHandler
	cfg Config
}
