package loop

// A Local is a variable with a value of its own in every task. A task starts
// with the values that its spawner had at the spawn; what it sets afterwards
// is seen by itself and by what it spawns, and by nobody else. System tasks
// start with the defaults.
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
			return v.value.(T)
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
