package sendfile

import (
	"sync/atomic"
	"time"
)

// A look at the page cache costs a tenth of an answer of 64 KiB. What many ask for
// needs no look each time: a file that was whole in the page cache a moment ago is
// there still, since the kernel gives back first what nobody has used for long. So
// the loops remember for a moment which files they have seen whole. If they are
// wrong, a loop waits for the disk as long as one part takes.
//
// A file is known by its device, inode, size, and when it was modified. So one that
// is opened for each answer is remembered as well, and one that was replaced is not.

const (
	// seenFor is how long at most a file is taken to be where it was seen. A server
	// that sends it a thousand times in a second spares nine looks of ten, and a
	// kernel that reclaims a gigabyte in a second gets through ten megabytes.
	seenFor = 10 * time.Millisecond

	// seenFiles is how many are remembered; each takes eight bytes. Where two have one
	// place the last one has it.
	seenFiles = 1024
)

// seenLately is for all loops: a few stores in a second are nothing to share.
//
//lion:opt seen-lately: two system calls fewer for a file that is sent often
var seenLately [seenFiles]atomic.Uint64

// identity is what a file is remembered by: 0, which is nothing, if it is sent in
// several parts or read, so that a look costs little or nothing.
func (f *File) identity() uint64 {
	if f.state.Size <= small || f.state.Size > chunk {
		return 0
	}
	key := uint64(0)
	for _, v := range [...]uint64{
		f.state.Volume, f.state.ID, uint64(f.state.Size), uint64(f.state.Modified),
	} {
		key = mix(key, v)
	}
	return max(key, 1)
}

// mix adds v to a hash.
func mix(h, v uint64) uint64 {
	h = (h ^ v) * 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return h ^ h>>29
}

// remember notes that the whole file has just been seen.
func (x *transfer) remember() {
	if x.key != 0 {
		seenLately[x.key%seenFiles].Store(x.stamp())
	}
}

// remembered reports whether the whole file has been seen a moment ago.
func (x *transfer) remembered() bool {
	return x.key != 0 && seenLately[x.key%seenFiles].Load() == x.stamp()
}

// stamp stands for the file and the present moment.
func (x *transfer) stamp() uint64 {
	return mix(x.key, uint64(x.t.Now().UnixNano()/int64(seenFor)))
}
