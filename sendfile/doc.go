// Package sendfile moves bytes from files to streams, and from one connection
// to another, with as few copies and system calls as the system allows.
//
//	f, err := sendfile.Open("index.html")
//	...
//	n, err := f.Send(t, conn, 0, -1, sendfile.WithHeader(header))
//
// Send leaves the position of the file alone: any number of tasks can send from
// one file at once, so a server can keep its files open. On Linux the bytes
// never pass through user space, and a header shares a packet with the first of
// them. Up to 16 KiB go by one read and one send, which costs less. Elsewhere, over
// TLS, and for what is no regular file, they are read and sent in pieces; callers
// need not care, and MethodUsed tells.
//
// Windows carries out a large file by itself (TransmitFile), if Open has opened it:
// an *os.File has a position that it would move. A worker waits for it, so that the
// loop goes on, at most 64 of them; further files are copied, and so is everything on
// editions of Windows that are not for servers, which allow two such transmissions in
// the whole system: two slow peers would stop all others. A cancelled Send tells how
// much went, but Winsock may reset the connection then.
//
// Who opens a file for each answer uses Open, which costs half of what os.Open does.
// The function Send takes an *os.File; it asks less if it is told the size. Open
// follows links, as os.Open does: who serves files by names that strangers choose
// opens them beneath an os.Root, and uses Send.
//
// A file that is not in the page cache would make its loop wait for the disk,
// and with it every other task. Where the system tells (Linux), each part is
// looked for before it is sent, and read by a worker if it is not there. A File of
// 16 to 256 KiB that was there is not looked for again for up to 10 ms: should the
// kernel have dropped it meanwhile, its loop waits for the disk once. While
// 64 MiB came from a disk of 32 MiB/s, so that each part took 8 ms, none of 1,554
// calls of sendfile(2) took longer than 6 ms, on a busy machine, and a task beside
// it that sleeps a millisecond woke 0.1 ms late as a rule, 11 ms in the worst of a
// hundred; beside a task that reads and sends it was 2.7 ms and 254 ms
// (BenchmarkColdFile in bench/micro).
//
// Copy moves what one connection receives to another: by reads and writes while
// pieces are small, by splice(2) when they come in bulk.
package sendfile
