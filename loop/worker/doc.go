// Package worker runs blocking code on ordinary goroutines while the task that
// asked for it is suspended: file access, database drivers, name services,
// long computations.
//
//	data, err := worker.Value(t, func(*worker.Job) ([]byte, error) {
//		return os.ReadFile(name)
//	})
//
// # How many
//
// Each job holds a token of a limiter while it runs, since a goroutine that is
// blocked in the system holds a thread. By default that is the limiter of the
// loop, with DefaultLimit tokens; its waiters are served in the order in which
// they came. Work that may clog, such as name lookups, belongs on a limiter of
// its own: WithLimiter.
//
// # Cancellation
//
// Nothing can stop a goroutine. So a cancelled Run waits for its job, and if
// that succeeds so does Run. The job may look at Job.CheckCancelled, or hand
// Job.Context to a library. A job that may be left alone, because nobody minds
// what it still does, takes AbandonOnCancel: then Run returns at once, and the
// job keeps its token until it really ends.
//
// # Back into the loop
//
// Job.Do runs a function on the loop, as the task that waits for the job: it
// sees the same scopes, and a cancellation. Whatever belongs to tasks must be
// touched only there. What the closure of a job shares with its task needs no
// lock, since the task waits; that is not so with AbandonOnCancel.
//
// # Trying it out
//
// A task that waits for a job counts as blocked: looptest's autojump clock
// does not wait for jobs.
package worker
