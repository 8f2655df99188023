package compat

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/tidwall/redcon"
	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket/stdnet"
)

// http.ReadRequest and Response.Write answer Request.Write and http.ReadResponse.
func TestTaskHTTP(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return err
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return err
		}
		answer := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1,
			Request: request, ContentLength: int64(len(body)),
			Body: io.NopCloser(strings.NewReader(strings.ToUpper(string(body))))}
		return answer.Write(c)
	}, getAnswer)
}

// getAnswer posts a body by net/http's parts, and wants it back in capitals.
func getAnswer(_ *loop.Task, c *stdnet.TaskConn) error {
	text := strings.Repeat("lion", 1<<16)
	request, err := http.NewRequest(http.MethodPost, "http://lion/", strings.NewReader(text))
	if err != nil {
		return err
	}
	if err := request.Write(c); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	return errors.Join(err, answer.Body.Close(), same(string(body), strings.ToUpper(text)))
}

// ServeConn of fasthttp serves a connection to its end.
func TestTaskFasthttp(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		server := fasthttp.Server{
			Handler: func(ctx *fasthttp.RequestCtx) {
				ctx.SetBodyString(strings.ToUpper(string(ctx.PostBody())))
			},
			NoDefaultDate:   true, // the date is kept by a goroutine
			CloseOnShutdown: true, Name: "compat", MaxRequestsPerConn: 1,
		}
		return server.ServeConn(c)
	}, getAnswer)
}

// The reader and the writer of redcon take pipelined commands.
func TestTaskRedcon(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		r, w := redcon.NewReader(c), redcon.NewWriter(c)
		for range 2 {
			command, err := r.ReadCommand()
			if err != nil {
				return err
			}
			w.WriteBulk(command.Args[1])
		}
		return w.Flush()
	}, func(_ *loop.Task, c *stdnet.TaskConn) error {
		_, err := io.WriteString(c, "*2\r\n$4\r\nECHO\r\n$3\r\none\r\n*2\r\n$4\r\nECHO\r\n$3\r\ntwo\r\n")
		if err != nil {
			return err
		}
		answer := make([]byte, 18)
		_, err = io.ReadFull(c, answer)
		return errors.Join(err, same(string(answer), "$3\r\none\r\n$3\r\ntwo\r\n"))
	})
}

// Both ends of a WebSocket of gobwas/ws: upgrade, a message each way, close.
func TestTaskWebSocket(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		if _, err := (ws.Upgrader{}).Upgrade(c); err != nil {
			return err
		}
		text, op, err := wsutil.ReadClientData(c)
		if err != nil {
			return err
		}
		return wsutil.WriteServerMessage(c, op, []byte(strings.ToUpper(string(text))))
	}, func(_ *loop.Task, c *stdnet.TaskConn) error {
		to, err := url.Parse("ws://lion/")
		if err != nil {
			return err
		}
		early, _, err := (ws.Dialer{}).Upgrade(c, to)
		if err != nil {
			return err
		}
		if early != nil {
			return errors.New("bytes came before the message was asked for")
		}
		if err := wsutil.WriteClientText(c, []byte("hello")); err != nil {
			return err
		}
		text, err := wsutil.ReadServerText(c)
		return errors.Join(err, same(string(text), "HELLO"))
	})
}

// pgproto3 speaks both sides of the protocol of PostgreSQL.
func TestTaskPostgres(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		b := pgproto3.NewBackend(c, c)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return err
		}
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if err := b.Flush(); err != nil {
			return err
		}
		message, err := b.Receive()
		if err != nil {
			return err
		}
		query, ok := message.(*pgproto3.Query)
		if !ok {
			return errors.New("no query came")
		}
		b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(query.String)}})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		return b.Flush()
	}, func(_ *loop.Task, c *stdnet.TaskConn) error {
		f := pgproto3.NewFrontend(c, c)
		f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30,
			Parameters: map[string]string{"user": "lion"}})
		f.Send(&pgproto3.Query{String: "select 1"})
		if err := f.Flush(); err != nil {
			return err
		}
		for {
			message, err := f.Receive()
			if err != nil {
				return err
			}
			if row, ok := message.(*pgproto3.DataRow); ok {
				return same(string(row.Values[0]), "select 1")
			}
		}
	})
}

// Double is a service of net/rpc.
type Double struct{}

// Of returns twice its argument.
func (Double) Of(n int, twice *int) error {
	*twice = 2 * n
	return nil
}

// ServeRequest of net/rpc takes a request with the codec of gob, and answers it,
// in the goroutine of its caller. The codec is that of encoding/gob here, since
// the package keeps its own for ServeConn, which starts goroutines.
func TestTaskRPC(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		server := rpc.NewServer()
		if err := server.Register(Double{}); err != nil {
			return err
		}
		return server.ServeRequest(newGobServer(c))
	}, func(_ *loop.Task, c *stdnet.TaskConn) error {
		codec := newGobServer(c)
		err := errors.Join(codec.enc.Encode(&rpc.Request{ServiceMethod: "Double.Of", Seq: 1}),
			codec.enc.Encode(21), codec.out.Flush())
		if err != nil {
			return err
		}
		var head rpc.Response
		var twice int
		err = errors.Join(codec.dec.Decode(&head), codec.dec.Decode(&twice))
		if err == nil && (twice != 42 || head.Seq != 1) {
			err = errors.New("a wrong answer")
		}
		return err
	})
}

// A client of net/smtp talks to a server made of net/textproto.
func TestTaskSMTP(t *testing.T) {
	between(t, func(_ *loop.Task, c *stdnet.TaskConn) error {
		return fakeSMTP(c)
	}, func(_ *loop.Task, c *stdnet.TaskConn) error {
		return sendMail(c)
	})
}

// sendMail sends a message by net/smtp.
func sendMail(c net.Conn) error {
	client, err := smtp.NewClient(c, "localhost")
	if err != nil {
		return err
	}
	if err := errors.Join(client.Mail("a@lion"), client.Rcpt("b@lion")); err != nil {
		return err
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "Subject: hello\r\n\r\n.hello\r\n")
	return errors.Join(err, w.Close(), client.Quit())
}

// fakeSMTP takes one message, and fails unless it is that of sendMail.
func fakeSMTP(c net.Conn) error {
	text := textproto.NewConn(c)
	if err := text.PrintfLine("220 compat"); err != nil {
		return err
	}
	var mail []byte
	for {
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		answer := "250 fine"
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "DATA":
			if err := text.PrintfLine("354 go on"); err != nil {
				return err
			}
			if mail, err = text.ReadDotBytes(); err != nil {
				return err
			}
		case "QUIT":
			return errors.Join(text.PrintfLine("221 bye"), same(string(mail), "Subject: hello\n\n.hello\n"))
		}
		if err := text.PrintfLine("%s", answer); err != nil {
			return err
		}
	}
}
