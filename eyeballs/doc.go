// Package eyeballs connects to hosts that have several addresses, some of
// which may not answer: Happy Eyeballs, RFC 8305, with what its third version
// (draft-ietf-happy-happyeyeballs-v3) decides otherwise.
//
// An address that is dead takes two minutes to say so, and who tries one after
// the other waits for it. Here each attempt keeps the next one waiting for 250
// ms only, or until it fails, and goes on meanwhile; the first that connects
// wins, and the others are closed before the call returns. So k dead addresses
// before a live one cost k times 250 ms and a round trip.
//
//	conn, err := eyeballs.Dial(t, resolver.Default, "example.org:443")
//
// A and AAAA records are asked for at the same time. The race starts with the
// first answer that has addresses, but IPv4 waits up to 50 ms for IPv6; what is
// answered later joins in. Families alternate, so that one that does not work
// is left soon. A History makes a dead address cost nothing the second time.
//
// With WithHandshake an attempt has won only when, say, TLS is up as well. On a
// network with only IPv6 and a NAT64, WithNAT64 leads to IPv4 addresses.
//
// WithTrace records a race: when each lookup was answered, when each attempt
// began and how it ended. The Trace prints as a timeline, and SVG draws it.
//
// The times are exact: the engine is a state machine without a clock, and its
// tests run on virtual time.
package eyeballs
