package store

import (
	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo gives etcd a logger that ends in ours. What etcd calls information
// (each start prints pages of it) is debug to us.
func zapTo(log hclog.Logger) *zap.Logger { return zap.New(&zapCore{log: log}) }

type zapCore struct{ log hclog.Logger }

func (c *zapCore) Enabled(level zapcore.Level) bool {
	switch {
	case level >= zapcore.ErrorLevel:
		return c.log.IsError()
	case level >= zapcore.WarnLevel:
		return c.log.IsWarn()
	}
	return c.log.IsDebug()
}

func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{log: c.log.With(pairs(fields)...)}
}

func (c *zapCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c *zapCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	switch {
	case entry.Level >= zapcore.ErrorLevel:
		c.log.Error(entry.Message, pairs(fields)...)
	case entry.Level >= zapcore.WarnLevel:
		c.log.Warn(entry.Message, pairs(fields)...)
	default:
		c.log.Debug(entry.Message, pairs(fields)...)
	}
	return nil
}

func (c *zapCore) Sync() error { return nil }

func pairs(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	args := make([]any, 0, 2*len(fields))
	for _, f := range fields {
		f.AddTo(enc)
		if v, ok := enc.Fields[f.Key]; ok {
			args = append(args, f.Key, v)
		}
	}
	return args
}
