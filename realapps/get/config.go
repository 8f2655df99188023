package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// config is what the arguments say, checked.
type config struct {
	url      *url.URL
	output   string
	trace    bool
	traceSVG string
	progress bool

	only4, only6 bool
	connectTo    []netip.AddrPort
	roots        string
	insecure     bool

	// Limits. Each bounds something that a server could otherwise take without end.
	timeout        time.Duration
	connectTimeout time.Duration
	stall          time.Duration
	redirects      int
	maxBytes       int64
}

// shortUsage follows the complaint about arguments that make no sense.
const shortUsage = "usage: get [flags] URL; get -help lists the flags\n"

const usage = `usage: get [flags] URL

Get fetches the document at an http or https URL. A URL without a scheme is https.

`

// parse reads the arguments. The usage goes to stderr if it is asked for.
func parse(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	connectTo := ""
	f := flag.NewFlagSet("get", flag.ContinueOnError)
	f.StringVar(&c.output, "o", "", "write to this `file` instead of standard output, under a progress bar")
	f.BoolVar(&c.trace, "trace", false, "draw each race for a connection on standard error")
	f.StringVar(&c.traceSVG, "trace-svg", "", "draw the last race into this SVG `file`")
	f.BoolVar(&c.progress, "progress", false, "show the progress bar of -o even if nobody is at a terminal")
	f.BoolVar(&c.only4, "4", false, "use IPv4 only")
	f.BoolVar(&c.only6, "6", false, "use IPv6 only")
	f.StringVar(&connectTo, "connect-to", "",
		"connect to these literal `addresses`, with ports and commas, instead of the host of the URL")
	f.StringVar(&c.roots, "cacert", "", "trust the certificates in this PEM `file`, and no others")
	f.BoolVar(&c.insecure, "insecure", false, "accept any certificate: whoever is on the way can read and change everything")
	f.DurationVar(&c.timeout, "timeout", 0, "`time` for everything; 0 is no limit")
	f.DurationVar(&c.connectTimeout, "connect-timeout", 30*time.Second, "`time` for each connection, with its lookup and TLS")
	f.DurationVar(&c.stall, "stall", 60*time.Second, "`time` in which the server has to send something")
	f.IntVar(&c.redirects, "redirects", 10, "how many redirects to follow")
	f.Int64Var(&c.maxBytes, "max-bytes", 0, "largest document in `bytes`; 0 is no limit")
	f.SetOutput(io.Discard) // run reports the error, once
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, usage)
		f.SetOutput(stderr)
		f.PrintDefaults()
	}
	if err != nil {
		return nil, err
	}
	if f.NArg() != 1 {
		return nil, fmt.Errorf("want one URL after the flags, got %d", f.NArg())
	}
	if c.connectTo, err = parseAddresses(connectTo); err != nil {
		return nil, err
	}
	if c.url, err = parseURL(f.Arg(0)); err != nil {
		return nil, err
	}
	return c, c.check()
}

// check refuses what can not mean anything.
func (c *config) check() error {
	switch {
	case c.only4 && c.only6:
		return errors.New("-4 and -6 leave no addresses")
	case c.timeout < 0 || c.connectTimeout <= 0 || c.stall <= 0:
		return errors.New("a time is negative, or nothing")
	case c.redirects < 0 || c.maxBytes < 0:
		return errors.New("a limit is negative")
	case c.insecure && c.roots != "":
		return errors.New("-insecure does not look at certificates, so -cacert is useless")
	}
	return nil
}

// parseURL reads a URL as a person types it.
func parseURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	return u, checkURL(u)
}

// checkURL is for what a person types and for what a server redirects to.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%s: the scheme %q is neither http nor https", u.Redacted(), u.Scheme)
	case u.Hostname() == "":
		return fmt.Errorf("%s: there is no host", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("%s: names and passwords in a URL are not sent", u.Redacted())
	}
	return nil
}

// addressOf is what to connect to for a URL.
func addressOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func parseAddresses(list string) (all []netip.AddrPort, err error) {
	if list == "" {
		return nil, nil
	}
	for _, text := range strings.Split(list, ",") {
		addr, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fmt.Errorf("-connect-to wants literals like 192.0.2.1:443 or [2001:db8::1]:443: %w", err)
		}
		all = append(all, addr)
	}
	return all, nil
}
