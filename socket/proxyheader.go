package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, as HAProxy defines it (proxy-protocol.txt, revision of
// 2020): a proxy begins each connection to a server with a header that says
// whose connection it is. Version 1 is a line of text, version 2 is binary and
// carries more. Whoever can connect can send such a header, so it is believed
// from trusted addresses only, see WithProxyProtocol.

// ErrProxyHeader says that what should have been a PROXY header is none.
var ErrProxyHeader = errors.New("socket: malformed PROXY header")

const (
	// proxyLineMax is the length of the longest header of version 1, with its end
	// of line.
	proxyLineMax = 107

	// proxyHeaderMax bounds headers of version 2. Addresses take 216 bytes at
	// most, and what proxies tell of TLS fits the rest; the format itself would
	// allow 64 KiB to anybody who can connect.
	proxyHeaderMax = 4096

	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyFixed     = len(proxySignature) + 4

	proxyCRC = 0x03 // PP2_TYPE_CRC32C
)

// A ProxyHeader is what a proxy tells of a connection.
type ProxyHeader struct {
	Version int // 1 or 2

	// Local says that the proxy made the connection itself, to see whether the
	// server is well, or does not know the addresses: the connection is that of
	// the proxy.
	Local bool

	Source      Addr // of the client
	Destination Addr // that the client connected to

	// Fields are what version 2 carries beside the addresses, in their order.
	Fields []ProxyField

	proxy Addr // who sent it, to a server
}

// A ProxyField is a TLV of version 2, section 2.2.
type ProxyField struct {
	Type  byte   // what it is, PP2_TYPE_...
	Value []byte // as it came
}

// ParseProxyHeader reads the header at the beginning of b, and returns its
// length. io.ErrUnexpectedEOF says that b holds only a part of it; ErrProxyHeader
// that it never will be one, or is longer than 4 KiB. What it returns has no
// part of b in it.
func ParseProxyHeader(b []byte) (h *ProxyHeader, length int, err error) {
	if n := min(len(b), len(proxySignature)); string(b[:n]) == proxySignature[:n] && n > 0 {
		return parseProxyBinary(b)
	}
	return parseProxyLine(b)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProxyHeader, fmt.Sprintf(format, args...))
}

func parseProxyLine(b []byte) (*ProxyHeader, int, error) {
	const start = "PROXY "
	if n := min(len(b), len(start)); string(b[:n]) != start[:n] {
		return nil, 0, malformed("it does not begin as one")
	}
	end := bytes.Index(b[:min(len(b), proxyLineMax)], []byte("\r\n"))
	if end < 0 {
		if len(b) >= proxyLineMax {
			return nil, 0, malformed("a line without an end")
		}
		return nil, 0, io.ErrUnexpectedEOF
	}
	h := &ProxyHeader{Version: 1}
	words := strings.Split(string(b[len(start):end]), " ")
	if words[0] == "UNKNOWN" {
		h.Local = true
		return h, end + 2, nil
	}
	if len(words) != 5 || words[0] != "TCP4" && words[0] != "TCP6" {
		return nil, 0, malformed("%q", b[:end])
	}
	var err error
	if h.Source, err = proxyAddr(words[0], words[1], words[3]); err != nil {
		return nil, 0, err
	}
	if h.Destination, err = proxyAddr(words[0], words[2], words[4]); err != nil {
		return nil, 0, err
	}
	return h, end + 2, nil
}

func proxyAddr(family, host, port string) (Addr, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Is4() != (family == "TCP4") || addr.Zone() != "" {
		return Addr{}, malformed("%s address %q", family, host)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port != strconv.FormatUint(n, 10) {
		return Addr{}, malformed("port %q", port)
	}
	return InetAddr(netip.AddrPortFrom(addr, uint16(n))), nil
}

func parseProxyBinary(b []byte) (*ProxyHeader, int, error) {
	if len(b) < proxyFixed {
		return nil, 0, io.ErrUnexpectedEOF
	}
	command, family := b[12], b[13]
	length := proxyFixed + int(binary.BigEndian.Uint16(b[14:]))
	switch {
	case command>>4 != 2, command&0xf > 1:
		return nil, 0, malformed("version and command %#x", command)
	case length > proxyHeaderMax:
		return nil, 0, malformed("%d bytes", length)
	case len(b) < length:
		return nil, 0, io.ErrUnexpectedEOF
	}
	h := &ProxyHeader{Version: 2, Local: command&0xf == 0}
	if h.Local { // the rest is to be ignored
		return h, length, nil
	}
	body := b[proxyFixed:length]
	rest, err := h.addresses(family, body)
	if err != nil {
		return nil, 0, err
	}
	if err := h.fields(rest, b[:length]); err != nil {
		return nil, 0, err
	}
	return h, length, nil
}

// addresses takes the addresses, and returns what follows them. The unspecified
// family is that of a connection that nobody can name; those that the protocol
// does not have are refused, as it demands.
func (h *ProxyHeader) addresses(family byte, body []byte) (rest []byte, err error) {
	size := map[byte]int{1: 12, 2: 36, 3: 216}[family>>4]
	if family>>4 > 3 || family&0xf > 2 {
		return nil, malformed("family and transport %#x", family)
	}
	if len(body) < size {
		return nil, malformed("%d bytes of addresses of family %#x", len(body), family)
	}
	addrs, ports := body[:size], []byte(nil)
	switch family >> 4 {
	case 1, 2:
		half := (size - 4) / 2
		ports = addrs[2*half:]
		h.Source = binaryAddr(addrs[:half], ports)
		h.Destination = binaryAddr(addrs[half:2*half], ports[2:])
	case 3:
		h.Source, h.Destination = unixField(addrs[:108]), unixField(addrs[108:])
	default:
		h.Local = true
	}
	return body[size:], nil
}

func binaryAddr(ip, port []byte) Addr {
	addr, _ := netip.AddrFromSlice(ip) // 4 or 16 bytes, always
	return InetAddr(netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port)))
}

