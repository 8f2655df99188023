// Package micro holds the microbenchmarks: what a primitive of lion costs, beside the nearest
// thing that Go has. Each is a benchmark with a sub-benchmark named lion and one named after
// its rival. go run ./bench runs them in pairs of processes; go test -bench=. works as well.
package micro
