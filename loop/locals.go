package loop

import (
	"context"
	"encoding"
	"fmt"
)

// A Local is a variable with a value of its own in every task. A task starts
// with the values that its spawner had at the spawn; what it sets afterwards
// is seen by itself and by what it spawns, and by nobody else. System tasks
// start with the defaults. Values go along into jobs of workers and what they
// call back, into Call, and with a context into Do; none of these bring
// changes back. A value should not be changed once it is set: it may be seen on
// other goroutines.
//
//	value := key.From(t.Locals())
//	t.SetLocals(key.With(t.Locals(), value))
type Local[T any] struct {
	name     string
	fallback T
}

// Locals are the values of a task: immutable, and so cheap to hand on. The
// zero value holds the defaults.
type Locals struct {
	first *localValue
}

// localValue is a link of a list of values. Lists are never changed, only put
// in front of, so that a spawn copies a pointer.
type localValue struct {
	key   any
	value any
	next  *localValue
}

// localsMax bounds the length that such a list may reach before the values
// that are no longer visible are dropped from it.
const localsMax = 32

// NewLocal makes a variable whose value is fallback wherever it is not set.
// The name is for dumps.
func NewLocal[T any](name string, fallback T) *Local[T] {
	return &Local[T]{name: name, fallback: fallback}
}

// Name returns the name.
func (k *Local[T]) Name() string { return k.name }

// From returns the value of the variable among values.
func (k *Local[T]) From(values Locals) T {
	for v := values.first; v != nil; v = v.next {
		if v.key == any(k) {
			value, _ := v.value.(T) // a nil interface is the zero value
			return value
		}
	}
	return k.fallback
}

// With returns values with another value of the variable.
func (k *Local[T]) With(values Locals, value T) Locals {
	list := &localValue{key: k, value: value, next: values.first}
	length := 0
	for v := list; v != nil; v = v.next {
		length++
	}
	if length > localsMax {
		list = list.compact()
	}
	return Locals{list}
}

// compact copies the list without the values that a newer one hides.
func (v *localValue) compact() *localValue {
	seen := map[any]bool{}
	var kept []*localValue
	for ; v != nil; v = v.next {
		if !seen[v.key] {
			seen[v.key] = true
			kept = append(kept, v)
		}
	}
	var list *localValue
	for i := len(kept) - 1; i >= 0; i-- {
		list = &localValue{key: kept[i].key, value: kept[i].value, next: list}
	}
	return list
}

// Locals returns the values of the task's locals.
func (t *Task) Locals() Locals { return t.locals }

// SetLocals replaces the values of the task's locals, for itself and for what
// it spawns from now on.
func (t *Task) SetLocals(values Locals) { t.locals = values }

// localsKey is under what a context carries Locals.
type localsKey struct{}

// Context returns a context that carries the values, for LocalsFrom and
// Loop.Do. That of Task.Context does so already.
func (values Locals) Context(parent context.Context) context.Context {
	return context.WithValue(parent, localsKey{}, values)
}

// LocalsFrom returns the values that ctx carries, or the defaults.
func LocalsFrom(ctx context.Context) Locals {
	values, _ := ctx.Value(localsKey{}).(Locals)
	return values
}

// Pack returns those of the values that can leave the process, by the names of
// their variables: values that implement encoding.BinaryMarshaler, by which a
// type declares that it can travel. The others stay at home. Two variables of
// one name among them are refused with ErrMisuse, and so is an empty name.
func (values Locals) Pack() (map[string][]byte, error) {
	packed := map[string][]byte{}
	seen := map[any]bool{}
	for v := values.first; v != nil; v = v.next {
		m, travels := v.value.(encoding.BinaryMarshaler)
		if seen[v.key] || !travels {
			seen[v.key] = true
			continue
		}
		seen[v.key] = true
		name := v.key.(interface{ Name() string }).Name()
		if _, twice := packed[name]; twice || name == "" {
			return nil, misuse("two locals, or one without a name, are to travel as %q", name)
		}
		data, err := m.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("packing the local %s: %w", name, err)
		}
		packed[name] = data
	}
	return packed, nil
}

// Unpack returns values with that of the variable which was packed elsewhere,
// or as they are if none was. *T must implement encoding.BinaryUnmarshaler, or
// else the answer is ErrMisuse.
func (k *Local[T]) Unpack(values Locals, packed map[string][]byte) (Locals, error) {
	data, sent := packed[k.name]
	if !sent {
		return values, nil
	}
	value := new(T)
	u, ok := any(value).(encoding.BinaryUnmarshaler)
	if !ok {
		return values, misuse("the local %s of type %T cannot be unpacked", k.name, *value)
	}
	if err := u.UnmarshalBinary(data); err != nil {
		return values, fmt.Errorf("unpacking the local %s: %w", k.name, err)
	}
	return k.With(values, *value), nil
}

// A PerLoop is a variable with a value of its own in every loop. It is for
// what the tasks of a loop share and nobody wants to hand around: a pool, a
// cache, a counter. Its methods are sync-coloured and must be called on the
// loop.
type PerLoop[T any] struct {
	name  string
	first func(*Loop) T
}

// NewPerLoop makes a variable. first makes its value in a loop when it is
// first asked for; a nil first makes the zero value. The name is for messages.
func NewPerLoop[T any](name string, first func(*Loop) T) *PerLoop[T] {
	return &PerLoop[T]{name: name, first: first}
}

// Name returns the name.
func (v *PerLoop[T]) Name() string { return v.name }

// In returns the value of the variable in l.
func (v *PerLoop[T]) In(l *Loop) T {
	if known, ok := l.vars[v]; ok {
		value, _ := known.(T)
		return value
	}
	var value T
	if v.first != nil {
		value = v.first(l)
	}
	v.Set(l, value)
	return value
}

// Set replaces the value of the variable in l.
func (v *PerLoop[T]) Set(l *Loop, value T) {
	if l.vars == nil {
		l.vars = map[any]any{}
	}
	l.vars[v] = value
}
