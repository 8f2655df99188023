package eyeballs

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

var update = flag.Bool("update", false, "draw the pictures of docs/eyeballs.md anew")

// pictures are the scenarios that the documentation shows, and the files.
var pictures = map[string]string{
	"E11.3": "dead", "E09.1": "refused", "E39": "families", "E46": "resolution",
	"E69": "late", "E89": "handshake",
}

// The pictures of the documentation are races that really ran.
func TestPictures(t *testing.T) {
	drawn := 0
	for _, s := range loadScenarios(t) {
		name, ok := pictures[s.number]
		if !ok {
			continue
		}
		drawn++
		var tr Trace
		looptest.Run(t, func(task *loop.Task) error {
			if won, _ := s.play(task, &world{scenario: s}, &tr); won != nil {
				return won.Close()
			}
			return nil
		}, loop.WithClock(looptest.NewAutojumpClock()))
		var svg bytes.Buffer
		if err := tr.SVG(&svg); err != nil {
			t.Fatal(err)
		}
		path := "../docs/eyeballs/" + name + ".svg"
		if *update {
			if err := os.WriteFile(path, svg.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		kept, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(kept, svg.Bytes()) {
			t.Errorf("%s is not the race of %s (%v): go test ./eyeballs -run TestPictures -update",
				path, s.number, err)
		}
	}
	if drawn != len(pictures) {
		t.Errorf("%d scenarios are drawn, want %d", drawn, len(pictures))
	}
}

// What a resolver or a user says can not break out of the drawing.
func TestSVGEscapes(t *testing.T) {
	tr := Trace{Address: `<script>"&`, Winner: -1,
		Lookups: []Lookup{{Type: "A", Err: &dnsError{text: "<b>&"}}}}
	var svg bytes.Buffer
	if err := tr.SVG(&svg); err != nil {
		t.Fatal(err)
	}
	if text := svg.String(); strings.Contains(text, "<script>") || strings.Contains(text, "<b>") {
		t.Errorf("it is not escaped: %s", text)
	}
}

// A race that took no time can be drawn, and so can one of two minutes.
func TestTickStep(t *testing.T) {
	for all, want := range map[string]string{
		"0s": "1µs", "7µs": "2µs", "270ms": "50ms", "770ms": "200ms", "5s": "1s", "133.65s": "50s",
	} {
		if got := tickStep(duration(t, all)); got != duration(t, want) {
			t.Errorf("%s: a line every %v, want %s", all, got, want)
		}
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