func unixField(b []byte) Addr {
	if len(b) > 0 && b[0] == 0 { // abstract, or unnamed
		name := strings.TrimRight(string(b[1:]), "\x00")
		if name == "" {
			return UnixAddr("")
		}
		return UnixAddr("@" + name)
	}
	name, _, _ := strings.Cut(string(b), "\x00")
	return UnixAddr(name)
}

// fields takes the TLVs, and checks the sum if there is one: it is over the
// whole header, with zeros in its own place.
func (h *ProxyHeader) fields(rest, whole []byte) error {
	for len(rest) > 0 {
		if len(rest) < 3 || len(rest) < 3+int(binary.BigEndian.Uint16(rest[1:])) {
			return malformed("a field that does not end")
		}
		size := int(binary.BigEndian.Uint16(rest[1:]))
		f := ProxyField{Type: rest[0], Value: bytes.Clone(rest[3 : 3+size])}
		if f.Type == proxyCRC {
			at := len(whole) - len(rest) + 3
			if err := checkProxySum(whole, at, f.Value); err != nil {
				return err
			}
		}
		h.Fields = append(h.Fields, f)
		rest = rest[3+size:]
	}
	return nil
}

func checkProxySum(whole []byte, at int, sum []byte) error {
	if len(sum) != 4 {
		return malformed("a checksum of %d bytes", len(sum))
	}
	zeroed := bytes.Clone(whole)
	clear(zeroed[at : at+4])
	if crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(sum) {
		return malformed("its checksum is wrong")
	}
	return nil
}

// Append appends the header as bytes to b, for a proxy to send first of all. A
// header of version 1 has no fields. Addresses of two families, or ones that
// cannot be said in this version, are refused with ErrMisuse.
func (h *ProxyHeader) Append(b []byte) ([]byte, error) {
	src, dst := h.Source.AddrPort(), h.Destination.AddrPort()
	inet := h.Source.kind == addrInet && h.Destination.kind == addrInet &&
		src.Addr().Is4() == dst.Addr().Is4()
	switch {
	case !inet && !h.Local:
		return b, misuse("a PROXY header from %v to %v", h.Source, h.Destination)
	case h.Version == 1 && len(h.Fields) == 0:
		return h.appendLine(b), nil
	case h.Version == 2:
		return h.appendBinary(b)
	}
	return b, misuse("a PROXY header of version %d with %d fields", h.Version, len(h.Fields))
}

func (h *ProxyHeader) appendLine(b []byte) []byte {
	if h.Local {
		return append(b, "PROXY UNKNOWN\r\n"...)
	}
	src, dst := h.Source.AddrPort(), h.Destination.AddrPort()
	family := "TCP4"
	if !src.Addr().Is4() {
		family = "TCP6"
	}
	return fmt.Appendf(b, "PROXY %s %s %s %d %d\r\n",
		family, src.Addr().WithZone(""), dst.Addr().WithZone(""), src.Port(), dst.Port())
}

func (h *ProxyHeader) appendBinary(b []byte) ([]byte, error) {
	command, family, body := byte(0x21), byte(0), []byte(nil)
	if h.Local {
		command = 0x20
	} else {
		src, dst := h.Source.AddrPort(), h.Destination.AddrPort()
		family = 0x21
		if src.Addr().Is4() {
			family = 0x11
		}
		body = append(append(body, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
		body = binary.BigEndian.AppendUint16(body, src.Port())
		body = binary.BigEndian.AppendUint16(body, dst.Port())
	}
	for _, f := range h.Fields {
		if f.Type == proxyCRC || len(f.Value) > proxyHeaderMax {
			return b, misuse("a PROXY header with field %#x of %d bytes", f.Type, len(f.Value))
		}
		body = binary.BigEndian.AppendUint16(append(body, f.Type), uint16(len(f.Value)))
		body = append(body, f.Value...)
	}
	if proxyFixed+len(body) > proxyHeaderMax {
		return b, misuse("a PROXY header of %d bytes", proxyFixed+len(body))
	}
	b = append(append(b, proxySignature...), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...), nil
}
