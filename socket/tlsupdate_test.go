package socket_test

import (
	"bytes"
	"crypto/aes"
	gcm "crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// keyUpdate is a record that asks for new keys, which crypto/tls never does: the
// seq-th that the client sends after its handshake. keys is what the client wrote
// as its KeyLogWriter. See RFC 8446, sections 4.6.3, 5.2, 5.3 and 7.3.
func keyUpdate(t *testing.T, keys string, seq byte) []byte {
	_, line, ok := strings.Cut(keys, "CLIENT_TRAFFIC_SECRET_0 ")
	line, _, _ = strings.Cut(line, "\n")
	_, text, _ := strings.Cut(line, " ")
	secret, err := hex.DecodeString(text)
	if !ok || err != nil || len(secret) != sha256.Size {
		t.Fatalf("no secret of SHA-256 in %q", keys)
	}
	derive := func(label string, size int) []byte {
		label = "tls13 " + label
		info := "\x00" + string(rune(size)) + string(rune(len(label))) + label + "\x00"
		out, err := hkdf.Expand(sha256.New, secret, info, size)
		must(t, err)
		return out
	}
	block, err := aes.NewCipher(derive("key", 16))
	must(t, err)
	aead, err := gcm.NewGCM(block)
	must(t, err)
	nonce := derive("iv", aead.NonceSize())
	nonce[len(nonce)-1] ^= seq
	message := []byte{24, 0, 0, 1, 1, 22} // update_requested, in a handshake record
	header := []byte{23, 3, 3, 0, byte(len(message) + aead.Overhead())}
	return append(header, aead.Seal(nil, nonce, message, header)...)
}

// A key update that came behind what the handler received is answered before the
// connection goes idle: nothing of TLS waits in memory until the peer speaks again.
func TestServeTLSKeyUpdateBehind(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var served *socket.TLSConn
		handler := func(t *loop.Task, s stream.Stream) error {
			served = s.(*socket.TLSConn)
			if n, err := s.Receive(t, make([]byte, 100)); n == 0 || err != nil {
				return err
			}
			return socket.GoIdle
		}
		return serving(task, t, handler, func(s *socket.Server) error {
			var keys bytes.Buffer
			config := authority().client.Clone()
			config.MinVersion, config.KeyLogWriter = tls.VersionTLS13, &keys
			pen := &scribe{Conn: dial(task, t, s)}
			c, err := socket.TLSClient(pen, config)
			must(t, err)
			defer c.Close()
			must(t, c.Handshake(task))
			state, err := c.ConnectionState()
			must(t, err)
			if state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
				t.Skipf("%s was negotiated, for which the test has no keys",
					tls.CipherSuiteName(state.CipherSuite))
			}
			pen.writes = true
			must(t, c.SendAll(task, []byte("hello")))
			must(t, pen.Conn.SendAll(task, append(pen.text, keyUpdate(t, keys.String(), 1)...)))
			until(task, t, func() bool {
				got := s.Statistics()
				return got.Runs == 1 && got.Idle == 1
			})
			if got := served.Statistics(); got.Unsent != 0 || got.Closed {
				t.Errorf("idle: %+v", got)
			}
			return nil
		}, withTLS())
	})
}
