package compat

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket/stdnet"
)

// Package database/sql with pgx as its driver speaks to a real PostgreSQL over
// connections that lion dials: queries side by side, a large answer, and queries
// that are cancelled or run out of time, after which the pool goes on.
func TestGoroutinesPostgres(t *testing.T) {
	at := startPostgres(t)
	for _, host := range []string{"127.0.0.1", "localhost", at.dir} { // TCP, and a Unix socket
		onLoop(t, func(l *loop.Loop, _ net.Listener, _ *stdnet.Dialer) {
			db, err := databaseOver(l, fmt.Sprintf(
				"host=%s port=%d user=lion dbname=postgres sslmode=disable", host, at.port))
			must(t, err)
			defer db.Close()
			db.SetMaxOpenConns(postgresConns)
			queriesSideBySide(t, db)
			largeAnswer(t, db)
			cancelledQuery(t, db)
			expiredQuery(t, db)
			queriesSideBySide(t, db)
			queryOfATask(t, l, db)
		})
	}
}

const postgresConns = 4

// queryOfATask waits for the answer in a worker, while the loop dials for it.
func queryOfATask(t *testing.T, l *loop.Loop, db *sql.DB) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "create table visits (page text)")
	must(t, err)
	_, err = db.ExecContext(t.Context(), "insert into visits values ('a'), ('b'), ('a')")
	must(t, err)
	db.SetMaxIdleConns(0) // the next query has to dial
	must(t, l.Do(t.Context(), func(task *loop.Task) error {
		n, err := visits(task, db, "a")
		if n != 2 {
			t.Errorf("%d visits of 2", n)
		}
		return err
	}))
	_, err = db.ExecContext(t.Context(), "drop table visits")
	must(t, err)
}

func queriesSideBySide(t *testing.T, db *sql.DB) {
	t.Helper()
	var all sync.WaitGroup
	failed := make(chan error, 4*postgresConns)
	for i := range cap(failed) {
		all.Go(func() {
			var got int
			err := db.QueryRowContext(t.Context(), "select $1::int * 2", i).Scan(&got)
			if err == nil && got != 2*i {
				err = fmt.Errorf("twice %d is %d", i, got)
			}
			failed <- err
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		must(t, err)
	}
}

// largeAnswer is larger than all buffers on its way.
func largeAnswer(t *testing.T, db *sql.DB) {
	t.Helper()
	const rows, width = 20_000, 500
	found, err := db.QueryContext(t.Context(),
		"select n, repeat('x', $2) from generate_series(1, $1) n", rows, width)
	must(t, err)
	defer found.Close()
	count := 0
	for found.Next() {
		var n int
		var text string
		must(t, found.Scan(&n, &text))
		if count++; n != count || len(text) != width {
			t.Fatalf("row %d: number %d, %d characters", count, n, len(text))
		}
	}
	must(t, found.Err())
	if count != rows {
		t.Errorf("%d rows of %d", count, rows)
	}
}

// cancelledQuery cancels a query once the server is at work on it.
func cancelledQuery(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(ctx, "select pg_sleep(600)")
		ended <- err
	}()
	for asleep := 0; asleep == 0; {
		must(t, db.QueryRowContext(t.Context(), "select count(*) from pg_stat_activity "+
			"where wait_event = 'PgSleep'").Scan(&asleep))
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the cancelled query: %v", err)
	}
}

// expiredQuery runs out of time, and the server does not go on with it.
func expiredQuery(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, "select pg_sleep(600)")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the expired query: %v", err)
	}
	for asleep := 1; asleep > 0; {
		must(t, db.QueryRowContext(t.Context(), "select count(*) from pg_stat_activity "+
			"where wait_event = 'PgSleep'").Scan(&asleep))
	}
}

// postgresAt is where a server listens: at a port of loopback, and at a socket in
// a directory.
type postgresAt struct {
	dir  string
	port uint16
}

// freePort returns a port of loopback that was free just now. PostgreSQL cannot
// choose one itself.
func freePort(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// startPostgres makes a cluster and runs its server until the test ends.
func startPostgres(t *testing.T) postgresAt {
	t.Helper()
	programs := postgresPrograms(t)
	dir, err := os.MkdirTemp("", "lion-pg")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	who := unprivileged(t, dir)
	data := filepath.Join(dir, "data")
	out, err := who(filepath.Join(programs, "initdb"), "-D", data, "-U", "lion",
		"-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8").CombinedOutput()
	if err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	at := postgresAt{dir: dir, port: freePort(t)}
	control := func(args ...string) ([]byte, error) {
		args = append([]string{"-D", data, "-w", "-l", filepath.Join(dir, "log")}, args...)
		return who(filepath.Join(programs, "pg_ctl"), args...).CombinedOutput()
	}
	options := fmt.Sprintf("-c listen_addresses=127.0.0.1 -c fsync=off -p %d -k %s", at.port, dir)
	if out, err := control("start", "-o", options); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) // what there is of it
		t.Fatalf("pg_ctl: %v\n%s\n%s", err, out, log)
	}
	t.Cleanup(func() {
		if out, err := control("stop", "-m", "immediate"); err != nil {
			t.Errorf("pg_ctl stop: %v\n%s", err, out)
		}
	})
	return at
}

// postgresPrograms finds the programs of a server; Debian keeps them off PATH.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a PostgreSQL takes seconds to start: not with -short")
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	must(t, err)
	if len(found) == 0 {
		t.Skip("no initdb: this test needs PostgreSQL (Debian package postgresql)")
	}
	return filepath.Dir(found[len(found)-1])
}

// nobody is the user that has no rights, by convention.
const nobody = "65534"

// unprivileged makes commands run as nobody, who then owns dir, if the test is
// root: PostgreSQL refuses to be.
func unprivileged(t *testing.T, dir string) func(program string, args ...string) *exec.Cmd {
	t.Helper()
	var as []string
	if os.Getuid() == 0 {
		if _, err := exec.LookPath("setpriv"); err != nil {
			t.Skip("PostgreSQL will not run as root: this test needs setpriv (util-linux)")
		}
		as = []string{"setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups"}
		id, err := strconv.Atoi(nobody)
		must(t, errors.Join(err, os.Chown(dir, id, id)))
	}
	return func(program string, args ...string) *exec.Cmd {
		line := append(append(slices.Clone(as), program), args...)
		c := exec.Command(line[0], line[1:]...)
		c.Dir = dir
		return c
	}
}
