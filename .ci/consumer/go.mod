module example.org/consumer

go 1.26.0

require github.com/lion-go/lion v0.0.0

replace github.com/lion-go/lion => ../../
