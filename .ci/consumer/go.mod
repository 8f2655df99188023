module example.org/consumer

go 1.26.0

require github.com/lion-go/lion v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace github.com/lion-go/lion => ../../
