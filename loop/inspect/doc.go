// Package inspect shows what the loops of a program are doing: a live page and
// JSON over HTTP, variables for expvar, events for log/slog, and labels for
// profiles. All of it stands on what package loop offers to everybody:
// snapshots and instruments.
//
//	page := inspect.NewPage()
//	go http.ListenAndServe("127.0.0.1:6060", page)
//	loop.Main(serve, page.Watch, loop.WithWatchdog(0, nil))
//
// The page shows names, addresses and source paths to everybody who reaches
// it, and asking it takes the loops' time. Serve it where only you come in: on
// a loopback address, or behind a handler that asks who is there. It changes
// nothing in the program.
//
// A program that does not want HTTP has loop.Loop.Dump and loop.WithDumpOn.
package inspect
