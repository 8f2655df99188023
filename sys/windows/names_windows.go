package windows

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/lion-go/lion/sys/internal/seam"
)

// The system's resolver, asynchronously (GetAddrInfoExW since Windows 8): the hosts
// file, the DNS with its cache and policies, and whatever else is installed.
//
// A lookup that has begun belongs to the system until its event is set: it writes
// the OVERLAPPED structure, the address of the results and the handle by which it is
// cancelled, at any time until then. Cancelling (GetAddrInfoExCancel) sets the event
// at once, with WSA_E_CANCELLED; a lookup that has ended meanwhile answers that its
// handle is invalid. So all that the system may write is one object on the heap,
// which a table keeps until the event was seen, whoever else has lost interest.
//
// Wine 8 looks up asynchronously, and has no way to cancel: it gives no handle for
// that. The first lookup finds that out; later ones are refused, because a lookup
// that cannot be cancelled is no better here than one by package net.

var (
	procGetAddrInfoEx       = ws2.NewProc("GetAddrInfoExW")
	procGetAddrInfoExCancel = ws2.NewProc("GetAddrInfoExCancel")
	procGetAddrInfoExResult = ws2.NewProc("GetAddrInfoExOverlappedResult")
	procFreeAddrInfoEx      = ws2.NewProc("FreeAddrInfoExW")
)

// addrInfoEx is ADDRINFOEXW of ws2def.h.
type addrInfoEx struct {
	flags, family, socktype, protocol int32
	addrlen                           uintptr
	canonname                         *uint16
	addr                              *byte
	blob                              *byte
	bloblen                           uintptr
	provider                          *windows.GUID
	next                              *addrInfoEx
}

// maxNameAddrs bounds the addresses that one lookup returns; the DNS has no names
// with as many.
const maxNameAddrs = 4096

// A NameFailure is what an error of the system's resolver of names means.
type NameFailure = seam.NameFailure

// The meanings.
const (
	NameUnclear     = seam.NameUnclear     // not an error of the resolver, or one that says nothing
	NameNotFound    = seam.NameNotFound    // there is no such name
	NameWithoutData = seam.NameWithoutData // the name has no address of the family
	NameTryAgain    = seam.NameTryAgain    // no server gave an answer that counts
	NameRefused     = seam.NameRefused     // it will not work later either
	NameCancelled   = seam.NameCancelled   // the lookup was cancelled
)

// NameLookup is a lookup by the system's resolver that is under way.
type NameLookup struct {
	record windows.Overlapped
	result *addrInfoEx
	handle windows.Handle // for GetAddrInfoExCancel
	name   *uint16
	hints  addrInfoEx

	family  int
	pending bool // the system still owned it when it began

	mu   sync.Mutex // between Cancel and the end
	over bool
}

// nameLookups are those that the system may still write to.
var nameLookups struct {
	sync.Mutex
	underway map[*NameLookup]struct{}
}

// uncancellable says that a lookup came without a handle to cancel it.
var uncancellable atomic.Bool

// NameLookups reports whether this system has lookups that can be cancelled: Windows
// 8 and later, and not Wine once a lookup has shown what it is.
func NameLookups() bool {
	if uncancellable.Load() {
		return false
	}
	for _, p := range []*windows.LazyProc{
		procGetAddrInfoEx, procGetAddrInfoExCancel, procGetAddrInfoExResult, procFreeAddrInfoEx,
	} {
		if p.Find() != nil {
			return false
		}
	}
	return true
}

// BeginNameLookup asks the system's resolver for the addresses of a name in one
// family, AF_INET or AF_INET6, see GetAddrInfoExW. It does not wait; Wait must
// follow. Where lookups cannot be cancelled it is errors.ErrUnsupported; a name with
// a NUL is EINVAL.
func BeginNameLookup(name string, family int) (*NameLookup, error) {
	if !NameLookups() {
		return nil, errors.ErrUnsupported
	}
	return beginNameLookup(name, family)
}

