package sys_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
	"github.com/lion-go/lion/sys/faults"
)

// rounds is how often TestEveryCall calls everything: often enough that calls
// are interrupted that Go's runtime makes itself when a program begins.
const rounds = 4

// unsupported are the functions of the table that Linux does not have.
var unsupported = map[string]func() error{
	"CloseHandle":           func() error { return sys.CloseHandle(1) },
	"BeginNameLookup":       func() error { return second(sys.BeginNameLookup("x", sys.AF_INET)) },
	"BeginTransmit":         func() error { return second(sys.BeginTransmit(1, 1, nil, 0, 1, nil)) },
	"OpenOverlapped":        func() error { return second(sys.OpenOverlapped("x", false)) },
	"OverlappedPipe":        func() error { _, _, err := sys.OverlappedPipe(); return err },
	"Poller.WatchKevent":    func() error { return new(sys.Poller).WatchKevent(sys.Kevent{}) },
	"Poller.RegisterHandle": func() error { return new(sys.Poller).RegisterHandle(1) },
	"Poller.Begin":          func() error { return second(new(sys.Poller).Begin(1)) },
	"Poller.Cancel":         func() error { return new(sys.Poller).Cancel(nil) },
	"Poller.PostCompletion": func() error { return new(sys.Poller).PostCompletion(sys.Completion{}) },
}

// everyCall calls the functions of the table, each at least once, and says which.
var everyCall = map[string]func(t *testing.T){
	"Socket Bind Getsockname Listen Accept Connect FinishConnect Getpeername Shutdown " +
		"Recv Send GetTCPInfo SetLinger Close CloseNowait Poller.Arm Poller.Wait Poller.Close NewPoller": everyOfStreams,
	"SetsockoptInt GetsockoptInt Setsockopt Getsockopt":                     everyOption,
	"RecvMsg SendMsg RecvMMsg SendMMsg SetMembership SetMulticastInterface": everyOfDatagrams,
	"SocketPair PeerCredentials Dup SetNonblock Nonblocking CloseOnExec " +
		"Pipe Read Write Sendfile SendfileNowait Splice Cached ReadCached OpenFile ReadAt CloseFile": everyOfDescriptors,
	"FileConn FileListener FilePacketConn DupConn":                             everyOfNet,
	"StartProcess TryLock Unlock MaxFiles SetMaxFiles OpenFDs Residents Raise": everyOfProcesses,
}

// Reliability 41: every function of the table does what it is for. It is what
// TestInterruptedCalls runs while signals interrupt the calls.
func TestEveryCall(t *testing.T) {
	skipEmulated(t)
	covered := map[string]bool{}
	for name, call := range unsupported {
		covered[name] = true
		if err := call(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for names, call := range everyCall {
		for _, name := range strings.Fields(names) {
			covered[name] = true
		}
		first, _, _ := strings.Cut(names, " ")
		t.Run(first, func(t *testing.T) {
			runtime.LockOSThread() // strace counts the calls of a thread
			defer runtime.UnlockOSThread()
			for range rounds {
				call(t)
			}
		})
	}
	table, err := faults.Table()
	must(t, err)
	for _, row := range table {
		if row.System == "linux" && !covered[row.Function] {
			t.Errorf("%s is not called: add it to one of the functions above", row.Function)
		}
	}
}

// skipEmulated skips the test if the poller is the emulation of kqueue.
func skipEmulated(t *testing.T) {
	t.Helper()
	p, err := sys.NewPoller()
	must(t, err)
	defer p.Close()
	if strings.Contains(p.Mode(), "emulated") {
		t.Skip("the emulation of kqueue is another poller, with other calls")
	}
}

func everyOfStreams(t *testing.T) {
	a, b := tcpPair(t)
	defer func() { must(t, sys.CloseNowait(a)) }()
	owned(t, b, nil)
	var name sys.Sockaddr
	must(t, sys.Getpeername(a, &name))
	send(t, a, []byte("hello"), 0)
	var text [8]byte
	if n := recv(t, b, text[:], 0); string(text[:n]) != "hello" {
		t.Errorf("received %q", text[:n])
	}
	must(t, sys.SetLinger(a, false, 0))
	must(t, second(sys.GetTCPInfo(a)))
	must(t, sys.FinishConnect(a))
	must(t, sys.Shutdown(a, sys.SHUT_WR))
	if n := recv(t, b, text[:], 0); n != 0 {
		t.Errorf("%d bytes after the end", n)
	}
}

func everyOption(t *testing.T) {
	fd := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	must(t, sys.SetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_KEEPALIVE, 1))
	if on, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_KEEPALIVE); err != nil || on != 1 {
		t.Errorf("SO_KEEPALIVE is %d: %v", on, err)
	}
	want := []byte{1, 1, 1, 1} // an int other than 0 in either byte order
	must(t, sys.Setsockopt(fd, sys.SOL_SOCKET, sys.SO_OOBINLINE, want))
	var got [8]byte
	n, err := sys.Getsockopt(fd, sys.SOL_SOCKET, sys.SO_OOBINLINE, got[:])
	if err != nil || n != 4 || bytes.Equal(got[:4], make([]byte, 4)) {
		t.Errorf("SO_OOBINLINE is %v, %d bytes: %v", got, n, err)
	}
}

