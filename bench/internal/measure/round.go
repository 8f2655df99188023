package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/report"
)

// contender is a server to start.
type contender struct {
	name string
	path string
	args []string
	env  []string
}

// server is a contender that runs.
type server struct {
	contender
	child   *host.Child
	address string
}

// round is one set of fresh processes.
type round struct {
	lab       *Lab
	generator *load.Generator
	servers   []*server
}

// placement says where the processes of a round may run.
type placement struct {
	server, loader []int
	procs          int // GOMAXPROCS of the servers.
}

func (l *Lab) apart() placement { return placement{l.server, l.loader, 1} }

func (l *Lab) shared() placement { return placement{procs: 2} }

// newRound starts the servers in random order and the load generator. On an error nothing is
// left running.
func (l *Lab) newRound(ctx context.Context, list []contender, p placement) (_ *round, err error) {
	r := &round{lab: l}
	defer func() {
		if err != nil {
			r.kill()
		}
	}()
	r.generator, err = load.Start(l.self, p.loader, "GOMAXPROCS=1")
	if err != nil {
		return nil, err
	}
	r.servers = make([]*server, len(list))
	for _, i := range l.random.Perm(len(list)) {
		r.servers[i], err = startServer(ctx, list[i], p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].name, err)
		}
	}
	return r, nil
}

func startServer(ctx context.Context, c contender, p placement) (*server, error) {
	child, err := host.Start(host.Spec{
		Path: c.path,
		Args: c.args,
		Env:  append([]string{fmt.Sprintf("GOMAXPROCS=%d", p.procs)}, c.env...),
		CPUs: p.server,
	}, nil)
	if err != nil {
		return nil, err
	}
	address, err := child.Address(ctx)
	if err != nil {
		child.Kill()
		return nil, err
	}
	return &server{contender: c, child: child, address: address}, nil
}

// kill ends all processes of the round, the servers first: closing thousands of connections
// from the client's side would leave as many ports in TIME-WAIT.
func (r *round) kill() {
	for _, s := range r.servers {
		if s != nil {
			s.child.Kill()
		}
	}
	if r.generator != nil {
		r.generator.Kill()
	}
}

// connect opens connections to every server.
func (r *round) connect(ctx context.Context, conns int) error {
	for _, s := range r.servers {
		_, err := r.generator.Do(ctx, load.Command{
			Operation: load.Connect, Target: s.name, Address: s.address, Conns: conns,
		})
		if err != nil {
			return r.explain(s, err)
		}
	}
	return nil
}

// explain adds what the server said to an error of the generator.
func (r *round) explain(s *server, err error) error {
	select {
	case <-s.child.Exited():
		return fmt.Errorf("%w; the server has ended: %s", err, s.child.Said())
	default:
		return err
	}
}

// loaded is what one run of the load gave.
type loaded struct {
	values  map[string]float64
	latency *hdrhistogram.Histogram
	wall    time.Duration
}

// slice loads one server and reads what that cost.
func (r *round) slice(ctx context.Context, s *server, c load.Command) (*loaded, error) {
	c.Operation, c.Target = load.Run, s.name
	before, err := r.clocks(s)
	if err != nil {
		return nil, err
	}
	outcome, err := r.generator.Do(ctx, c)
	if err != nil {
		return nil, r.explain(s, err)
	}
	after, err := r.clocks(s)
	if err != nil {
		return nil, err
	}
	latency, err := outcome.Histogram()
	if err != nil {
		return nil, err
	}
	serverCPU, loaderCPU := after.server-before.server, after.loader-before.loader
	r.lab.noise.add(after.machine.Sub(before.machine), serverCPU+loaderCPU)
	requests := float64(outcome.Requests)
	return &loaded{
		latency: latency,
		wall:    outcome.Elapsed,
		values: map[string]float64{
			report.CPU:       float64(serverCPU) / requests,
			report.LoaderCPU: float64(loaderCPU) / requests,
			report.Rate:      requests / outcome.Elapsed.Seconds(),
			report.P50:       float64(latency.ValueAtQuantile(50)),
			report.P99:       float64(latency.ValueAtQuantile(99)),
			report.P999:      float64(latency.ValueAtQuantile(99.9)),
			report.Busy:      serverCPU.Seconds() / outcome.Elapsed.Seconds(),
			report.Steal:     float64(after.machine.Sub(before.machine).Steal),
			report.Preempted: float64(after.preempted - before.preempted),
		},
	}, nil
}

// clocks are readings of the CPU clocks around a slice.
type clocks struct {
	server, loader time.Duration
	machine        host.Times
	preempted      int64
}

func (r *round) clocks(s *server) (c clocks, err error) {
	var errs [4]error
	c.machine, errs[0] = host.MachineTimes()
	c.server, errs[1] = host.CPUTime(s.child.PID())
	c.loader, errs[2] = host.CPUTime(r.generator.PID())
	c.preempted, errs[3] = host.Preemptions(s.child.PID())
	return c, errors.Join(errs[:]...)
}

// answerLimit bounds an answer to ask, in bytes, and how long it may take: a collection with
// 10,000 goroutines takes some 50 ms.
const (
	answerLimit = 64 << 10
	askLimit    = 20 * time.Second
)

// ask sends a GET request on a connection of its own and returns the body of the answer.
func (s *server) ask(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.address+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s to %s", s.name, response.Status, path)
	}
	return body, err
}
