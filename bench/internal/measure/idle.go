package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/report"
)

const (
	// idleRounds is how often memory is measured at most: it hardly varies between processes.
	idleRounds = 6
	// spareFiles is how many descriptors a process needs besides its connections.
	spareFiles = 200
	// settleTime is what a server gets to notice that connections were closed. Asking it would
	// need a statistic that not every server has.
	settleTime = 30 * time.Millisecond
)

// idleConns is how many idle connections the limits of this machine allow.
func (l *Lab) idleConns(w *report.Workload) (int, error) {
	limit, err := host.FileLimit()
	if err != nil {
		return 0, err
	}
	if l.Idle+spareFiles > limit {
		w.Notes = append(w.Notes, fmt.Sprintf(
			"%d connections instead of %d: the limit of open files is %d (ulimit -Hn)",
			limit-spareFiles, l.Idle, limit))
	}
	conns := min(l.Idle, limit-spareFiles)
	if conns < 1 {
		return 0, fmt.Errorf("no idle connection is possible with %d open files", limit)
	}
	return conns, nil
}

// runIdle measures the memory of idle keep-alive connections.
func (l *Lab) runIdle(ctx context.Context, w *report.Workload) error {
	conns, err := l.idleConns(w)
	if err != nil {
		return err
	}
	w.Setup = fmt.Sprintf(w.Setup, conns)
	list, names, err := l.idleContenders(ctx)
	if err != nil {
		return err
	}
	defer w.Summarize(names)
	rounds := min(l.Rounds, idleRounds)
	for number := range rounds {
		l.progress.Doing(fmt.Sprintf("%s, round %d of %d", w.Name, number+1, rounds))
		for _, i := range l.random.Perm(len(list)) {
			memory, err := l.idleMemory(ctx, list[i], conns)
			if err != nil {
				return err
			}
			w.Slices = append(w.Slices, report.Slice{
				Round: number, Contender: list[i].name,
				Values: map[string]float64{report.Memory: memory},
			})
			l.Log("%s round %d %-10s %.0f bytes per connection", w.Name, number,
				list[i].name, memory)
		}
		l.progress.Done()
	}
	return nil
}

func (l *Lab) idleContenders(ctx context.Context) (list []contender, names []string, err error) {
	httpd, err := l.httpdContenders(ctx, "-debug-free")
	if err != nil {
		return nil, nil, err
	}
	raw, err := l.rawContenders(ctx, "-debug-free")
	if err != nil {
		return nil, nil, err
	}
	for i := range httpd {
		httpd[i].name = "httpd " + httpd[i].name
		raw[i].name = "raw " + raw[i].name
	}
	list = append(httpd, raw...)
	for _, c := range list {
		names = append(names, c.name)
	}
	return list, names, nil
}

// idleMemory returns by how many bytes each idle connection makes a server grow.
func (l *Lab) idleMemory(ctx context.Context, c contender, conns int) (float64, error) {
	r, err := l.newRound(ctx, []contender{c}, l.shared())
	if err != nil {
		return 0, err
	}
	defer r.kill()
	s := r.servers[0]
	// The server has its pools and threads before the first reading.
	if err := r.connect(ctx, loadConns); err != nil {
		return 0, err
	}
	if _, err := r.slice(ctx, s, load.Command{Duration: settleTime}); err != nil {
		return 0, err
	}
	_, err = r.generator.Do(ctx, load.Command{Operation: load.Close, Target: s.name})
	if err != nil {
		return 0, err
	}
	before, err := s.resident(ctx)
	if err != nil {
		return 0, err
	}
	if err := r.connect(ctx, conns); err != nil {
		return 0, err
	}
	after, err := s.resident(ctx)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(conns), nil
}

// resident returns a server's resident memory after a collection.
func (s *server) resident(ctx context.Context) (int64, error) {
	time.Sleep(settleTime)
	// The second collection frees what finalizers and pools still held in the first.
	for range 2 {
		if _, err := s.ask(ctx, "/debug/free"); err != nil {
			return 0, err
		}
	}
	return host.Resident(s.child.PID())
}
