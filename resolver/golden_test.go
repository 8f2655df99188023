package resolver_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/sys"
)

// The tables in testdata say what glibc answers. Where lion differs on purpose
// testdata/deviations.txt says so, with the reason.

var hosts = `127.0.0.1 localhost
::1 localhost ip6-localhost
10.1.2.3 hostsonly.lion.test hostsonly
10.1.2.4 multi.hosts
10.1.2.5 multi.hosts
2001:db8::77 multi.hosts
`

func tableLines(tb testing.TB, name string) []string {
	tb.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	var lines []string
	for scan := bufio.NewScanner(file); scan.Scan(); {
		if line := scan.Text(); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

// deviations are the lines in which lion differs from glibc.
func deviations(tb testing.TB) map[string]string {
	list := map[string]string{}
	for _, line := range tableLines(tb, "deviations.txt") {
		call, rest, _ := strings.Cut(line, " => ")
		result, _, _ := strings.Cut(rest, " # ")
		list[call] = strings.TrimSpace(result)
	}
	return list
}

var flagNames = map[string]resolver.Flags{
	"PASSIVE": resolver.Passive, "CANONNAME": resolver.CanonName, "NUMERICHOST": resolver.NumericHost,
	"NUMERICSERV": resolver.NumericServ, "V4MAPPED": resolver.V4Mapped, "ALL": resolver.All,
	"ADDRCONFIG": resolver.AddrConfig, "IDN": resolver.IDN, "CANONIDN": resolver.CanonIDN,
}

var numbers = map[string]int{
	"UNSPEC": 0, "INET": sys.AF_INET, "INET6": sys.AF_INET6, "UNIX": sys.AF_UNIX, "99": 99,
	"ANY": 0, "STREAM": 1, "DGRAM": 2, "RAW": 3, "77": 77, "TCP": 6, "UDP": 17, "ICMP": 1,
}

// call makes the call that a line of a table describes.
func call(t *loop.Task, r *resolver.Resolver, text string) (string, error) {
	fields := strings.Split(text, "|")
	node, service := unescape(fields[0]), fields[1]
	if node == "-" {
		node = resolver.Null
	}
	if service == "-" {
		service = ""
	}
	hints := resolver.Hints{Family: numbers[fields[3]], SockType: numbers[fields[4]], Protocol: numbers[fields[5]]}
	for name := range strings.SplitSeq(fields[2], ",") {
		hints.Flags |= flagNames[name]
	}
	infos, err := r.Getaddrinfo(t, node, service, hints)
	var e *resolver.Error
	if errors.As(err, &e) {
		return e.Code.String(), nil
	}
	return format(infos), err
}

// unescape reads \xNN, by which the tables write what is not printable.
func unescape(text string) string {
	for i := strings.Index(text, `\x`); i >= 0; i = strings.Index(text, `\x`) {
		var c byte
		if _, err := fmt.Sscanf(text[i:], `\x%02x`, &c); err != nil {
			return text
		}
		text = text[:i] + string(rune(c)) + text[i+4:]
	}
	return text
}

func format(infos []resolver.AddrInfo) string {
	var words []string
	for _, info := range infos {
		kind := map[int]string{1: "st", 2: "dg", 3: "raw"}[info.SockType]
		words = append(words, fmt.Sprintf("%v:%d/%sp%d", info.Addr.Addr(), info.Addr.Port(), kind, info.Protocol))
		if info.CanonName != "" {
			words = append(words, "canon="+info.CanonName)
		}
	}
	return strings.Join(words, " ")
}

// comparable makes results equal that differ only in order, as servers rotate
// addresses, or in the name of the first interface.
func comparableResult(text string) string {
	words := strings.Fields(strings.ReplaceAll(text, "%lo:", "%1:"))
	for i, word := range words {
		if strings.HasPrefix(word, ":::") {
			words[i] = "::" + word[2:]
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func runGolden(t *testing.T, table string, least int) {
	differs := deviations(t)
	z := readZones(t, "testdata/lion.test.zone", "testdata/other.test.zone")
	_, errLo := net.InterfaceByName("lo")
	checked := 0
	withServers(t, []func(*asking) []event{z.honest}, func(task *loop.Task, servers []*fake) error {
		dir := tempDir(t)
		writeFile(t, filepath.Join(dir, "hosts"), hosts)
		r := newResolver(t, resolver.Config{
			Files:      resolver.Files{Dir: dir},
			ResolvConf: &resolver.ResolvConf{Search: []string{"lion.test", "corp.lion.test"}},
		}, servers...)
		resolver.SetLocalAddrs(r) // none but loopback, as where the tables were made
		for _, line := range tableLines(t, table) {
			text, want, _ := strings.Cut(line, " => ")
			if errLo != nil && strings.Contains(line, "%lo") {
				continue // this system has no interface of that name
			}
			if other, ok := differs[text]; ok {
				want = other
			}
			before := len(servers[0].log)
			got, err := call(task, r, text)
			if err != nil {
				return err
			}
			checked++
			if comparableResult(got) != comparableResult(want) {
				t.Errorf("%s\n  got  %s\n  want %s", text, got, want)
			}
			if host, _, _ := strings.Cut(text, "|"); numeric(host) && len(servers[0].log) != before {
				t.Errorf("%s: queries went out: %v", text, servers[0].log[before:])
			}
		}
		return nil
	})
	if checked < least {
		t.Errorf("only %d lines were checked", checked)
	}
}

// numeric reports whether a host of a table must cause no query.
func numeric(host string) bool {
	return host != "1e1" && strings.Trim(host, "0123456789abcdefxX.:%+- ") == "" || netip.Addr{}.String() == host
}

// R001 to R022, S299, S301: literals, numbers, flags, families and services.
func TestR001GoldenNumeric(t *testing.T) { runGolden(t, "glibc-numeric.txt", 115) }

// R055 to R068, R121 to R125: names, families, and names in other scripts.
func TestR055GoldenNames(t *testing.T) { runGolden(t, "glibc-names.txt", 115) }
