package resolver

import "strings"

// status is how a source of names answered, as nsswitch.conf(5) has it.
type status uint8

const (
	statusSuccess status = iota
	statusNotFound
	statusUnavail
	statusTryAgain
	statuses
)

// action is what follows a status.
type action uint8

const (
	actContinue action = iota
	actReturn
	actMerge
)

// nssSource is one word of the hosts line with the actions after it.
type nssSource struct {
	name    string
	actions [statuses]action
}

// maxSources bounds the hosts line; glibc ships about ten modules.
const maxSources = 32

var statusNames = map[string]status{
	"success": statusSuccess, "notfound": statusNotFound,
	"unavail": statusUnavail, "tryagain": statusTryAgain,
}

var actionNames = map[string]action{
	"continue": actContinue, "return": actReturn, "merge": actMerge,
}

func newSource(name string) nssSource {
	s := nssSource{name: name}
	s.actions[statusSuccess] = actReturn
	return s
}

// parseNSSwitch returns the sources for hosts, files and dns if there is no
// such line. Words that make no sense are counted.
func parseNSSwitch(text string, ignored *int) []nssSource {
	for line := range lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "hosts:")
		if !ok {
			continue
		}
		if sources := parseSources(rest, ignored); len(sources) > 0 {
			return sources
		}
	}
	return []nssSource{newSource("files"), newSource("dns")}
}

func parseSources(text string, ignored *int) []nssSource {
	var sources []nssSource
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if text[0] == '[' {
			inside, rest, _ := strings.Cut(text[1:], "]")
			if len(sources) > 0 {
				sources[len(sources)-1].apply(inside, ignored)
			} else {
				*ignored++
			}
			text = rest
			continue
		}
		end := strings.IndexAny(text, " \t[\r")
		if end < 0 {
			end = len(text)
		}
		if len(sources) < maxSources {
			sources = append(sources, newSource(text[:end]))
		} else {
			*ignored++
		}
		text = text[end:]
	}
	return sources
}

// apply reads "NOTFOUND=return !UNAVAIL=continue".
func (s *nssSource) apply(text string, ignored *int) {
	for _, word := range strings.Fields(strings.ToLower(text)) {
		name, what, _ := strings.Cut(word, "=")
		name, all := strings.CutPrefix(name, "!")
		st, okStatus := statusNames[name]
		act, okAction := actionNames[what]
		if !okStatus || !okAction {
			*ignored++
			continue
		}
		for other := range statuses {
			if (other == st) != all {
				s.actions[other] = act
			}
		}
	}
}
