// Package sendfile moves bytes from files to streams, and from one connection
// to another, with as few copies and system calls as the system allows.
//
//	f, err := os.Open("index.html")
//	...
//	n, err := sendfile.Send(t, conn, f, 0, -1, sendfile.WithHeader(header))
//
// Send leaves the position of the file alone: any number of tasks can send from
// one *os.File at once, so a server can keep its files open. On Linux the bytes
// never pass through user space, and a header shares a packet with the first of
// them. Elsewhere, over TLS, and for what is no regular file, they are read and
// sent in pieces; callers need not care, and MethodUsed tells.
//
// A file that is not in the page cache would make its loop wait for the disk,
// and with it every other task. Where the system tells (Linux), such parts are
// read by a worker first, and then sent from the cache.
//
// Copy moves what one connection receives to another: by reads and writes while
// pieces are small, by splice(2) when they come in bulk.
package sendfile
