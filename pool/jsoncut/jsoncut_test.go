package jsoncut

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCut(t *testing.T) {
	for _, tt := range []struct{ object, value, rest string }{
		{`{"big":[1,2]}`, `[1,2]`, `{"big":null}`},
		{`{"a":"x","big":{"big":"}"},"b":[]}` + "\n", `{"big":"}"}`, `{"a":"x","big":null,"b":[]}` + "\n"},
		{`{"a":"\"big\":7,","big":"\\"}`, `"\\"`, `{"a":"\"big\":7,","big":null}`},
		{`{"a":{"big":1},"big":null}`, `null`, `{"a":{"big":1},"big":null}`},
	} {
		value, rest, ok := Cut([]byte(tt.object), "big")
		if !ok || string(value) != tt.value || string(rest) != tt.rest {
			t.Errorf("Cut(%s) = %s, %s, %v", tt.object, value, rest, ok)
		}
	}
}

// TestCutLeavesTheRestAlone: what is not certain is for encoding/json.
func TestCutLeavesTheRestAlone(t *testing.T) {
	for _, object := range []string{
		``, `{`, `{}`, `null`, `[]`, `"big"`, `{"big"`, `{"big":`, `{"big":}`, `{"big":1`, `{"big":"1`, `{"big":"\"`, `{"big":"\`, `{"big":[1}`,
		`{"other":1}`, `{"a":{"big":1}}`, `{"big":1,"big":2}`, `{"big":1,"BIG":2}`, `{"Big":1}`, `{"b\u0069g":1}`, `{"big":1,"b\u0069g":2}`,
		` {"big":1}`, `{ "big":1}`, `{"big" :1}`, `{"a":1, "big":1}`, `{"big":1,}`, `{"big":1]`,
	} {
		if value, rest, ok := Cut([]byte(object), "big"); ok {
			t.Errorf("Cut(%s) = %s, %s", object, value, rest)
		}
	}
}

// FuzzCut holds Cut to its promise.
func FuzzCut(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","big":{"a":[1,2,{}]},"id":1}` + "\n", `{"big":"\\\"","a":"\u0041"}`, `{"big":1,"BIG":2}`, `{"big":1 2}`, `{"a":1}{"big":[}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		value, rest, ok := Cut(object, "big")
		if !ok {
			return
		}
		if got := json.Valid(value) && json.Valid(rest); got != json.Valid(object) {
			t.Fatalf("Cut(%q) = %q, %q: JSON %v, before %v", object, value, rest, got, !got)
		}
		if !json.Valid(object) {
			return
		}
		var want, left struct {
			Big any
			A   any
		}
		var cut any
		for text, out := range map[string]any{string(object): &want, string(rest): &left, string(value): &cut} {
			if err := json.Unmarshal([]byte(text), out); err != nil {
				t.Fatal(err)
			}
		}
		left.Big = cut
		if diff := cmp.Diff(want, left); diff != "" {
			t.Errorf("Cut(%q) (-encoding/json +cut):\n%s", object, diff)
		}
	})
}