func beginNameLookup(name string, family int) (*NameLookup, error) {
	if err := startWinsock(); err != nil {
		return nil, err
	}
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, EINVAL
	}
	const manual = 1 // the event stays set
	event, err := windows.CreateEvent(nil, manual, 0, nil)
	if err != nil {
		return nil, err
	}
	l := &NameLookup{name: text, family: family}
	l.record.HEvent = event
	l.hints = addrInfoEx{family: int32(family), socktype: SOCK_STREAM} // one type: one result each
	nameLookups.Lock()
	if nameLookups.underway == nil {
		nameLookups.underway = map[*NameLookup]struct{}{}
	}
	nameLookups.underway[l] = struct{}{}
	nameLookups.Unlock()
	const everyNamespace = 0 // NS_ALL, as GetAddrInfoW asks
	r, _, _ := procGetAddrInfoEx.Call(uintptr(unsafe.Pointer(l.name)), 0, everyNamespace, 0,
		uintptr(unsafe.Pointer(&l.hints)), uintptr(unsafe.Pointer(&l.result)), 0,
		uintptr(unsafe.Pointer(&l.record)), 0, uintptr(unsafe.Pointer(&l.handle)))
	switch e := Errno(r); e {
	case 0:
	case windows.ERROR_IO_PENDING: // WSA_IO_PENDING
		l.pending = true
		if l.handle == 0 {
			uncancellable.Store(true)
		}
	default:
		l.end()
		return nil, e
	}
	return l, nil
}

// Wait waits until the lookup has ended, blocking its thread, and returns the
// addresses. It must be called once; a second call is os.ErrClosed. The error is the
// number that Winsock gives, which NameFailureOf explains.
func (l *NameLookup) Wait() ([]netip.Addr, error) {
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if over {
		return nil, os.ErrClosed
	}
	if l.pending {
		if _, err := windows.WaitForSingleObject(l.record.HEvent, windows.INFINITE); err != nil {
			return nil, err // nothing may be freed: the system may still write
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, os.ErrClosed
	}
	var e Errno
	if l.pending {
		r, _, _ := procGetAddrInfoExResult.Call(uintptr(unsafe.Pointer(&l.record)))
		e = Errno(r)
	}
	var addrs []netip.Addr
	if e == 0 {
		addrs = l.addresses()
	}
	l.end()
	if e != 0 {
		return nil, e
	}
	return addrs, nil
}

// addresses copies the results.
func (l *NameLookup) addresses() []netip.Addr {
	var addrs []netip.Addr
	for i := l.result; i != nil && len(addrs) < maxNameAddrs; i = i.next {
		if int(i.family) != l.family || i.addr == nil {
			continue
		}
		var a Sockaddr
		n := copy(a.raw[:], unsafe.Slice(i.addr, i.addrlen))
		a.length = int32(n)
		if addr := a.AddrPort().Addr(); addr.IsValid() {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// end frees what the system has let go of.
func (l *NameLookup) end() {
	l.over = true
	if l.result != nil {
		_, _, _ = procFreeAddrInfoEx.Call(uintptr(unsafe.Pointer(l.result)))
		l.result = nil
	}
	_ = windows.CloseHandle(l.record.HEvent) // It was ours alone.
	nameLookups.Lock()
	delete(nameLookups.underway, l)
	nameLookups.Unlock()
}

// Cancel asks for an early end of the lookup: Wait returns soon, with an error that
// is NameCancelled, unless the lookup has ended by itself. It may be called from any
// goroutine at any time. errors.ErrUnsupported says that Wait will take as long as
// the lookup does.
func (l *NameLookup) Cancel() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || !l.pending {
		return nil
	}
	if l.handle == 0 {
		return errors.ErrUnsupported
	}
	r, _, _ := procGetAddrInfoExCancel.Call(uintptr(unsafe.Pointer(&l.handle)))
	if e := Errno(r); e != 0 && e != windows.ERROR_INVALID_HANDLE { // it has ended
		return e
	}
	return nil
}

// NameFailureOf is what an error of Wait or BeginNameLookup means.
func NameFailureOf(err error) NameFailure {
	var e Errno
	if !errors.As(err, &e) {
		return NameUnclear
	}
	switch e {
	case windows.WSAHOST_NOT_FOUND, windows.WSATYPE_NOT_FOUND:
		return NameNotFound
	case windows.WSANO_DATA:
		return NameWithoutData
	case windows.WSATRY_AGAIN, windows.ERROR_TIMEOUT, windows.WSAETIMEDOUT:
		return NameTryAgain
	case windows.WSANO_RECOVERY, windows.WSAEAFNOSUPPORT, windows.WSAEINVAL:
		return NameRefused
	case windows.WSA_E_CANCELLED, windows.WSAECANCELLED, windows.ERROR_OPERATION_ABORTED:
		return NameCancelled
	}
	return NameUnclear
}
