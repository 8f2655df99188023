package worker

import (
	"sync"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
)

// DefaultLimit is how many jobs of a loop run at once, unless its limiter is
// changed: enough to keep disks and databases busy that answer in
// milliseconds, and few enough that a thread for each of them does no harm.
const DefaultLimit = 64

// A Pool is what the jobs of a loop share. There are no goroutines in it: a job
// gets a new one. Keeping them would save the growth of their stacks, at most
// 2 us for a job that runs deep, beside jobs that block for much longer, and
// would have to be ended with the loop.
type Pool struct {
	limiter *locks.CapacityLimiter
	waker   *loop.Waker
	stats   Statistics
	idle    loop.ParkingLot

	mu    sync.Mutex
	inbox []*Job // that have something to say to the loop
	spare []*Job
}

var pools = loop.NewPerLoop("worker.Pool", newPool)

// Of returns the pool of l. Sync-coloured; it must be called on the loop, and
// so must the methods of the pool.
func Of(l *loop.Loop) *Pool { return pools.In(l) }

func newPool(l *loop.Loop) *Pool {
	p := &Pool{}
	p.limiter, _ = locks.NewCapacityLimiter(DefaultLimit)
	p.waker, _ = loop.NewWaker(l, p.collect)
	return p
}

// Limiter returns the limiter of jobs that name no other.
func (p *Pool) Limiter() *locks.CapacityLimiter { return p.limiter }

// Statistics describes the jobs of a loop at one moment, whatever their
// limiters.
type Statistics struct {
	Waiting   int // jobs that wait for a token
	Running   int // jobs that have begun and not ended, the abandoned ones included
	Abandoned int // those of them for which nobody waits any more

	Started   uint64 // jobs that ever began
	Abandons  uint64 // jobs that were ever abandoned
	Callbacks uint64 // calls of Job.Do that ran in the waiting task
}

// Statistics returns the present numbers.
func (p *Pool) Statistics() Statistics { return p.stats }

// WaitIdle suspends t until no job of the loop runs, abandoned ones included.
// It is a checkpoint.
func (p *Pool) WaitIdle(t *loop.Task) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	for p.stats.Running > 0 {
		if err := p.idle.Park(t, "idle workers"); err != nil {
			return err
		}
	}
	return loop.ShieldedCheckpoint(t)
}

// deliver tells the loop that the job has something to say. It is called on
// any goroutine. One wake-up collects from many.
func (p *Pool) deliver(j *Job) {
	p.mu.Lock()
	p.inbox = append(p.inbox, j)
	first := len(p.inbox) == 1
	p.mu.Unlock()
	if first && p.waker.Wake() != nil { // the loop has ended
		p.mu.Lock()
		p.inbox = nil
		p.mu.Unlock()
		j.refuse(loop.ErrLoopClosed)
	}
}

// collect runs on the loop.
func (p *Pool) collect() {
	p.mu.Lock()
	jobs := p.inbox
	p.inbox, p.spare = p.spare[:0], nil
	p.mu.Unlock()
	for i, j := range jobs {
		jobs[i] = nil
		j.hear()
	}
	p.spare = jobs[:0]
}

// ended notes the end of a job.
func (p *Pool) ended(abandoned bool) {
	p.stats.Running--
	if abandoned {
		p.stats.Abandoned--
	}
	if p.stats.Running == 0 {
		p.idle.UnparkAll()
	}
}
