package linux

// Every Go system call normally tells the scheduler that its thread may now
// sleep, and asks for a processor back afterwards. For a call that cannot
// sleep and copies little, that costs up to a third of the work itself (6 to
// 24 % of a server's CPU time). So calls that are nonblocking and bounded in
// bytes go to the kernel by syscall.RawSyscall6; each such place is marked
//
//	//lion:opt rawsyscall
//
// and becomes an ordinary call when "RawSyscall6" is replaced by "Syscall6".
// The price of a mistake is high: a raw call that does sleep holds up the
// garbage collector and with it the process. Hence MSG_DONTWAIT on every raw
// transfer, whatever the descriptor's own flags say, and the bound below.
//
// Pointers are converted to uintptr only within the call expression: that is
// what keeps them alive and in place (unsafe.Pointer, rule 4), and it does not
// make what they point to escape to the heap.

// maxRaw is the most bytes one raw call may copy: 64 KiB take about 10 us,
// which is how long the garbage collector may be kept waiting.
const maxRaw = 64 << 10

// answer turns the error number of a call into this package's errors. Error
// numbers this small are converted to an interface without allocating.
func answer(e Errno) error {
	switch e {
	case 0:
		return nil
	case eagain:
		return WouldBlock
	}
	return e
}
