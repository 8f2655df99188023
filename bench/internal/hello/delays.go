package hello

import "time"

// Delays is what a raw server answers to GET /debug/beside: how long ordinary goroutines
// beside it waited for their turn.
type Delays struct {
	HandOff Delay `json:"handOff"` // Made runnable by the server, through a channel.
	Sleep   Delay `json:"sleep"`   // Made runnable by a timer.
}

// Delay sums up the delays of one goroutine.
type Delay struct {
	Count int64         `json:"count"`
	P50   time.Duration `json:"p50"`
	P99   time.Duration `json:"p99"`
	Max   time.Duration `json:"max"`
}
