package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this program as `dmpool`.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dmpool": main})
}

// TestScripts runs what a person types, from testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}
