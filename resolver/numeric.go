package resolver

import (
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Numbers and literals need no lookup. What looks like a number and is none,
// "1.2.3.256", is nobody's name either: glibc sends such things to the DNS,
// with every suffix of the search list; here they end at once.

// form is what a host looks like.
type form uint8

const (
	formName    form = iota // may be a name
	formLiteral             // an address
	formBroken              // looks like an address and is none
)

// literal reads a host that is an address. Strict takes no short, octal or
// hexadecimal IPv4 addresses, which different programs read differently.
func literal(host string, strict bool) (netip.Addr, form) {
	if strings.Contains(host, ":") {
		return literal6(host)
	}
	if host == "" || host[0] < '0' || host[0] > '9' {
		if strings.Contains(host, "%") || endsInNumber(host) {
			return netip.Addr{}, formBroken
		}
		return netip.Addr{}, formName // and no error was made, which costs
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr, formLiteral
	}
	if addr, ok := inetAton(host); ok && !strict {
		return addr, formLiteral
	}
	if endsInNumber(host) || strings.Contains(host, "%") {
		return netip.Addr{}, formBroken
	}
	return netip.Addr{}, formName
}

func literal6(host string) (netip.Addr, form) {
	text, zone, scoped := strings.Cut(host, "%")
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is6() {
		return netip.Addr{}, formBroken // a colon is in no name
	}
	if !scoped {
		return addr, formLiteral
	}
	zone, ok := scope(addr, zone)
	if !ok {
		return netip.Addr{}, formBroken
	}
	return addr.WithZone(zone), formLiteral
}

// scope checks a zone as RFC 4007 and glibc have it: the name of an interface
// only for addresses of a link, a number for any. Zero is no zone.
func scope(addr netip.Addr, zone string) (string, bool) {
	ofLink := addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast()
	if ofLink && zone != "" {
		if _, err := net.InterfaceByName(zone); err == nil {
			return zone, true
		}
	}
	index, ok := decimal(zone, math.MaxUint32)
	if !ok {
		return "", false
	}
	if index == 0 {
		return "", true
	}
	return strconv.FormatUint(index, 10), true
}

// decimal reads digits and nothing else.
func decimal(text string, most uint64) (uint64, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && n <= most
}

// inetAton reads the forms of inet_aton(3): one to four numbers in decimal,
// octal or hexadecimal, of which the last fills what the others leave.
func inetAton(text string) (netip.Addr, bool) {
	const most = 4
	var parts [most]uint64
	n := 0
	for part := range strings.SplitSeq(text, ".") {
		value, ok := number(part)
		if !ok || n == most {
			return netip.Addr{}, false
		}
		parts[n] = value
		n++
	}
	var value uint64
	for i, part := range parts[:n] {
		width := uint(8)
		if i == n-1 {
			width = 8 * uint(most-i)
		}
		if part >= 1<<width {
			return netip.Addr{}, false
		}
		value = value<<width | part
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true
}

// number reads a number as C does: 0x for hexadecimal, 0 for octal. Signs,
// blanks and underscores, which ParseUint knows, are not in it.
func number(text string) (uint64, bool) {
	base, digits := 10, text
	switch {
	case len(text) > 1 && text[0] == '0' && text[1]|0x20 == 'x':
		base, digits = 16, text[2:]
	case len(text) > 1 && text[0] == '0':
		base, digits = 8, text[1:]
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 32)
	return n, err == nil
}

// endsInNumber reports whether the last label is a number, as the URL standard
// of WHATWG defines it: no name ends so.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex := len(last) >= 2 && last[0] == '0' && last[1]|0x20 == 'x'
	return hex && strings.Trim(last[2:], "0123456789abcdefABCDEF") == ""
}