func everyOfDatagrams(t *testing.T) {
	fd, name := bound(t, sys.SOCK_DGRAM)
	message := func() *sys.Msg { return &sys.Msg{Buffers: [][]byte{make([]byte, 4)}} }
	one := message()
	one.Name = *name
	must(t, second(sys.SendMsg(fd, one, 0)))
	if n := recvMsg(t, fd, message()); n != 4 {
		t.Errorf("received %d bytes", n)
	}
	must(t, second(sys.SendMMsg(fd, []sys.Msg{*one}, 0)))
	must(t, retry(t, fd, sys.Readable, func() error {
		return second(sys.RecvMMsg(fd, []sys.Msg{*message()}, 0))
	}))
	must(t, sys.SetMulticastInterface(fd, sys.AF_INET, 1)) // lo has the number 1
	group := netip.MustParseAddr("224.0.0.251")
	must(t, sys.SetMembership(fd, sys.MCAST_JOIN_GROUP, group, netip.Addr{}, 1))
	var zoned sys.Sockaddr
	must(t, zoned.SetAddrPort(sys.AF_INET6, netip.MustParseAddrPort("[fe80::1%lo]:1")))
}

func everyOfDescriptors(t *testing.T) {
	a, b := pair(t)
	must(t, second(sys.PeerCredentials(a)))
	copied, err := sys.Dup(a)
	owned(t, copied, err)
	must(t, sys.CloseOnExec(copied))
	must(t, sys.SetNonblock(a, false))
	must(t, sys.SetNonblock(a, true))
	if is, err := sys.Nonblocking(a); err != nil || !is {
		t.Errorf("nonblocking is %v: %v", is, err)
	}
	r, w, err := sys.Pipe()
	owned(t, r, err)
	owned(t, w, err)
	var text [8]byte
	must(t, second(sys.Write(w, []byte("pipe"))))
	if n, err := sys.Splice(r, a, 4); n != 4 || err != nil {
		t.Errorf("spliced %d bytes: %v", n, err)
	}
	recvFull(t, b, text[:4])
	must(t, second(sys.Write(w, []byte("file"))))
	if n, err := sys.Read(r, text[:]); err != nil || string(text[:n]) != "file" {
		t.Errorf("read %q: %v", text[:n], err)
	}
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, []byte("sendfile"), 0o600))
	file, err := os.Open(name)
	must(t, err)
	defer file.Close()
	for _, send := range []func(sys.FD, sys.FD, []byte, int64, int) (int, error){
		sys.Sendfile, sys.SendfileNowait,
	} {
		if n, err := send(a, sys.FD(file.Fd()), []byte("a "), 0, 8); n != 10 || err != nil {
			t.Errorf("sent %d bytes of a file: %v", n, err)
		}
	}
	// Not every file system can tell.
	if err := second(sys.Cached(sys.FD(file.Fd()), 0, 8)); err != nil &&
		!errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("cached: %v", err)
	}
	if n, err := sys.ReadCached(sys.FD(file.Fd()), text[:], 4); !errors.Is(err, errors.ErrUnsupported) &&
		string(text[:n]) != "file" {
		t.Errorf("read %q from the cache: %v", text[:n], err)
	}
	opened, state, err := sys.OpenFile(name)
	must(t, err)
	if n, err := sys.ReadAt(opened, text[:], 4); string(text[:n]) != "file" || err != nil || state.Size != 8 {
		t.Errorf("read %q of %d bytes: %v", text[:n], state.Size, err)
	}
	must(t, sys.CloseFile(opened))
}

