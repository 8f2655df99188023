package resolver

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Files says where the files are that tell how names are found. An empty name
// stands for the usual one in Dir, and an empty Dir for /etc.
type Files struct {
	Dir        string // where the files are whose names are empty
	ResolvConf string // see resolv.conf(5)
	Hosts      string // see hosts(5)
	NSSwitch   string // see nsswitch.conf(5); its line for hosts counts
	GaiConf    string // see gai.conf(5)
	Services   string // see services(5)
}

// The files, as indices.
const (
	fileResolv = iota
	fileHosts
	fileNSSwitch
	fileGai
	fileServices
	fileCount
)

var fileNames = [fileCount]string{"resolv.conf", "hosts", "nsswitch.conf", "gai.conf", "services"}

// fileLimits bound what is read, in bytes. A larger file is refused, and what
// was known before stands.
var fileLimits = [fileCount]int64{maxResolvConf, maxHosts, 1 << 20, 1 << 20, 16 << 20}

// freshness is how old an empty file has to be to be believed: some programs
// write in two steps, first nothing and then everything.
const freshness = time.Second

func (f *Files) paths() (paths [fileCount]string) {
	dir := f.Dir
	if dir == "" {
		dir = "/etc"
	}
	for i, given := range []string{f.ResolvConf, f.Hosts, f.NSSwitch, f.GaiConf, f.Services} {
		paths[i] = given
		if given == "" {
			paths[i] = filepath.Join(dir, fileNames[i])
		}
	}
	return paths
}

// settings are what the files said at one time. They are never changed, only
// replaced as a whole; a lookup that has begun ends with those it began with.
type settings struct {
	generation uint64
	infos      [fileCount]fs.FileInfo // nil for a file that is not there
	errs       [fileCount]error
	ignored    [fileCount]int // lines and words that mean nothing

	resolv   *ResolvConf
	hosts    *hosts
	sources  []nssSource
	skipped  []string // sources that do not exist here
	mdns     bool     // .local belongs to a source that is not the DNS
	services services
	sorter   sorter
	hostname string
	stub     *stub
	backend  Backend
}

// blank stands in for settings where only numbers are read.
var blank = &settings{
	resolv: defaultResolvConf(), services: builtinServices,
	sorter: sorter{defaultPolicy, kernelSource},
}

// settingsUnless returns the settings for a lookup, without a look at any file
// if host and service are numbers. It is a checkpoint only if it does look.
func (r *Resolver) settingsUnless(t *loop.Task, isNumber bool, service string) (*settings, error) {
	if isNumber && strings.Trim(service, "0123456789") == "" {
		return blank, nil
	}
	return r.settingsFor(t)
}

// isNumeric reports whether a host is no name, in any form.
func isNumeric(host string) bool {
	_, form := literal(host, false)
	return form != formName
}

// errand is something that is done once for all tasks of a loop.
type errand struct {
	loop *loop.Loop
	what string
}

// together runs fn for the first of the tasks of a loop that want the same; the
// others wait, and are content if known says so then. Ten thousand that begin
// together cost one worker, not as many.
func (r *Resolver) together(t *loop.Task, what string, known func() bool, fn func() error) error {
	key := errand{t.Loop(), what}
	for {
		r.mu.Lock()
		lot := r.errands[key]
		if lot == nil {
			lot = &loop.ParkingLot{}
			r.errands[key] = lot
			r.mu.Unlock()
			defer func() {
				r.mu.Lock()
				delete(r.errands, key)
				r.mu.Unlock()
				wakeAll(lot)
			}()
			return fn()
		}
		r.mu.Unlock()
		if err := lot.Park(t, "resolver errand"); err != nil {
			return err
		}
		if known() {
			return nil // else who went was cancelled: it is our turn
		}
	}
}

