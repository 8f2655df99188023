package faults

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/lion-go/lion/sys/internal/seam"
)

// errnos is the table: a line for each function and system, with the errors
// that its manual page lists. Those that only a mistake of the caller can
// cause, and those that the wrapper deals with (EINTR), are left out.
//
//go:embed errnos.txt
var errnos string

// A Row is a line of the table.
type Row struct {
	Function string   // as package sys names it; methods as Poller.Arm
	System   string   // linux, darwin or windows
	Source   string   // the manual page
	Errors   []string // by the names that Lookup knows
}

// Table returns the whole table, for all systems.
func Table() ([]Row, error) {
	var rows []Row
	for i, line := range strings.Split(errnos, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) < 3 {
			return nil, fmt.Errorf("errnos.txt:%d: %q has no source", i+1, line)
		}
		for _, system := range strings.Split(words[1], ",") {
			rows = append(rows, Row{words[0], system, words[2], words[3:]})
		}
	}
	return rows, nil
}

// Lookup returns the error of this system that a word of the table stands for.
func Lookup(name string) (error, bool) {
	switch name {
	case "WouldBlock":
		return seam.WouldBlock, true
	case "Unsupported":
		return errors.ErrUnsupported, true
	}
	e, ok := names[name]
	return e, ok
}

// table maps the functions to their errors on this system.
var table = sync.OnceValue(func() map[string][]error {
	rows, err := Table()
	if err != nil {
		panic("faults: " + err.Error())
	}
	found := map[string][]error{}
	for _, row := range rows {
		if row.System != system {
			continue
		}
		for _, name := range row.Errors {
			e, ok := Lookup(name)
			if !ok {
				panic("faults: errnos.txt has an error without a number: " + name)
			}
			found[row.Function] = append(found[row.Function], e)
		}
	}
	return found
})