func everyOfNet(t *testing.T) {
	a, b := tcpPair(t)
	defer sys.Close(b)
	conn, err := sys.FileConn(a)
	must(t, err)
	defer conn.Close()
	copied, err := sys.DupConn(conn.(*net.TCPConn))
	owned(t, copied, err)
	l, _ := bound(t, sys.SOCK_STREAM)
	must(t, sys.Listen(l, 1))
	again, err := sys.Dup(l)
	must(t, err)
	listener, err := sys.FileListener(again)
	must(t, err)
	defer listener.Close()
	u, _ := bound(t, sys.SOCK_DGRAM)
	again, err = sys.Dup(u)
	must(t, err)
	packets, err := sys.FilePacketConn(again)
	must(t, err)
	defer packets.Close()
}

func everyOfProcesses(t *testing.T) {
	pid, err := sys.StartProcess("/bin/true", []string{"true"}, nil, nil)
	must(t, err)
	child, err := os.FindProcess(pid)
	must(t, err)
	must(t, second(child.Wait()))
	name := filepath.Join(t.TempDir(), "lock")
	lock, err := sys.TryLock(name)
	must(t, err)
	if _, err := sys.TryLock(name); err != sys.WouldBlock {
		t.Errorf("a second lock: %v", err)
	}
	must(t, sys.Unlock(lock, name))
	soft, _, err := sys.MaxFiles()
	must(t, err)
	must(t, second(sys.SetMaxFiles(soft)))
	must(t, second(sys.OpenFDs()))
	must(t, second(sys.Residents()))
	must(t, sys.Raise(syscall.SIGWINCH)) // nobody minds
}

// Reliability 41, 298: no call passes on that a signal interrupted it. strace
// answers every second one of a kind with EINTR, in this very program, also those
// whose manual pages do not list it. Not among them: close(2) and connect(2), which
// are not made again, and what package net does on its own.
func TestInterruptedCalls(t *testing.T) {
	skipEmulated(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("strace interrupts the calls: %v", err)
	}
	for _, plan := range []struct{ calls, when string }{
		{"socket,bind,listen,getsockname,getpeername,shutdown,getsockopt,setsockopt", "1+2"},
		{"accept4,recvfrom,sendto,recvmsg,sendmsg,recvmmsg,sendmmsg,sendfile", "1+2"},
		{"socketpair,pipe2,write,splice,preadv2,flock,kill,ioctl,prlimit64", "1+2"},
		{"fstat,newfstatat,unlinkat,epoll_pwait", "1+2"},
		{"epoll_create1,epoll_ctl", "3+2"}, // Go's runtime makes some of the
		{"fcntl,read", "8+2"},              // first, and takes no refusal
	} {
		t.Run(plan.calls, func(t *testing.T) { interrupt(t, strace, plan.calls, plan.when) })
	}
}

// interrupt runs TestEveryCall under strace.
func interrupt(t *testing.T, strace, calls, when string) {
	self, err := os.Executable()
	must(t, err)
	log := filepath.Join(t.TempDir(), "log")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	optional := "?" + strings.ReplaceAll(calls, ",", ",?") // not every machine has all
	out, err := exec.CommandContext(ctx, strace, "-f", "-o", log, "-e", "trace="+optional,
		"-e", "inject="+optional+":error=EINTR:when="+when,
		self, "-test.run", "^TestEveryCall$", "-test.skip", "/FileConn").CombinedOutput()
	text, _ := os.ReadFile(log) // no file: nothing was traced
	if strings.Contains(string(out), "PTRACE") || err != nil && len(text) == 0 {
		t.Skipf("strace may not trace here: %v\n%s", err, out)
	}
	if err != nil {
		t.Errorf("%v\n%.4000s", err, out)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, "("); ok && strings.Contains(line, "(INJECTED)") {
			count[name[strings.LastIndexByte(name, ' ')+1:]]++
		}
	}
	for call := range strings.SplitSeq(calls, ",") {
		// Elsewhere some calls have other names.
		if count[call] == 0 && runtime.GOARCH == "amd64" {
			t.Errorf("%s was not interrupted: %v", call, count)
		}
	}
	t.Log(count)
}
