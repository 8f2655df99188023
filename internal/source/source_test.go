package source_test

import (
	"testing"

	"github.com/lion-go/lion/internal/source"
)

func TestMatch(t *testing.T) {
	const plain = "package p\n"
	tests := []struct {
		path, text string
		want       string // the systems that take it
	}{
		{"p/a.go", plain, "linux darwin windows "},
		{"p/a_linux.go", plain, "linux "},
		{"p/a_windows_test.go", plain, "windows "},
		{"p/a_windows_arm64.go", plain, ""},
		{"p/b.go", "//go:build unix\n\n" + plain, "linux darwin "},
		{"p/b.go", "//go:build !windows && !kqemu\n\n" + plain, "linux darwin "},
		{"p/b.go", "//go:build ignore\n\n" + plain, ""},
	}
	for _, test := range tests {
		file, err := source.Parse(test.path, []byte(test.text))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, target := range source.Systems() {
			ok, err := file.Match(target)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				got += target.OS + " "
			}
		}
		if got != test.want {
			t.Errorf("%s %q: taken by %q, want %q", test.path, test.text, got, test.want)
		}
	}
}

func TestLoad(t *testing.T) {
	files, err := source.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 || files[0].Path != "source.go" || files[1].Path != "source_test.go" {
		t.Fatalf("Load found %d files: %v", len(files), files)
	}
	if !files[1].Test() || files[0].Test() || files[0].Main() {
		t.Error("the kinds of the files are wrong")
	}
	if files[0].Imports()["fs"] != "io/fs" {
		t.Errorf("imports: %v", files[0].Imports())
	}
}

func TestModule(t *testing.T) {
	for path, want := range map[string]string{
		"doc.go": ".", "loop/task.go": ".", "bench/main.go": "bench", "realapps/httpd/a.go": "realapps",
	} {
		file, err := source.Parse(path, []byte("package p\n"))
		if err != nil {
			t.Fatal(err)
		}
		if file.Module() != want {
			t.Errorf("%s: module %q, want %q", path, file.Module(), want)
		}
	}
}
