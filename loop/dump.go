package loop

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dump writes the snapshot as text: the tree of tasks by nursery, each with
// what it does and for how long, its scopes and its stack. Tasks of one nursery
// that differ in nothing but number, age and detail are folded into one entry,
// and a stack is printed once. The error is that of w.
func (s *Snapshot) Dump(w io.Writer) error {
	d := dumper{s: s, inside: map[int][]int{}, owned: map[uint64][]int{}, printed: map[string]uint64{}}
	d.head()
	if s.Held != nil {
		d.held()
	} else {
		d.tree()
	}
	_, err := io.WriteString(w, d.b.String())
	return err
}

// Dump writes a dump of the loop to w, from any goroutine, also from a task;
// see Snapshots and Snapshot.Dump. The error is that of w.
func (l *Loop) Dump(w io.Writer) error { return Snapshots(Look{}, l)[0].Dump(w) }

// DumpAll writes a dump of each loop to w, and then the stacks of all goroutines
// that have nothing to do with these loops, equal ones together. See Loop.Dump.
func DumpAll(w io.Writer, loops ...*Loop) error {
	found, stacks := snapshots(Look{}, loops)
	for _, s := range found {
		if err := s.Dump(w); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, otherGoroutines(stacks, loops))
	return err
}

// otherGoroutines prints those that are neither loops nor their coroutines.
func otherGoroutines(stacks []goroutineText, loops []*Loop) string {
	ours := map[uint64]bool{}
	for _, l := range loops {
		ours[l.goroutine.Load()] = true
	}
	d := dumper{printed: map[string]uint64{}}
	alike := map[string]int{}
	var order []string
	for i := range stacks {
		g := &stacks[i]
		if ours[g.number] || ours[g.parent] && g.coroutine != "" {
			continue
		}
		text := g.state + "\n" + g.stack() + "created by " + g.origin
		if alike[text]++; alike[text] == 1 {
			order = append(order, text)
		}
	}
	for _, text := range order {
		state, stack, _ := strings.Cut(text, "\n")
		d.line(0, "%s: %s", count(alike[text], "other goroutine"), state)
		d.stack(2, strings.TrimSuffix(stack, "created by "), 0)
	}
	return d.b.String()
}

// dumper writes one snapshot.
type dumper struct {
	b       strings.Builder
	s       *Snapshot
	inside  map[int][]int    // the tasks in a nursery
	owned   map[uint64][]int // the nurseries of a task
	printed map[string]uint64
}

// line writes an indented line.
func (d *dumper) line(indent int, format string, args ...any) {
	d.b.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(&d.b, format, args...)
	d.b.WriteByte('\n')
}

func (d *dumper) head() {
	s := &d.s.Statistics
	if d.s.Ended {
		d.line(0, "loop %d has ended; it ran %d tasks", d.s.Loop, s.Spawned)
		return
	}
	as := ""
	if d.s.Held != nil {
		as = " its tasks cannot be read while it does not answer; when it last polled:"
		if s.TasksLiving == 0 { // there is always the main task
			d.line(0, "loop %d:%s never", d.s.Loop, as)
			return
		}
	}
	d.line(0, "loop %d:%s %s, %d of them waiting; %s, %s, %s from outside",
		d.s.Loop, as, count(s.TasksLiving, "task"), s.TasksParked, count(s.Timers, "timer"),
		count(s.Descriptors, "descriptor"), count(s.EntryQueue, "call"))
}

func (d *dumper) held() {
	h := d.s.Held
	who := "something that is not a task, such as a callback,"
	if h.Task != "" {
		who = "the task of " + h.Task
	}
	if h.State == "" {
		d.line(0, "it did not answer within %v: it is not running", short(h.Waited))
		return
	}
	d.line(0, "it did not answer within %v: %s holds it (%s)", short(h.Waited), who, h.State)
	d.line(0, "%s", h.Hint)
	d.stack(1, h.Stack, 0)
	var others []int
	for i, t := range d.s.Tasks {
		if t.State == "suspended" {
			others = append(others, i)
		}
	}
	if len(others) == 0 {
		return
	}
	d.line(0, "its suspended tasks, by their stacks; names and the tree only the loop itself knows:")
	for _, group := range d.fold(others) {
		d.line(1, "%d of %s", len(group), d.s.Tasks[group[0]].Name)
		d.stack(3, d.s.Tasks[group[0]].Stack, 0)
	}
}

func (d *dumper) tree() {
	for i := range d.s.Tasks {
		t := &d.s.Tasks[i]
		d.inside[t.Nursery] = append(d.inside[t.Nursery], i)
	}
	for i := range d.s.Nurseries {
		n := &d.s.Nurseries[i]
		d.owned[n.Owner] = append(d.owned[n.Owner], i)
	}
	for _, i := range d.owned[0] {
		if n := &d.s.Nurseries[i]; n.Children > 0 {
			d.nursery(0, n)
		}
	}
	for _, cycle := range d.s.Cycles {
		d.line(0, "DEADLOCK: %s", d.chain(cycle))
	}
	if d.s.Omitted > 0 {
		d.line(0, "and %d more tasks", d.s.Omitted)
	}
}

// chain names the tasks of a cycle.
func (d *dumper) chain(cycle []uint64) string {
	var names []string
	for _, id := range append(slices.Clone(cycle), cycle[0]) {
		name := ""
		for i := range d.s.Tasks {
			if t := &d.s.Tasks[i]; t.ID == id {
				name = t.Name
			}
		}
		names = append(names, fmt.Sprintf("task %d %s", id, name))
	}
	return strings.Join(names, " waits for ")
}

