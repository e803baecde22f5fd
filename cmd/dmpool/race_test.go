//go:build e2e && race

package main

const raceEnabled = true
