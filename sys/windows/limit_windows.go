package windows

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// SetMaxFiles answers errors.ErrUnsupported: Windows limits handles only by
// memory.
func SetMaxFiles(n uint64) (old uint64, err error) {
	return 0, errors.ErrUnsupported
}

// MaxFiles answers errors.ErrUnsupported, for the same reason.
func MaxFiles() (soft, hard uint64, err error) {
	return 0, 0, errors.ErrUnsupported
}

// OpenFDs answers errors.ErrUnsupported: there is no list of a process's own
// sockets to be had.
func OpenFDs() ([]FD, error) {
	return nil, errors.ErrUnsupported
}

// procGetProcessMemoryInfo is psapi.h's function under the name by which
// kernel32 exports it.
var procGetProcessMemoryInfo = windows.NewLazySystemDLL("kernel32.dll").
	NewProc("K32GetProcessMemoryInfo")

// processMemoryCounters is PROCESS_MEMORY_COUNTERS, psapi.h.
type processMemoryCounters struct {
	size                       uint32
	pageFaults                 uint32
	peakWorkingSet, workingSet uintptr
	quota                      [4]uintptr
	pagefile, peakPagefile     uintptr
}

// Residents returns the size of this process's working set in bytes.
func Residents() (bytes uint64, err error) {
	var c processMemoryCounters
	c.size = uint32(unsafe.Sizeof(c))
	r, _, e := syscall.SyscallN(procGetProcessMemoryInfo.Addr(),
		uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&c)), uintptr(c.size))
	if r == 0 {
		return 0, failure(e)
	}
	return uint64(c.workingSet), nil
}
