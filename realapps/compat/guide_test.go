package compat

import (
	"context"
	"database/sql"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/socket/stdnet"
)

// What docs/which-stream.md shows of other libraries. TestGoroutinesGRPC and
// TestGoroutinesPostgres run it.

func grpcOver(
	l *loop.Loop, target string, security credentials.TransportCredentials,
) (*grpc.ClientConn, error) {
	dialer := &stdnet.Dialer{Loop: l}
	return grpc.NewClient("passthrough:///"+target, // the name is left to the dialer
		grpc.WithTransportCredentials(security),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}))
}

func databaseOver(l *loop.Loop, url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	dialer := &stdnet.Dialer{Loop: l}
	config.DialFunc = dialer.DialContext
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return []string{host}, nil // the name is left to the dialer
	}
	return stdlib.OpenDB(*config), nil
}

func visits(t *loop.Task, db *sql.DB, page string) (int, error) {
	return worker.Value(t, func(j *worker.Job) (n int, err error) {
		err = db.QueryRowContext(j.Context(),
			"select count(*) from visits where page = $1", page).Scan(&n)
		return n, err
	})
}
