package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// faultRows are the rows of the table of faults in the specification of money
// (money.md section 4). Each is a test with its number in the name, so that
// go test -run Fault -v ./... goes through the table.
func faultRows() []int {
	return []int{
		1, 2, 3, 4, 6, 7, 8, 10, 11, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 26, 27, 28, 29, 30, 31, 33, 34, 36, 37,
		40, 41, 43, 44, 46, 48, 49, 50, 51, 52, 54, 55, 56, 57, 58, 59,
	}
}

func TestEveryFaultHasATest(t *testing.T) {
	var shown []int
	name := regexp.MustCompile(`(?m)^func TestFault(\d\d)[A-Z]\w*\(t \*testing\.T\)`)
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range name.FindAllSubmatch(text, -1) {
			n, _ := strconv.Atoi(string(found[1])) // two digits
			shown = append(shown, n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range faultRows() {
		if !slices.Contains(shown, row) {
			t.Errorf("no test shows row %d", row)
		}
	}
}
