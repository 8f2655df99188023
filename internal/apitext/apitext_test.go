package apitext_test

import (
	"slices"
	"testing"

	"github.com/lion-go/lion/internal/apitext"
	"github.com/lion-go/lion/internal/source"
)

const text = `package p

import "errors"

const (
	A Kind = iota
	B
	c
)

const Max, hidden = 64 << 10, 2

var (
	ErrX = errors.New("x")
	V    = Option[bool]{}
	W    = &Option[int]{}
	N    int
)

type Kind uint8

type Alias = Kind

type Option[T any] struct {
	Name, Other string
	*Kind
	level int
}

type Doer interface {
	Do(t *Task, fn func(int) (int, error)) error
	error
	private()
}

func Run[K comparable, V any](main func(*Task) error,
	opts ...Option[K],
) (n int, err error) {
	return
}

func run() {}

func (o *Option[T]) Set(v T) error { return nil }

func (o Option[T]) get() {}

func (k kind) Exported() {}
`

const want = `const A Kind
const B Kind
const Max = 64 << 10
func Run[K comparable, V any](main func(*Task) error, opts ...Option[K]) (n int, err error)
type Alias = Kind
type Doer interface
type Doer, embedded error
type Doer, method Do(t *Task, fn func(int) (int, error)) error
type Doer, unexported members
type Kind uint8
type Option, embedded *Kind
type Option, field Name string
type Option, field Other string
type Option, method (*Option[T]) Set(v T) error
type Option, unexported members
type Option[T any] struct
var ErrX
var N int
var V Option[bool]
var W *Option[int]
`

func parse(t *testing.T, path, text string) *source.File {
	t.Helper()
	file, err := source.Parse(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestText(t *testing.T) {
	got := apitext.Text([]*source.File{parse(t, "p/p.go", text)})
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPackages(t *testing.T) {
	var files []*source.File
	for _, path := range []string{
		"p/a.go", "p/a_windows.go", "p/a_test.go", "sys/windows/a_windows.go", "sys/internal/x/a.go", "bench/b.go",
	} {
		files = append(files, parse(t, path, "package p\n"))
	}
	packages, err := apitext.Packages(append(files, parse(t, "q/main.go", "package main\n")), "linux")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, list := range packages {
		for _, file := range list {
			got = append(got, file.Path)
		}
	}
	slices.Sort(got)
	if want := []string{"p/a.go", "sys/windows/a_windows.go"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
