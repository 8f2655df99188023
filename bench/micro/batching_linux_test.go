package micro

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// What accepting, and receiving datagrams, in batches gives: docs/batching.md
// has the questions, the commands and the answers.

const (
	bolus       = 50 * time.Microsecond // of work for a connection
	smallQueue  = 64                    // a backlog that a burst overflows
	unlimited   = 1 << 20
	pingRequest = "P"
	pingPause   = time.Millisecond
)

// throng is a client: so many visitors at a time, until count connections have
// been answered, and beside them somebody who has long been connected and asks
// for a byte every millisecond. It prints in nanoseconds: the middle, the 99th
// percentile and the longest time of a visit, and the 99th percentile of the
// one beside.
func throng(work []string) error {
	count, _ := strconv.Atoi(work[1])
	visitors, _ := strconv.Atoi(work[2])
	stop, beside := make(chan struct{}), make(chan []time.Duration, 1)
	c, err := net.Dial("tcp", work[0])
	if err != nil {
		return err
	}
	defer c.Close()
	go func() { beside <- pings(c, stop) }()
	times := make([][]time.Duration, visitors)
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() {
			for range max(count/visitors, 1) {
				begun := time.Now()
				if err := visitOnce(work[0]); err != nil && err != io.EOF {
					fmt.Fprintln(os.Stderr, err)
				}
				times[i] = append(times[i], time.Since(begun))
			}
		})
	}
	all.Wait()
	close(stop)
	visits, waited := slices.Concat(times...), <-beside
	slices.Sort(visits)
	slices.Sort(waited)
	fmt.Println(visits[len(visits)/2].Nanoseconds(), visits[len(visits)*99/100].Nanoseconds(),
		visits[len(visits)-1].Nanoseconds(), waited[len(waited)*99/100].Nanoseconds())
	return nil
}

func pings(c net.Conn, stop <-chan struct{}) (times []time.Duration) {
	room := make([]byte, 1)
	for {
		begun := time.Now()
		if _, err := io.WriteString(c, pingRequest); err != nil {
			return append(times, 0)
		}
		if _, err := io.ReadFull(c, room); err != nil {
			return append(times, 0)
		}
		times = append(times, time.Since(begun))
		select {
		case <-stop:
			return times
		case <-time.After(pingPause):
		}
	}
}

// BenchmarkAcceptBolus: each connection is some work, 64 visitors.
func BenchmarkAcceptBolus(b *testing.B) {
	for _, n := range []int{1, 4, 16, 64, unlimited} {
		b.Run(limitName(n), func(b *testing.B) { accepting(b, n, 64, bolus, 0) })
	}
}

// BenchmarkAcceptBare: each connection is next to no work, 64 visitors.
func BenchmarkAcceptBare(b *testing.B) {
	for _, n := range []int{1, 4, 16, 64, unlimited} {
		b.Run(limitName(n), func(b *testing.B) { accepting(b, n, 64, 0, 0) })
	}
}

// BenchmarkAcceptBurst: a thousand visitors at once, with the backlog that is
// the default, and with a small one.
func BenchmarkAcceptBurst(b *testing.B) {
	for _, n := range []int{1, 16, unlimited} {
		b.Run(limitName(n), func(b *testing.B) { accepting(b, n, 1000, bolus, 0) })
		b.Run(limitName(n)+"-small", func(b *testing.B) { accepting(b, n, 1000, bolus, smallQueue) })
	}
}

func limitName(n int) string {
	if n == unlimited {
		return "all"
	}
	return strconv.Itoa(n)
}

func accepting(b *testing.B, batch, visitors int, work time.Duration, backlog int) {
	var setup []socket.SetupOption
	if backlog > 0 {
		setup = append(setup, socket.WithBacklog(backlog))
	}
	at, l, stop := serveOnLoop(b, setup, func(t *loop.Task, c stream.Stream) error {
		return answerVisit(t, c, work)
	}, socket.WithAcceptBatch(batch))
	count := max(b.N/visitors, 1) * visitors
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=throng %s %d %d", clientVariable, at, count, visitors))
	cmd.Stderr = os.Stderr
	b.ResetTimer()
	before := processorTime(b)
	out, err := cmd.Output()
	used := processorTime(b) - before
	b.StopTimer()
	waits := l.Statistics().Poller.Waits
	stop()
	reportVisits(b, string(out), err, count)
	b.ReportMetric(float64(used.Nanoseconds())/float64(count)-float64(work.Nanoseconds()), "cpu-ns/conn")
	b.ReportMetric(float64(waits)/float64(count), "polls/conn")
}

func reportVisits(b *testing.B, out string, err error, count int) {
	var middle, late, longest, beside float64
	if _, scan := fmt.Sscan(out, &middle, &late, &longest, &beside); err != nil || scan != nil {
		b.Fatal(err, scan)
	}
	b.ReportMetric(float64(count)/b.Elapsed().Seconds(), "conns/s")
	b.ReportMetric(middle/1e3, "p50-us")
	b.ReportMetric(late/1e3, "p99-us")
	b.ReportMetric(longest/1e3, "max-us")
	b.ReportMetric(beside/1e3, "beside-p99-us")
}

// answerVisit answers a request, or every ping until there are no more.
func answerVisit(t *loop.Task, c stream.Stream, work time.Duration) error {
	buf := t.Buffer()
	for {
		n, err := c.Receive(t, buf)
		if err != nil || n == 0 {
			return err
		}
		ping := buf[0] == pingRequest[0]
		if !ping {
			for begun := time.Now(); time.Since(begun) < work; {
			}
		}
		if err := c.SendAll(t, buf[:n]); err != nil || !ping {
			return err
		}
	}
}

// BenchmarkRecvBatch: UDP echo with batches of so many, 64 packets under way.
func BenchmarkRecvBatch(b *testing.B) {
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { receiving(b, n, window) })
	}
}

// BenchmarkRecvBatchAlone: the same with one packet under way, which is latency.
func BenchmarkRecvBatchAlone(b *testing.B) {
	for _, n := range []int{1, 8, 32} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { receiving(b, n, 1) })
	}
}

func receiving(b *testing.B, batch, underWay int) {
	echo := func(t *loop.Task, s *socket.Socket) error { return echoBatch(t, s, s.SendBatch, batch) }
	contestWith(b, b.N, "cpu-ns/packet", overLion(echo), func(at string) string {
		return fmt.Sprintf("%s %d %d 1 %d", at, b.N, small, underWay)
	})
}
