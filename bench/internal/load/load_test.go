package load

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/hello"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

func TestAnswerInPieces(t *testing.T) {
	var a answers
	for range 2 { // The second time against the size that was learned.
		for n := range len(hello.Answer) {
			if ok, err := a.complete([]byte(hello.Answer[:n])); ok || err != nil {
				t.Fatalf("%d bytes: complete %v, error %v", n, ok, err)
			}
		}
		if ok, err := a.complete([]byte(hello.Answer)); !ok || err != nil {
			t.Fatalf("the whole answer: complete %v, error %v", ok, err)
		}
	}
}

func TestWrongAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"other status":  "HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\n" + hello.Body,
		"other body":    strings.Replace(hello.Answer, "Hello", "hello", 1),
		"no length":     "HTTP/1.1 200 OK\r\n\r\n" + hello.Body,
		"odd length":    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"two answers":   hello.Answer + hello.Answer,
		"endless":       "HTTP/1.1 200 OK\r\n" + strings.Repeat("x", maxAnswer),
		"no HTTP":       "hi",
		"trailing byte": hello.Answer + "!",
	} {
		a := answers{size: len(hello.Answer)}
		if ok, err := a.complete([]byte(answer)); ok || err == nil {
			t.Errorf("%s: complete %v, error %v", name, ok, err)
		}
	}
}

func TestLengthMayBeSpelledAnyWay(t *testing.T) {
	var a answers
	answer := "HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length:13\r\n\r\n" + hello.Body
	if ok, err := a.complete([]byte(answer)); !ok || err != nil {
		t.Errorf("complete %v, error %v", ok, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(hello.Answer))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a answers
		ok, err := a.complete(data)
		if ok && (err != nil || !strings.HasSuffix(string(data), hello.Body)) {
			t.Errorf("%q was taken for an answer (%v)", data, err)
		}
	})
}

func TestScheduleKeepsTheRate(t *testing.T) {
	c := Command{Rate: 2000, Duration: time.Second, Seed: 7}
	s, same, other := newSchedule(c), newSchedule(c), newSchedule(Command{
		Rate: 2000, Duration: time.Second, Seed: 8,
	})
	period := 500 * time.Microsecond
	differ := false
	for n := time.Duration(0); !s.finished(); n++ {
		if s.due < n*period || s.due >= (n+1)*period {
			t.Fatalf("request %d is due at %v", n, s.due)
		}
		if s.due != same.due {
			t.Fatal("the same seed gave another schedule")
		}
		differ = differ || s.due != other.due
		s.advance()
		same.advance()
		other.advance()
	}
	if s.next != 2000 || !differ {
		t.Errorf("%d requests; differs by seed: %v", s.next, differ)
	}
}

func TestCommandsThatMakeNoSense(t *testing.T) {
	for _, c := range []Command{
		{Operation: Run, Duration: time.Second},
		{Operation: Connect, Target: "x"},
		{Operation: Run, Target: "x"},
		{Operation: Run, Target: "x", Duration: time.Second, Rate: -1},
		{Operation: Run, Target: "x", Duration: time.Second, Rate: math.NaN()},
		{Operation: Run, Target: "x", Duration: time.Second, Rate: math.Inf(1)},
		{Operation: Run, Target: "x", Duration: time.Millisecond, Rate: 1},
		{Operation: Run, Target: "unknown", Duration: time.Second},
		{Operation: "dance", Target: "x"},
	} {
		if _, err := obey(map[string]*engine{}, c); err == nil {
			t.Errorf("%+v was obeyed", c)
		}
	}
}
