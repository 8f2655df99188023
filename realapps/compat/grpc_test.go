package compat

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	health_v1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket/stdnet"
)

// A gRPC server on one of lion's listeners and a client that dials by lion: calls,
// a stream that is told of changes, a deadline, a cancellation, a graceful stop. The
// service is that of health checks, which comes with gRPC.
func TestGoroutinesGRPC(t *testing.T) {
	onLoop(t, func(l *loop.Loop, ln net.Listener, _ *stdnet.Dialer) {
		server, checks := grpc.NewServer(), health.NewServer()
		health_v1.RegisterHealthServer(server, checks)
		served := make(chan error, 1)
		go func() { served <- server.Serve(ln) }()

		conn, err := grpcOver(l, ln.Addr().String(), insecure.NewCredentials())
		must(t, err)
		client := health_v1.NewHealthClient(conn)
		unaryCalls(t, client)
		streamedAnswers(t, client, checks)

		gracefulStop(t, client, server)
		must(t, conn.Close())
		must(t, <-served)
	})
}

func wantCode(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("%s: %v, not %v", what, err, code)
	}
}

func unaryCalls(t *testing.T, client health_v1.HealthClient) {
	t.Helper()
	for range 100 {
		got, err := client.Check(t.Context(), &health_v1.HealthCheckRequest{})
		must(t, err)
		if got.Status != health_v1.HealthCheckResponse_SERVING {
			t.Fatal(got)
		}
	}
	_, err := client.Check(t.Context(), &health_v1.HealthCheckRequest{Service: "unheard of"})
	wantCode(t, "an error of the server", err, codes.NotFound)
}

// streamedAnswers changes the state of a service, which its watchers are told,
// until they cancel or their time is over.
func streamedAnswers(t *testing.T, client health_v1.HealthClient, checks *health.Server) {
	t.Helper()
	const service = "roaring"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client.Watch(ctx, &health_v1.HealthCheckRequest{Service: service})
	must(t, err)
	got, err := watch.Recv()
	must(t, err)
	if got.Status != health_v1.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Error("before the service: ", got)
	}
	for i := range 20 {
		next := health_v1.HealthCheckResponse_SERVING
		if i%2 == 1 {
			next = health_v1.HealthCheckResponse_NOT_SERVING
		}
		checks.SetServingStatus(service, next)
		got, err := watch.Recv()
		must(t, err)
		if got.Status != next {
			t.Fatalf("%v, not %v", got.Status, next)
		}
	}
	cancel()
	_, err = watch.Recv()
	wantCode(t, "a cancelled stream", err, codes.Canceled)

	short, cancelShort := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancelShort()
	watch, err = client.Watch(short, &health_v1.HealthCheckRequest{Service: service})
	for err == nil {
		_, err = watch.Recv() // the state, if it comes in time, and then silence
	}
	wantCode(t, "a stream that is out of time", err, codes.DeadlineExceeded)
}

// gracefulStop stops the server while a stream is open, which it waits for; it
// takes no call from then on.
func gracefulStop(t *testing.T, client health_v1.HealthClient, server *grpc.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := client.Watch(ctx, &health_v1.HealthCheckRequest{})
	must(t, err)
	_, err = watch.Recv()
	must(t, err)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	for err == nil { // calls pass until the server's word has reached the client
		_, err = client.Check(t.Context(), &health_v1.HealthCheckRequest{})
	}
	wantCode(t, "a call after the stop", err, codes.Unavailable)
	select {
	case <-stopped:
		t.Error("the server has stopped over an open stream")
	default:
	}
	cancel()
	<-stopped
}
