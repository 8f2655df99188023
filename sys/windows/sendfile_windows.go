package windows

import (
	"errors"

	"golang.org/x/sys/windows"
)

// TransmitFile is overlapped, and has no readiness: it does not fit the contract
// of these functions. BeginTransmit has it.

// Sendfile answers errors.ErrUnsupported; see BeginTransmit.
func Sendfile(socket, file FD, head []byte, offset int64, n int) (int, error) {
	return 0, errors.ErrUnsupported
}

// SendfileNowait is Sendfile for a part that Cached has just seen in the page
// cache; it never suspends. Only Linux makes a difference.
func SendfileNowait(socket, file FD, head []byte, offset int64, n int) (int, error) {
	return Sendfile(socket, file, head, offset, n)
}

// O_NONBLOCK is no flag here: opening a file does not wait for anybody.
const O_NONBLOCK = 0

// ReadCached answers errors.ErrUnsupported: Windows does not tell what would be
// read from a disk.
func ReadCached(file FD, b []byte, offset int64) (int, error) { return 0, errors.ErrUnsupported }

// Cached answers errors.ErrUnsupported; see ReadCached.
func Cached(file FD, offset, n int64) (bool, error) { return false, errors.ErrUnsupported }

// Splice answers errors.ErrUnsupported: Windows has no such call.
func Splice(from, to FD, n int) (int, error) { return 0, errors.ErrUnsupported }

// FileState is what OpenFile tells of a file.
type FileState struct {
	Size     int64 // in bytes
	Modified int64 // in nanoseconds since 1970

	Volume, ID uint64 // no two files of a volume have the same ID
}

// OpenFile opens a regular file for reading, see CreateFileW, as package os does:
// others may read, write, rename and delete it meanwhile. What is no regular file
// is refused with errors.ErrUnsupported. Close it with CloseFile.
func OpenFile(name string) (FD, FileState, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return Invalid, FileState{}, err
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_SEQUENTIAL_SCAN, 0)
	if err != nil {
		return Invalid, FileState{}, err
	}
	var info windows.ByHandleFileInformation
	kind, err := windows.GetFileType(h)
	if err == nil && kind != windows.FILE_TYPE_DISK {
		err = errors.ErrUnsupported
	}
	if err == nil {
		err = windows.GetFileInformationByHandle(h, &info)
	}
	if err != nil {
		_ = windows.CloseHandle(h)
		return Invalid, FileState{}, err
	}
	return FD(h), FileState{
		Size:     int64(info.FileSizeHigh)<<32 | int64(info.FileSizeLow),
		Modified: info.LastWriteTime.Nanoseconds(),
		Volume:   uint64(info.VolumeSerialNumber),
		ID:       uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow),
	}, nil
}

// ReadAt reads from the offset on, see ReadFile, and may wait for a disk. Zero
// bytes are the end of the file.
func ReadAt(file FD, b []byte, offset int64) (int, error) {
	at := windows.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
	var n uint32
	err := windows.ReadFile(windows.Handle(file), b[:min(len(b), maxRead)], &n, &at)
	if err == windows.ERROR_HANDLE_EOF {
		err = nil
	}
	return int(n), err
}

// maxRead bounds what one ReadFile is asked for: its length has 32 bits.
const maxRead = 1 << 30

// CloseFile closes what OpenFile has opened.
func CloseFile(file FD) error { return windows.CloseHandle(windows.Handle(file)) }

// GrowPipe does nothing here, and answers 0: without Splice nobody needs room.
func GrowPipe(pipe FD, size int) int { return 0 }
