package resolver

import (
	"net/netip"
	"strconv"
	"strings"
)

// policyRow gives the addresses of a prefix a value: RFC 6724, section 2.1.
type policyRow struct {
	prefix netip.Prefix
	value  int
}

// policy is the table by which addresses are sorted.
type policy struct {
	precedence []policyRow
	label      []policyRow
}

// defaultPolicy is the table of RFC 6724.
var defaultPolicy = policy{
	precedence: rows("::1/128 50", "::/0 40", "::ffff:0:0/96 35", "2002::/16 30",
		"2001::/32 5", "fc00::/7 3", "::/96 1", "fec0::/10 1", "3ffe::/16 1"),
	label: rows("::1/128 0", "::/0 1", "::ffff:0:0/96 4", "2002::/16 2", "2001::/32 5",
		"fc00::/7 13", "::/96 3", "fec0::/10 11", "3ffe::/16 12"),
}

func rows(texts ...string) []policyRow {
	var list []policyRow
	for _, text := range texts {
		if row, ok := parseRow(strings.Fields(text)); ok {
			list = append(list, row)
		}
	}
	return list
}

// maxPolicy bounds each table: it is searched for each address.
const maxPolicy = 1024

// parseGaiConf reads a file as gai.conf(5) has it. Lines of one kind replace
// the default table of that kind. Its scopev4 and reload lines are accepted
// and mean nothing here; other lines are counted.
func parseGaiConf(text string, ignored *int) policy {
	p := defaultPolicy
	var precedence, label []policyRow
	for line := range lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "scopev4" || fields[0] == "reload" {
			continue
		}
		row, ok := parseRow(fields[1:])
		switch {
		case !ok:
			*ignored++
		case fields[0] == "precedence" && len(precedence) < maxPolicy:
			precedence = append(precedence, row)
		case fields[0] == "label" && len(label) < maxPolicy:
			label = append(label, row)
		default:
			*ignored++
		}
	}
	if len(precedence) > 0 {
		p.precedence = precedence
	}
	if len(label) > 0 {
		p.label = label
	}
	return p
}

func parseRow(fields []string) (policyRow, bool) {
	if len(fields) != 2 {
		return policyRow{}, false
	}
	prefix, err := netip.ParsePrefix(fields[0])
	value, errValue := strconv.Atoi(fields[1])
	return policyRow{prefix.Masked(), value}, err == nil && errValue == nil && prefix.Addr().Is6()
}

// Values of addresses that a table says nothing about, as in RFC 6724.
const (
	otherPrecedence = 40
	otherLabel      = 1
)

// find returns the value of the longest prefix that has addr.
func find(table []policyRow, addr netip.Addr, other int) int {
	addr = as6(addr)
	bits := -1
	for _, row := range table {
		if row.prefix.Bits() > bits && contains(row.prefix, addr) {
			bits, other = row.prefix.Bits(), row.value
		}
	}
	return other
}

// contains is prefix.Contains without its rule that a mapped address is in no
// prefix.
func contains(prefix netip.Prefix, addr netip.Addr) bool {
	p, a := prefix.Addr().As16(), addr.As16()
	return commonBits(p[:], a[:]) >= prefix.Bits()
}

// as6 is addr as an IPv6 address without a zone, a mapped one for IPv4.
func as6(addr netip.Addr) netip.Addr { return netip.AddrFrom16(addr.As16()) }
