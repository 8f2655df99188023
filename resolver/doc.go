// Package resolver finds the addresses of names: getaddrinfo in pure Go, for
// tasks, with a bound on how much of it goes on at a time.
//
//	conn, err := eyeballs.Dial(t, resolver.Default, "example.org:443")
//
// Three ways lead in. Resolve, of which Default is the one that everybody
// shares, is for those who dial and listen: it is strict, takes names in any
// script, and tells about IPv6 and IPv4 apart, each as soon as it is known.
// Getaddrinfo is the function of POSIX with the semantics of glibc; what
// differs is listed in docs/resolver.md. Getnameinfo goes the other way.
//
// # How a name is found
//
// Addresses and other numbers are answered at once: no file is opened, no
// packet sent. So are localhost and what is below it, and names that are never
// in the DNS (.invalid, .onion, .alt). All else goes by /etc/nsswitch.conf: the
// hosts file, then the name servers of /etc/resolv.conf. The files are read
// beside the loop, and again when they have changed.
//
// A question to a name server goes out from a fresh socket, so from a random
// port, with a random number and letters in random case; AAAA and A together.
// Only an answer that repeats all this counts, and of it only the records that
// belong to the name or to what it is an alias of. Everything else is counted
// and ignored, and makes the question go out by TCP as well. If no answer comes
// in four times the usual time the next server is asked too; silent servers
// are asked last from then on.
//
// # Throttle
//
// At most Config.Slots questions are on their way at a time; the rest waits in
// line. Callers, that is the nurseries of the tasks that ask, take turns, and
// each is served in order. Tasks of one loop that ask the same share one
// question. A task that is cancelled leaves at once; the question ends when the
// last of its tasks has left. Statistics tells all this in numbers.
//
// # Errors
//
// Errors are of type *Error, and match with errors.Is: NoName (there is no such
// name), NoData (there is, but without such an address), and Again (nobody
// could tell), with loop.ErrTimeout, ErrRefused, ErrServerFailure and others as
// the reason; SystemError stands for a want of descriptors.
package resolver
