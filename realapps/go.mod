module github.com/lion-go/lion/realapps

go 1.26

require github.com/lion-go/lion v0.0.0

replace github.com/lion-go/lion => ../
