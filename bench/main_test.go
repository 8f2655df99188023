package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/hello/hellotest"
	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/report"
)

func TestMain(m *testing.M) {
	load.Main()
	os.Exit(m.Run())
}

func TestCommandLine(t *testing.T) {
	for _, args := range []string{
		"-quick -long", "-rounds -1", "-rounds 1000000", "-workloads nothing", "-idle -1",
		"-duration -1s", "stray", "-unknown", "-rounds 0", "-idle 0", "-duration 0",
		"-html no-such-directory/r.html", "-json .",
	} {
		var complaint strings.Builder
		if _, err := parse(strings.Fields(args), &complaint); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	s, err := parse([]string{"-quick", "-seed", "7"}, os.Stderr)
	if err != nil || s.Rounds != quickRounds || s.duration != quickTime || s.Seed != 7 {
		t.Errorf("-quick gives %+v (%v)", s, err)
	}
	s, err = parse(nil, os.Stderr)
	if err != nil || s.Rounds != defaultRounds || s.duration != defaultTime || s.Seed == 0 {
		t.Errorf("no flags give %+v (%v)", s, err)
	}
}

func TestHelpExplains(t *testing.T) {
	var text strings.Builder
	if _, err := parse([]string{"-h"}, &text); err == nil {
		t.Fatal("-h should end the program")
	}
	for _, want := range []string{"hello-2000", "-rounds", "-html", "usage:"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the help lacks %q", want)
		}
	}
}

// TestFloorInC runs the C server under load: it must count and answer like the others.
func TestFloorInC(t *testing.T) {
	if err := host.Supported(); err != nil {
		t.Skip(err)
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler (cc)")
	}
	program := filepath.Join(t.TempDir(), "epoll")
	source := program + ".c"
	if err := os.WriteFile(source, floorCode, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-o", program,
		source).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	floor, err := host.Start(host.Spec{Path: program, Args: []string{"0"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer floor.Kill()
	address, err := floor.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hellotest.Pipelined(t, address)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g, err := load.Start(self, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Kill()
	for _, c := range []load.Command{
		{Operation: load.Connect, Target: "c", Address: address, Conns: 100},
		{Operation: load.Run, Target: "c", Duration: 50 * time.Millisecond},
		{Operation: load.Close, Target: "c"},
	} {
		if _, err := g.Do(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQuickRun runs the tool itself on one workload and checks what it leaves behind.
func TestQuickRun(t *testing.T) {
	if err := host.Supported(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	page, data := filepath.Join(dir, "r.html"), filepath.Join(dir, "r.json")
	complaints, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer complaints.Close()
	var out strings.Builder
	code := run([]string{"-workloads", "raw", "-rounds", "1", "-duration", "300ms",
		"-html", page, "-json", data}, &out, complaints)
	if code != exitOK {
		said, _ := os.ReadFile(complaints.Name())
		t.Fatalf("exit code %d\n%s\n%s", code, out.String(), said)
	}
	text, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Workloads) != 1 || len(r.Workloads[0].Slices) < 4 {
		t.Errorf("the JSON has too little: %s", text)
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "<svg") {
		t.Errorf("no page with pictures (%v)", err)
	}
	if !strings.Contains(out.String(), "lion/net") {
		t.Errorf("no ratio in the text:\n%s", out.String())
	}
}
