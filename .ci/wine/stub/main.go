// The stub program writes a bcryptprimitives.dll for Wine versions before
// 8.20, which lack it. The Go runtime takes its random numbers from that
// library's only interesting function, ProcessPrng, and dies at start without
// it. The file written here contains no code: ProcessPrng is a forwarder, an
// entry in the export table that names a function of another library,
// advapi32's SystemFunction036 (RtlGenRandom), which has the same parameters
// and meaning. So no compiler for Windows is needed.
//
// Usage: go run main.go FILE
//
// Layout of the file, after the PE/COFF specification
// (https://learn.microsoft.com/windows/win32/debug/pe-format):
//
//	0x000  DOS header, of which only the magic and e_lfanew count
//	0x040  PE signature, COFF header, optional header, one section header
//	0x200  the section: export directory, its tables and strings
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

const (
	peOffset   = 0x40   // e_lfanew
	fileAlign  = 0x200  // also the size of headers and of the section in the file
	sectionRVA = 0x1000 // where the section is mapped
	dirSize    = 40     // IMAGE_EXPORT_DIRECTORY

	dllName = "bcryptprimitives.dll\x00"
	symbol  = "ProcessPrng\x00"
	target  = "advapi32.SystemFunction036\x00"
)

type coffHeader struct {
	Signature            [4]byte
	Machine, Sections    uint16
	Time, Symbols, Count uint32
	OptionalSize, Flags  uint16
}

type optionalHeader struct {
	Magic                                     uint16
	LinkerMajor, LinkerMinor                  uint8
	CodeSize, DataSize, BssSize               uint32
	Entry, CodeBase                           uint32
	ImageBase                                 uint64
	SectionAlign, FileAlign                   uint32
	OSMajor, OSMinor, ImageMajor, ImageMinor  uint16
	SubsystemMajor, SubsystemMinor            uint16
	Win32Version, ImageSize, HeadersSize, Sum uint32
	Subsystem, DLLFlags                       uint16
	StackReserve, StackCommit                 uint64
	HeapReserve, HeapCommit                   uint64
	LoaderFlags, DirectoryCount               uint32
	Directories                               [16]struct{ RVA, Size uint32 }
}

type sectionHeader struct {
	Name                       [8]byte
	VirtualSize, RVA           uint32
	RawSize, RawOffset         uint32
	Relocations, Lines         uint32
	RelocationCount, LineCount uint16
	Flags                      uint32
}

type exportDirectory struct {
	Flags, Time            uint32
	Major, Minor           uint16
	Name, Base             uint32
	Functions, Names       uint32
	FunctionsRVA, NamesRVA uint32
	OrdinalsRVA            uint32
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run main.go FILE")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], image(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// image returns the whole file.
func image() []byte {
	exports := exportSection()
	file := make([]byte, peOffset, 2*fileAlign)
	copy(file, "MZ")
	binary.LittleEndian.PutUint32(file[0x3c:], peOffset)

	optional := optionalHeader{
		Magic: 0x20b, ImageBase: 0x3_5f00_0000, SectionAlign: 0x1000, FileAlign: fileAlign,
		DataSize: fileAlign, OSMajor: 6, SubsystemMajor: 6,
		ImageSize: 2 * sectionRVA, HeadersSize: fileAlign,
		Subsystem: 2, DLLFlags: 0x160, // high entropy, dynamic base, no execution of data
		StackReserve: 1 << 20, StackCommit: 1 << 12,
		HeapReserve: 1 << 20, HeapCommit: 1 << 12, DirectoryCount: 16,
	}
	optional.Directories[0].RVA = sectionRVA
	optional.Directories[0].Size = uint32(len(exports))

	file = put(file, coffHeader{
		Signature: [4]byte{'P', 'E'}, Machine: 0x8664, Sections: 1,
		OptionalSize: uint16(binary.Size(optional)), Flags: 0x2022, // DLL, executable, large addresses
	})
	file = put(file, optional)
	file = put(file, sectionHeader{
		Name: [8]byte{'.', 'e', 'd', 'a', 't', 'a'}, VirtualSize: uint32(len(exports)), RVA: sectionRVA,
		RawSize: fileAlign, RawOffset: fileAlign, Flags: 0x40000040, // initialized data, readable
	})
	file = append(pad(file, fileAlign), exports...)
	return pad(file, 2*fileAlign)
}

// exportSection returns the export directory with one forwarder. A function
// address that lies inside the directory is the address of a forwarder's
// string; that is what makes it one.
func exportSection() []byte {
	const (
		functions = sectionRVA + dirSize
		names     = functions + 4
		ordinals  = names + 4
		nameText  = ordinals + 4 // two bytes of ordinal, two of padding
		symText   = nameText + len(dllName)
		toText    = symText + len(symbol)
	)
	s := put(nil, exportDirectory{
		Name: nameText, Base: 1, Functions: 1, Names: 1,
		FunctionsRVA: functions, NamesRVA: names, OrdinalsRVA: ordinals,
	})
	s = put(s, [3]uint32{uint32(toText), uint32(symText), 0})
	return append(s, dllName+symbol+target...)
}

func put(b []byte, v any) []byte {
	var w bytes.Buffer
	if err := binary.Write(&w, binary.LittleEndian, v); err != nil {
		panic(err) // a type of ours that encoding/binary cannot write
	}
	return append(b, w.Bytes()...)
}

func pad(b []byte, size int) []byte {
	return append(b, make([]byte, size-len(b))...)
}
