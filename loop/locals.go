package loop

// A Local is a variable with a value of its own in every task. A task starts
// with the values that its spawner had at the spawn; what it sets afterwards
// is seen by itself and by what it spawns, and by nobody else. System tasks
// start with the defaults.
type Local[T any] struct {
	name     string
	fallback T
}

// localValue is a link of a task's list of values. Lists are never changed,
// only put in front of, so that a spawn copies a pointer.
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

// Get returns the task's value.
func (k *Local[T]) Get(t *Task) T {
	for v := t.locals; v != nil; v = v.next {
		if v.key == any(k) {
			return v.value.(T)
		}
	}
	return k.fallback
}

// Set changes the value for this task, and for what it spawns from now on.
func (k *Local[T]) Set(t *Task, value T) {
	t.locals = &localValue{key: k, value: value, next: t.locals}
	length := 0
	for v := t.locals; v != nil; v = v.next {
		length++
	}
	if length > localsMax {
		t.locals = t.locals.compact()
	}
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
