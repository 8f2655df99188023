package eyeballs

import (
	"crypto/tls"
	"strings"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// DialTLS is Dial with TLS as a part of the race: the connection that has
// completed its handshake first wins, so an address at which the network or the
// server accepts connections and then says nothing does not. The name to be
// verified is that of the address, unless setup has one; a nil setup is one
// of defaults. WithHandshake cannot be used with it. If WithServices finds
// a key for ECH, the name is hidden. It is a checkpoint.
func DialTLS(
	t *loop.Task, resolve socket.Resolve, address string, setup *tls.Config, opts ...Option,
) (*socket.TLSConn, error) {
	host, _, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	if setup = setup.Clone(); setup == nil {
		setup = &tls.Config{}
	}
	if setup.ServerName == "" {
		setup.ServerName, _, _ = strings.Cut(host, "%") // a zone is no part of the name
	}
	made := make(map[*socket.Conn]*socket.TLSConn)
	own := func(c *config) error {
		if c.handshake != nil {
			return misuse("DialTLS with another handshake")
		}
		c.handshake = func(t *loop.Task, plain conn, at *Endpoint) error {
			secure, err := socket.TLSClient(plain.(*socket.Conn), at.tls(setup))
			if err != nil {
				return err
			}
			made[plain.(*socket.Conn)] = secure
			return secure.Handshake(t)
		}
		return nil
	}
	won, err := Dial(t, resolve, address, append(opts[:len(opts):len(opts)], own)...)
	if err != nil {
		return nil, err
	}
	return made[won], nil
}

// tls is the setup for an endpoint: with its keys the name is hidden.
func (p *Endpoint) tls(setup *tls.Config) *tls.Config {
	if p == nil || len(p.ECH) == 0 || setup.EncryptedClientHelloConfigList != nil {
		return setup
	}
	setup = setup.Clone()
	setup.EncryptedClientHelloConfigList = p.ECH
	setup.MinVersion = tls.VersionTLS13 // older versions have no ECH
	return setup
}
