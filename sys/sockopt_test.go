package sys_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/lion-go/lion/sys"
)

func TestIntOptions(t *testing.T) {
	noLeaks(t)
	fd := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	for _, o := range []struct {
		what        string
		level, name int
		set         int
		min         int // what get must answer at least
	}{
		{"SO_REUSEADDR", sys.SOL_SOCKET, sys.SO_REUSEADDR, 1, 1},
		{"SO_KEEPALIVE", sys.SOL_SOCKET, sys.SO_KEEPALIVE, 1, 1},
		{"SO_OOBINLINE", sys.SOL_SOCKET, sys.SO_OOBINLINE, 1, 1},
		{"SO_RCVBUF", sys.SOL_SOCKET, sys.SO_RCVBUF, 16 << 10, 16 << 10},
		{"SO_SNDBUF", sys.SOL_SOCKET, sys.SO_SNDBUF, 16 << 10, 16 << 10},
		{"TCP_NODELAY", sys.IPPROTO_TCP, sys.TCP_NODELAY, 1, 1},
	} {
		if err := sys.SetsockoptInt(fd, o.level, o.name, o.set); err != nil {
			t.Errorf("setting %s: %v", o.what, err)
			continue
		}
		if got, err := sys.GetsockoptInt(fd, o.level, o.name); err != nil || got < o.min {
			t.Errorf("%s is %d, %v", o.what, got, err)
		}
		// The same in the kernel's form.
		var value [8]byte
		n, err := sys.Getsockopt(fd, o.level, o.name, value[:])
		if err != nil || n < 1 || n > 8 || binary.LittleEndian.Uint64(value[:]) == 0 &&
			binary.BigEndian.Uint64(value[:]) == 0 {
			t.Errorf("%s is %v, %d bytes, %v", o.what, value, n, err)
			continue
		}
		if err := sys.Setsockopt(fd, o.level, o.name, value[:n]); err != nil {
			t.Errorf("setting %s to %v: %v", o.what, value[:n], err)
		}
	}
	if typ, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_TYPE); err != nil || typ != sys.SOCK_STREAM {
		t.Errorf("the type is %d, %v", typ, err)
	}
}

// A name that a system does not have is unsupported, never the option that has
// the number 0 somewhere.
func TestAbsentOption(t *testing.T) {
	noLeaks(t)
	fd := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	var value [4]byte
	for what, err := range map[string]error{
		"SetsockoptInt": sys.SetsockoptInt(fd, sys.IPPROTO_IP, 0, 1),
		"GetsockoptInt": second(sys.GetsockoptInt(fd, sys.IPPROTO_IP, 0)),
		"Setsockopt":    sys.Setsockopt(fd, sys.IPPROTO_IP, 0, value[:]),
		"Getsockopt":    second(sys.Getsockopt(fd, sys.IPPROTO_IP, 0, value[:])),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s of an absent option: %v", what, err)
		}
	}
}

func TestBadOption(t *testing.T) {
	noLeaks(t)
	fd := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	if err := sys.SetsockoptInt(fd, sys.SOL_SOCKET, 0x7ffe, 1); err == nil {
		t.Error("an option that nobody has was set")
	}
	if _, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, 0x7ffe); err == nil {
		t.Error("an option that nobody has has a value")
	}
	if math.MaxInt > math.MaxInt32 {
		large := math.MaxInt32
		large++
		if err := sys.SetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_RCVBUF, large); !errors.Is(err, sys.EINVAL) {
			t.Errorf("a value of more than 32 bits: %v, want EINVAL", err)
		}
	}
}

func TestLinger(t *testing.T) {
	noLeaks(t)
	a, b := tcpPair(t)
	owned(t, b, nil)
	if err := sys.SetLinger(a, true, -1); !errors.Is(err, sys.EINVAL) {
		t.Errorf("a negative time: %v, want EINVAL", err)
	}
	must(t, sys.SetLinger(a, true, 5))
	must(t, sys.SetLinger(a, false, 0))
	must(t, sys.SetLinger(a, true, 0))
	must(t, sys.Close(a)) // resets the connection
	err := retry(t, b, sys.Readable, func() error {
		_, err := sys.Recv(b, make([]byte, 1), 0)
		return err
	})
	if resets && err != sys.ECONNRESET && err != sys.ECONNABORTED {
		t.Errorf("after a reset: %v", err)
	}
}

func TestLimits(t *testing.T) {
	soft, hard, err := sys.MaxFiles()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no limit of open descriptors")
	}
	must(t, err)
	if soft < 3 || soft > hard {
		t.Fatalf("the limits are %d and %d", soft, hard)
	}
	old, err := sys.SetMaxFiles(soft - 1)
	must(t, err)
	defer func() {
		_, err := sys.SetMaxFiles(soft)
		must(t, err)
	}()
	if old != soft {
		t.Errorf("the limit before was %d, not %d", old, soft)
	}
	if now, _, _ := sys.MaxFiles(); now != soft-1 {
		t.Errorf("the limit is %d, not %d", now, soft-1)
	}
}

// A new descriptor is listed, one that was closed is not, and the listing does
// not list itself.
func TestOpenFDs(t *testing.T) {
	noLeaks(t)
	before, err := sys.OpenFDs()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system cannot list descriptors")
	}
	must(t, err)
	fd, err := sys.Socket(sys.AF_INET, sys.SOCK_DGRAM, 0)
	must(t, err)
	during, err := sys.OpenFDs()
	must(t, err)
	must(t, sys.Close(fd))
	after, err := sys.OpenFDs()
	must(t, err)
	if len(during) != len(before)+1 || len(after) != len(before) {
		t.Errorf("open before %v, during %v, after %v (the socket is %d)", before, during, after, fd)
	}
}

func TestResidents(t *testing.T) {
	n, err := sys.Residents()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not tell")
	}
	if err != nil || n < 1<<20 || n > 1<<40 {
		t.Errorf("resident: %d bytes, %v", n, err)
	}
}
