package main

import "errors"

func serveLion(*config, *site, func(string)) error { return errors.New("not yet") }
