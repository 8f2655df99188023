package linux

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A file whose middle is not in the page cache is found out, whoever owns it;
// and so is one that has come back.
func TestCachedHole(t *testing.T) {
	const size, hole, holeSize = 1 << 20, 512 << 10, 128 << 10
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range size / 4096 { // else the cache has it in one piece, and drops none of it
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	fd := int(f.Fd())
	look := func(what string, want bool) {
		t.Helper()
		if got, err := Cached(FD(fd), 0, size); got != want || err != nil {
			t.Errorf("%s: Cached answers %v, %v", what, got, err)
		}
		if got, err := probeAll(FD(fd), 0, size-1); got != want || err != nil {
			t.Errorf("%s: probes answer %v, %v", what, got, err)
		}
	}
	if _, err := probe(FD(fd), 0); err != nil {
		t.Skipf("the file system does not tell: %v", err)
	}
	look("all of it", true)
	if err := unix.Fadvise(fd, hole, holeSize, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	var b [4096]byte
	if _, err := ReadCached(FD(fd), b[:], hole+holeSize/2); err == nil {
		t.Skip("the file system keeps what it is told to drop")
	} else if err != WouldBlock {
		t.Errorf("ReadCached in the hole: %v", err)
	}
	look("with a hole", false)
	if _, err := f.ReadAt(make([]byte, size), 0); err != nil {
		t.Fatal(err)
	}
	look("read again", true)
	if n, err := ReadCached(FD(fd), b[:], size-100); n != 100 || err != nil {
		t.Errorf("ReadCached at the end: %d bytes, %v", n, err)
	}
	if n, err := ReadCached(FD(fd), b[:], size); n != 0 || err != nil {
		t.Errorf("ReadCached behind the end: %d bytes, %v", n, err)
	}
}

// What has no offsets says so, and loses no byte.
func TestCachedPipe(t *testing.T) {
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer Close(r)
	defer Close(w)
	if _, err := Write(w, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	var b [3]byte
	if _, err := Cached(r, 0, 3); err != unix.ESPIPE {
		t.Errorf("Cached: %v", err)
	}
	if _, err := ReadCached(r, b[:], 0); err != unix.ESPIPE {
		t.Errorf("ReadCached: %v", err)
	}
	if n, err := Read(r, b[:]); n != 3 || err != nil {
		t.Errorf("%d bytes are left, %v", n, err)
	}
}
