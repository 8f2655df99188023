package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/lion-go/lion/bench/internal/hello"
	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/report"
)

// workPerRequest keeps the server's core saturated: with it a request costs the server more
// than the load generator.
const workPerRequest = "20us"

// runBeside measures how long ordinary goroutines wait beside a saturated server.
func (l *Lab) runBeside(ctx context.Context, w *report.Workload) error {
	list, err := l.rawContenders(ctx, "-beside", "-work", workPerRequest)
	if err != nil {
		return err
	}
	defer w.Summarize([]string{lion, net})
	for number := range l.Rounds {
		l.progress.Doing(fmt.Sprintf("%s, round %d of %d", w.Name, number+1, l.Rounds))
		if err := l.besideRound(ctx, w, list, number); err != nil {
			return err
		}
		l.progress.Done()
	}
	return nil
}

func (l *Lab) besideRound(
	ctx context.Context, w *report.Workload, list []contender, number int,
) error {
	r, err := l.newRound(ctx, list, l.apart())
	if err != nil {
		return err
	}
	defer r.kill()
	if err := r.connect(ctx, loadConns); err != nil {
		return err
	}
	order := slices.Clone(r.servers)
	l.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, s := range order {
		if _, err := delays(ctx, s); err != nil { // Forgets the time before the load.
			return err
		}
		got, err := r.slice(ctx, s, load.Command{Duration: l.Slice})
		if err != nil {
			return err
		}
		waited, err := delays(ctx, s)
		if err != nil {
			return err
		}
		// Nothing recorded means that the goroutine waited for the whole slice.
		if waited.HandOff.Count == 0 || waited.Sleep.Count == 0 {
			return errors.New(s.name + ": a goroutine beside the server got no turn at all")
		}
		w.Slices = append(w.Slices, report.Slice{
			Round: number, Contender: s.name, Values: map[string]float64{
				report.HandOffP50: float64(waited.HandOff.P50),
				report.HandOffP99: float64(waited.HandOff.P99),
				report.SleepP50:   float64(waited.Sleep.P50),
				report.SleepP99:   float64(waited.Sleep.P99),
				report.Rate:       got.values[report.Rate],
				report.Busy:       got.values[report.Busy],
			}})
		l.Log("%s round %d %-5s busy %.2f, hand-off %+v, timer %+v", w.Name, number, s.name,
			got.values[report.Busy], waited.HandOff, waited.Sleep)
	}
	return nil
}

func delays(ctx context.Context, s *server) (d hello.Delays, err error) {
	body, err := s.ask(ctx, "/debug/beside")
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(body, &d)
}
