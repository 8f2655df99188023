package micro

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// tlsMessageMost is the room that both servers have for a message.
const tlsMessageMost = 16 << 10

// BenchmarkTLSServed is what an echo over TLS costs the server, in processor time of its process:
// a task for each connection against a goroutine. The clients are another process, crypto/tls on
// package net whoever serves. Handshakes are not counted.
func BenchmarkTLSServed(b *testing.B) {
	for _, conns := range []int{1, 32} {
		for _, size := range []int{64, 1 << 10, 16 << 10} {
			b.Run(fmt.Sprintf("%d-conns-%d", conns, size), func(b *testing.B) {
				b.Run("lion", func(b *testing.B) { serveTLS(b, conns, size, tlsInTasks) })
				b.Run("net", func(b *testing.B) { serveTLS(b, conns, size, tlsOnNet) })
			})
		}
	}
}

func serveTLS(b *testing.B, conns, size int, serve func(b *testing.B) (at string, stop func())) {
	at, stop := serve(b)
	defer stop()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(),
		fmt.Sprintf("%s=tls %s %d %d %d", clientVariable, at, b.N, size, conns))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	told := bufio.NewReader(out)
	if _, err := told.ReadString('\n'); err != nil { // they are connected
		b.Fatal(err)
	}
	b.ResetTimer()
	before := processorTime(b)
	in.Close()
	if _, err := told.ReadString('\n'); err != nil { // they are done
		b.Fatal(err)
	}
	used := processorTime(b) - before
	b.StopTimer()
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/echo")
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// echoTLS is the clients: address, count, size, connections.
func echoTLS(work []string) error {
	count, _ := strconv.Atoi(work[1])
	size, _ := strconv.Atoi(work[2])
	conns, _ := strconv.Atoi(work[3])
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}
	var connected, done sync.WaitGroup
	start, failed := make(chan bool), make(chan error, conns)
	for i := range conns {
		connected.Add(1)
		n := count / conns
		if i < count%conns {
			n++
		}
		done.Go(func() {
			message := make([]byte, size)
			c, err := tls.Dial("tcp", work[0], config)
			if err == nil {
				err = echoOver(c, message)
			}
			connected.Done()
			<-start
			for ; err == nil && n > 0; n-- {
				err = echoOver(c, message)
			}
			failed <- err
		})
	}
	connected.Wait()
	fmt.Println("connected")
	_, _ = io.ReadAll(os.Stdin)
	close(start)
	done.Wait()
	fmt.Println("done")
	close(failed)
	var all error
	for err := range failed {
		all = errors.Join(all, err)
	}
	return all
}

func echoOver(c net.Conn, message []byte) error {
	if _, err := c.Write(message); err != nil {
		return err
	}
	_, err := io.ReadFull(c, message)
	return err
}

func tlsInTasks(b *testing.B) (at string, stop func()) {
	server, _ := tlsConfigs(b)
	at, _, stop = serveOnLoop(b, nil, func(t *loop.Task, c stream.Stream) error {
		for buf := make([]byte, tlsMessageMost); ; {
			n, err := c.Receive(t, buf)
			if n == 0 || err != nil {
				return err
			}
			if err := c.SendAll(t, buf[:n]); err != nil {
				return err
			}
		}
	}, socket.WithTLS(server), socket.OnError(func(*socket.Conn, error) {}))
	return at, stop
}

func tlsOnNet(b *testing.B) (at string, stop func()) {
	server, _ := tlsConfigs(b)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for buf := make([]byte, tlsMessageMost); ; {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String(), func() { ln.Close() }
}
