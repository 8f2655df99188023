package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lion-go/lion/bench/internal/lab"
)

// The laboratory is a network namespace with a pair of virtual interfaces that are connected
// to each other. An address of their network that neither has, but for which the neighbour
// table names the other one, is a black hole: the packet goes out, comes in, is for nobody,
// and is dropped without a word. Live addresses lie on the loopback interface.

// labEnv tells the program that it runs inside.
const labEnv = "LION_DIAL_LAB"

// The addresses of the laboratory. Live IPv6 addresses share the /64 of the dead ones, since
// Go sorts by the length of the common prefix.
func dead4(i int) string { return fmt.Sprintf("10.99.0.%d", 10+i) }
func dead6(i int) string { return fmt.Sprintf("2001:db8:99::%x", 0x10+i) }

const (
	live4    = "10.99.1.1"
	live6    = "2001:db8:99::ff"
	deadEach = 8 // dead addresses of each family
)

// run enters the laboratory and measures there.
func run(o options) error {
	if os.Getenv(labEnv) == "" {
		return lab.Enter(labEnv)
	}
	dir, err := os.MkdirTemp("", "lion-dial")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := furnish(filepath.Join(dir, "hosts")); err != nil {
		return fmt.Errorf("setting up the network: %w", err)
	}
	return measure(o)
}

// furnish sets up interfaces, addresses and names.
func furnish(hosts string) error {
	const mac = "02:00:00:00:00:02"
	commands := []string{
		"link set lo up",
		"link add v0 address 02:00:00:00:00:01 type veth peer name v1 address " + mac,
		"link set v0 up", "link set v1 up",
		"addr add 10.99.0.1/24 dev v0", "addr add 2001:db8:99::1/64 dev v0 nodad",
		"addr add " + live4 + "/32 dev lo", "addr add " + live6 + "/128 dev lo nodad",
	}
	for i := range deadEach {
		for _, dead := range []string{dead4(i), dead6(i)} {
			commands = append(commands, "neigh add "+dead+" lladdr "+mac+" dev v0 nud permanent")
		}
	}
	if err := lab.IP(commands...); err != nil {
		return err
	}
	return nameHosts(hosts)
}

// nameHosts puts the names of the cases in the place of /etc/hosts, in this namespace only.
func nameHosts(path string) error {
	var b strings.Builder
	for _, c := range cases {
		for _, addr := range c.addrs {
			fmt.Fprintf(&b, "%s %s\n", addr, c.host())
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return err
	}
	return lab.Cover("/etc/hosts", path)
}