func (d *dumper) nursery(indent int, n *NurserySnapshot) {
	name := n.Name
	if name == "" {
		name = "nursery"
	} else if n.Owner != 0 {
		name = fmt.Sprintf("nursery %q", n.Name)
	}
	d.line(indent, "%s: %s%s", name, count(n.Children, "task"), n.Scope.text())
	for _, group := range d.fold(d.inside[n.ID]) {
		d.group(indent+1, group)
	}
}

// fold puts tasks together that a reader can not tell apart.
func (d *dumper) fold(tasks []int) (groups [][]int) {
	type likeness struct{ name, state, label, cancelled, scopes, stack string }
	place := map[likeness]int{}
	for _, i := range tasks {
		t := &d.s.Tasks[i]
		if t.ID != 0 && len(d.owned[t.ID]) > 0 {
			groups = append(groups, []int{i})
			continue
		}
		label := t.Label + strconv.FormatUint(t.Holder, 10)
		k := likeness{t.Name, t.State, label, t.Cancelled, fmt.Sprint(len(t.Scopes)), t.Stack}
		g, ok := place[k]
		if !ok {
			g = len(groups)
			place[k] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// group writes one entry for tasks that are alike.
func (d *dumper) group(indent int, group []int) {
	t := &d.s.Tasks[group[0]]
	since, age := d.spans(group)
	what := t.State
	if t.Since > 0 {
		what += " for " + since
	}
	if t.Label != "" {
		what += " on " + t.Label
	}
	if t.Holder != 0 {
		what += fmt.Sprintf(" held by task %d", t.Holder)
	}
	d.line(indent, "%s %s: %s, age %s%s", d.numbers(group), t.Name, what+d.details(group), age, d.remarks(t))
	d.stack(indent+2, t.Stack, t.ID)
	for _, i := range d.owned[t.ID] {
		d.nursery(indent+1, &d.s.Nurseries[i])
	}
}

// spans gives the times of a group: shortest and longest.
func (d *dumper) spans(group []int) (since, age string) {
	first := &d.s.Tasks[group[0]]
	s, a := [2]time.Duration{first.Since, first.Since}, [2]time.Duration{first.Age, first.Age}
	for _, i := range group {
		t := &d.s.Tasks[i]
		s = [2]time.Duration{min(s[0], t.Since), max(s[1], t.Since)}
		a = [2]time.Duration{min(a[0], t.Age), max(a[1], t.Age)}
	}
	return span(s), span(a)
}

func span(d [2]time.Duration) string {
	if short(d[0]) == short(d[1]) {
		return short(d[0]).String()
	}
	return fmt.Sprintf("%v to %v", short(d[0]), short(d[1]))
}

// namedMax is how many numbers and details of a group are printed.
const namedMax = 4

// numbers lists the numbers of a group.
func (d *dumper) numbers(group []int) string {
	if len(group) == 1 {
		return fmt.Sprintf("task %d", d.s.Tasks[group[0]].ID)
	}
	var ids []string
	for _, i := range group[:min(len(group), namedMax)] {
		ids = append(ids, strconv.FormatUint(d.s.Tasks[i].ID, 10))
	}
	if len(group) > namedMax {
		ids = append(ids, "...")
	}
	return fmt.Sprintf("%d tasks (%s)", len(group), strings.Join(ids, ", "))
}

// details lists the different details of a group.
func (d *dumper) details(group []int) string {
	var all []string
	for _, i := range group {
		if detail := d.s.Tasks[i].Detail; detail != "" && !slices.Contains(all, detail) {
			if all = append(all, detail); len(all) > namedMax {
				all[namedMax] = "..."
				break
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, "; ") + ")"
}

// remarks tells what is around the task.
func (d *dumper) remarks(t *TaskSnapshot) string {
	var b strings.Builder
	if t.Name != t.Function && t.Function != "?" {
		b.WriteString(", in " + t.Function)
	}
	for _, s := range t.Scopes {
		b.WriteString(s.text())
	}
	if t.Cancelled != "" {
		b.WriteString(", told: " + t.Cancelled)
	}
	if t.Refusals >= ignoredRefusals {
		fmt.Fprintf(&b, ", %d times: IT IGNORES ITS CANCELLATION", t.Refusals)
	}
	return b.String()
}

// text describes a scope after a comma.
func (s ScopeSnapshot) text() string {
	text := ""
	switch {
	case s.HasDeadline && s.Deadline < 0:
		text = fmt.Sprintf(", deadline %v ago", short(-s.Deadline))
	case s.HasDeadline:
		text = fmt.Sprintf(", deadline in %v", short(s.Deadline))
	}
	if s.Shielded {
		text += ", shielded"
	}
	if s.Cancelled != "" {
		text += ", " + strings.TrimPrefix(s.Cancelled, "loop: ")
	}
	return text
}

// stack writes a stack, or refers to the task below which it stands already.
func (d *dumper) stack(indent int, stack string, task uint64) {
	if stack == "" {
		return
	}
	if earlier, ok := d.printed[stack]; ok && task != 0 {
		d.line(indent, "the stack is that of task %d", earlier)
		return
	}
	d.printed[stack] = task
	lines := strings.Split(strings.TrimSuffix(stack, "\n"), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		d.line(indent, "%s  %s", shortName(lines[i]), strings.TrimPrefix(lines[i+1], "\t"))
	}
}

// count says how many there are.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// short rounds a duration to three digits.
func short(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}
