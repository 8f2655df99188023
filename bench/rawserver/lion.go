package main

import "errors"

func serveLion(settings) error { return errors.New("not yet") }
