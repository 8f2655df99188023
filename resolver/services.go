package resolver

import (
	"math"
	"strings"
)

// Types of sockets and protocols. They have the same numbers on all systems.
const (
	sockStream = 1
	sockDgram  = 2
	sockRaw    = 3
	protoTCP   = 6
	protoUDP   = 17
)

// ports are those of a service, -1 where it has none.
type ports struct{ tcp, udp int32 }

// services maps the names in services(5) to ports. Names are case-sensitive.
type services map[string]ports

// maxServices bounds the table; Debian's file has about 400 names.
const maxServices = 1 << 16

// parseServices reads a file as services(5) has it. Lines that say nothing are
// ignored, as are the 65,537th name and later ones.
func parseServices(text string, ignored *int) services {
	table := services{}
	for line := range lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) == 1 {
			*ignored++
			continue
		}
		digits, proto, _ := strings.Cut(fields[1], "/")
		port, ok := decimal(digits, math.MaxUint16)
		if !ok {
			*ignored++
			continue
		}
		for i, name := range fields {
			switch {
			case i == 1:
			case len(table) < maxServices:
				table.add(name, proto, int32(port))
			default:
				*ignored++
			}
		}
	}
	return table
}

func (s services) add(name, proto string, port int32) {
	p, ok := s[name]
	if !ok {
		p = ports{-1, -1}
	}
	switch {
	case proto == "tcp" && p.tcp < 0:
		p.tcp = port
	case proto == "udp" && p.udp < 0:
		p.udp = port
	}
	s[name] = p
}

// lines yields the lines of a file, without comments that begin with '#'.
func lines(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.SplitSeq(text, "\n") {
			line, _, _ = strings.Cut(line, "#")
			if !yield(line) {
				return
			}
		}
	}
}

// builtinServices stands in where there is no file: what programs commonly
// dial, by its entry in the registry of IANA.
var builtinServices = parseServices(`
echo 7/tcp
echo 7/udp
discard 9/tcp sink null
discard 9/udp sink null
ftp 21/tcp
ssh 22/tcp
telnet 23/tcp
smtp 25/tcp mail
domain 53/tcp
domain 53/udp
tftp 69/udp
http 80/tcp www
kerberos 88/tcp
kerberos 88/udp
pop3 110/tcp
ntp 123/udp
imap2 143/tcp imap
snmp 161/tcp
snmp 161/udp
ldap 389/tcp
ldap 389/udp
https 443/tcp
https 443/udp
submissions 465/tcp ssmtp smtps
syslog 514/udp
submission 587/tcp
ldaps 636/tcp
domain-s 853/tcp
domain-s 853/udp
imaps 993/tcp
pop3s 995/tcp
mysql 3306/tcp
postgresql 5432/tcp postgres
amqp 5672/tcp
redis 6379/tcp
http-alt 8080/tcp webcache
http-alt 8080/udp
`, new(int))

// port is the port of a service for a type of socket.
func (s services) port(service string, sockType int) (uint16, bool) {
	if service == "" {
		return 0, true
	}
	if n, ok := decimal(service, math.MaxUint16); ok {
		return uint16(n), true
	}
	p, ok := s[service]
	if !ok {
		return 0, false
	}
	n := p.tcp
	if sockType == sockDgram {
		n = p.udp
	}
	return uint16(max(n, 0)), n >= 0
}

// name is the name of a port for a protocol, the first in order, or "".
func (s services) name(port uint16, datagram bool) string {
	best := ""
	for name, p := range s {
		n := p.tcp
		if datagram {
			n = p.udp
		}
		if n == int32(port) && (best == "" || name < best) {
			best = name
		}
	}
	return best
}

// kind is what one address is given out as: a type of socket and a protocol.
type kind struct {
	sockType, proto int
	port            uint16
}

// kindRow is a type of socket with its protocol; anyProto for all protocols,
// which have no services.
type kindRow struct {
	sockType, proto int
	anyProto        bool
}

var kindRows = []kindRow{{sockStream, protoTCP, false}, {sockDgram, protoUDP, false}, {sockRaw, 0, true}}

// kinds are what a service stands for, given hints: getaddrinfo's table of
// types and protocols. A number goes with every type of socket, a name with
// those that it is registered for.
func (s services) kinds(service string, numeric bool, sockType, proto int) ([]kind, Code) {
	port, isNumber := decimal(service, math.MaxUint16)
	switch {
	case numeric && service != "" && strings.Trim(service, "0123456789") != "":
		return nil, NoName
	case service != "" && !isNumber && s[service] == (ports{}):
		// A name that is in no table, or a number that is no port.
		if code := checkKind(sockType, proto); code != 0 {
			return nil, code
		}
		return nil, Service
	}
	if code := checkKind(sockType, proto); code != 0 {
		return nil, code
	}
	var found []kind
	for _, row := range kindRows {
		if !row.fits(sockType, proto) {
			continue
		}
		if row.anyProto && service != "" && (sockType != 0 || proto != 0 || !isNumber) {
			continue // raw sockets have no services
		}
		k := kind{row.sockType, row.proto, uint16(port)}
		if row.anyProto {
			k.proto = proto
		}
		if service != "" && !isNumber {
			named, ok := s.port(service, row.sockType)
			if !ok {
				continue
			}
			k.port = named
		}
		found = append(found, k)
		if sockType != 0 || proto != 0 {
			break
		}
	}
	if len(found) == 0 {
		return nil, Service
	}
	return found, 0
}

func (r kindRow) fits(sockType, proto int) bool {
	return (sockType == 0 || sockType == r.sockType) &&
		(proto == 0 || r.anyProto || proto == r.proto)
}

// checkKind refuses hints that no row fits.
func checkKind(sockType, proto int) Code {
	for _, row := range kindRows {
		if row.fits(sockType, proto) {
			return 0
		}
	}
	if sockType != 0 {
		return SockType
	}
	return Service
}
