package lion_test

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/internal/source"
)

// The tables in docs/scenarios say for every scenario of a section which test
// settles it, or why none does:
//
//	| number | what | test, or the reason why there is none |
//
// A line "Scenarios S001 to S025." above a table says which numbers it has to
// hold.
const scenarioTables = "docs/scenarios/*.md"

var (
	scenarioRow    = regexp.MustCompile(`^\|\s*(S\d{3}[^|]*)\|([^|]*)\|(.*)\|\s*$`)
	scenarioNumber = regexp.MustCompile(`S\d{3}`)
	scenarioRange  = regexp.MustCompile(`Scenarios (S\d{3}) to (S\d{3})\.`)
	namedTest      = regexp.MustCompile(`([\w/]+)\.((?:Test|Fuzz|Benchmark|Example)\w+)`)
)

func TestScenarios(t *testing.T) {
	tables, err := filepath.Glob(filepath.FromSlash(scenarioTables))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	files, err := source.Load(".")
	if err != nil {
		t.Error(err)
	}
	functions := testFunctions(files)
	seen := map[string]string{}
	for _, name := range tables {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range checkScenarios(name, string(text), functions, seen) {
			t.Error(complaint)
		}
	}
}

// testFunctions returns the directories of each function of a test.
func testFunctions(files []*source.File) map[string][]string {
	functions := map[string][]string{}
	for _, file := range files {
		if !file.Test() {
			continue
		}
		for _, decl := range file.AST.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				functions[f.Name.Name] = append(functions[f.Name.Name], file.Dir())
			}
		}
	}
	return functions
}

// checkScenarios returns what is wrong with a table; seen holds the numbers of
// all tables and where they are.
func checkScenarios(
	name, text string, functions map[string][]string, seen map[string]string,
) (complaints []string) {
	complain := func(format string, args ...any) {
		complaints = append(complaints, name+": "+fmt.Sprintf(format, args...))
	}
	for line := range strings.Lines(text) {
		row := scenarioRow.FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		for _, number := range scenarioNumber.FindAllString(row[1], -1) {
			if seen[number] != "" {
				complain("%s has a row in %s already", number, seen[number])
			}
			seen[number] = name
		}
		number := strings.TrimSpace(row[1])
		if strings.TrimSpace(row[2]) == "" || strings.TrimSpace(row[3]) == "" {
			complain("%s lacks a description, or a test or reason", number)
		}
		for _, test := range namedTest.FindAllStringSubmatch(row[3], -1) {
			if !slices.ContainsFunc(functions[test[2]], func(dir string) bool {
				return dir == test[1] || strings.HasSuffix(dir, "/"+test[1])
			}) {
				complain("%s: there is no %s", number, test[0])
			}
		}
	}
	for _, bounds := range scenarioRange.FindAllStringSubmatch(text, -1) {
		for number := bounds[1]; number <= bounds[2]; number = nextScenario(number) {
			if seen[number] != name {
				complain("%s is missing", number)
			}
		}
	}
	return complaints
}

func nextScenario(number string) string {
	var n int
	fmt.Sscanf(number, "S%d", &n)
	return fmt.Sprintf("S%03d", n+1)
}

// The check notices what it is there for.
func TestScenariosCheck(t *testing.T) {
	functions := map[string][]string{"TestA": {"loop/locks"}}
	cases := map[string]int{
		"Scenarios S001 to S002.\n| S001 | a | `loop/locks.TestA` |\n| S002 | b | not yet |\n": 0,
		"| S001 | a | `locks.TestA` |\n":          0,
		"| S001 | a | `loop.TestA` |\n":           1, // another package
		"| S001 | a | `locks.TestB` |\n":          1, // no such test
		"| S001 | a | |\n":                        1, // no reason
		"| S001 | a | x |\n| S001 | b | y |\n":    1, // twice
		"Scenarios S001 to S002.\n|S002|a| x |\n": 1, // one is missing
	}
	for text, want := range cases {
		if got := checkScenarios("table", text, functions, map[string]string{}); len(got) != want {
			t.Errorf("%q: complaints %q", text, got)
		}
	}
}