// load reads the files that have changed since old; it returns old if none
// has. It blocks.
func (r *Resolver) load(old *settings) *settings {
	paths := r.config.Files.paths()
	next := &settings{backend: r.config.Backend, generation: 1}
	if old != nil {
		*next = *old
		next.generation++
	}
	changed := old == nil
	for i, path := range paths {
		if r.config.Backend != nil && (i == fileHosts || i == fileNSSwitch) {
			path = "" // the backend knows
		}
		info, err := os.Stat(path)
		if err != nil {
			info = nil
		}
		if old != nil && sameFile(old.infos[i], info) || tooFresh(old, i, info) {
			continue
		}
		text, err := readFile(path, fileLimits[i])
		lasting := err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrTooLarge)
		if !lasting && old != nil {
			continue // no descriptor, say: what was known stands, and the next look tries again
		}
		if !lasting {
			info = nil
		}
		next.infos[i], next.errs[i], changed = info, err, true
		if err != nil && !errors.Is(err, fs.ErrNotExist) && old != nil {
			continue // what was known stands
		}
		r.parse(next, i, text)
	}
	if !changed {
		return old
	}
	r.finish(next, old)
	return next
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// tooFresh reports whether a file that had something in it has just become
// empty.
func tooFresh(old *settings, i int, info fs.FileInfo) bool {
	if old == nil || old.infos[i] == nil || old.infos[i].Size() == 0 {
		return false
	}
	return info != nil && info.Size() == 0 && time.Since(info.ModTime()) < freshness
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if int64(len(text)) > limit {
		return "", &fs.PathError{Op: "read", Path: path, Err: ErrTooLarge}
	}
	return string(text), err
}

func (r *Resolver) parse(s *settings, i int, text string) {
	s.ignored[i] = 0
	ignored := &s.ignored[i]
	switch i {
	case fileResolv:
		s.hostname, _ = os.Hostname()
		s.resolv = parseResolvConf(text, s.hostname)
		if r.config.ResolvConf != nil {
			s.resolv = r.config.ResolvConf
		}
		if r.config.UseEnv {
			conf := *s.resolv
			conf.useEnv(os.Getenv("LOCALDOMAIN"), os.Getenv("RES_OPTIONS"))
			s.resolv = &conf
		}
		*ignored = s.resolv.ignored
		s.stub = nil
	case fileHosts:
		s.hosts = parseHosts(text, ignored)
	case fileNSSwitch:
		s.sources = parseNSSwitch(text, ignored)
	case fileGai:
		s.sorter = sorter{parseGaiConf(text, ignored), r.sources.find}
	case fileServices:
		s.services = parseServices(text, ignored)
		if len(s.services) == 0 {
			s.services = builtinServices
		}
	}
}

// finish derives what depends on more than one file.
func (r *Resolver) finish(s, old *settings) {
	if s.stub == nil {
		s.stub = newStub(r, s.resolv)
	}
	if s.backend == nil && !stubByDefault() && r.config.ResolvConf == nil && r.config.Files == (Files{}) {
		s.backend = System{}
	}
	s.skipped, s.mdns = nil, false
	for _, source := range s.sources {
		s.mdns = s.mdns || isMDNS(source.name)
		if !slices.Contains([]string{"files", "dns", "myhostname"}, source.name) {
			s.skipped = append(s.skipped, source.name)
		}
	}
}

// stubByDefault reports whether the files say how names are found on this
// system: elsewhere the system itself has to be asked.
func stubByDefault() bool { return sys.NamesInFiles }

// localAddrs are the addresses of this machine.
type localAddrs struct {
	when   time.Time
	global []netip.Addr // neither loopback nor of a link
}

// localAddrs returns the addresses of this machine, at most Recheck old. It is
// a checkpoint if it has to ask the system.
func (r *Resolver) localAddrs(t *loop.Task) (*localAddrs, error) {
	now := t.Now()
	if known := r.local.Load(); known != nil && now.Sub(known.when) < r.config.Recheck {
		return known, nil
	}
	known := func() bool { return r.local.Load() != nil }
	err := r.together(t, "addresses", known, func() error {
		list, err := offload(t, net.InterfaceAddrs)
		if err == nil {
			r.local.Store(globalOf(list, now))
		}
		return err
	})
	return r.local.Load(), err
}

// globalOf takes the addresses that others can reach out of a list.
func globalOf(list []net.Addr, now time.Time) *localAddrs {
	fresh := &localAddrs{when: now}
	for _, item := range list {
		prefix, ok := item.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(prefix.IP)
		addr = addr.Unmap()
		if ok && !addr.IsLoopback() && !addr.IsLinkLocalUnicast() {
			fresh.global = append(fresh.global, addr)
		}
	}
	return fresh
}

// configured reports which families this machine has addresses of; both if it
// cannot be told. It is a checkpoint if it has to ask the system.
func (r *Resolver) configured(t *loop.Task) wanted {
	local, err := r.localAddrs(t)
	if err != nil {
		return wanted{true, true}
	}
	var have wanted
	for _, addr := range local.global {
		have[v4] = have[v4] || addr.Is4()
		have[v6] = have[v6] || addr.Is6()
	}
	return have
}
