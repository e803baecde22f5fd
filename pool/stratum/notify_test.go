package stratum

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseNotifyRefuses(t *testing.T) {
	good := []string{
		`"id"`, `"` + strings.Repeat("00", 32) + `"`, `"00"`, `""`, `["` + strings.Repeat("ff", 32) + `"]`,
		`"20000000"`, `"1703255b"`, `"6b0330cf"`, `true`,
	}
	join := func(list []string) json.RawMessage { return json.RawMessage("[" + strings.Join(list, ",") + "]") }
	if n, err := ParseNotify(join(good)); err != nil || !n.Clean || n.JobID != "id" || len(n.Branches) != 1 || n.Time != 0x6b0330cf {
		t.Fatalf("ParseNotify = %+v, %v", n, err)
	}
	if _, err := ParseNotify(json.RawMessage(`{}`)); err == nil {
		t.Error("an object is accepted")
	}
	if _, err := ParseNotify(join(good[:8])); err == nil {
		t.Error("8 params are accepted")
	}
	for i, bad := range []string{`5`, `"00"`, `"0"`, `"xx"`, `["00"]`, `"g"`, `""`, `"123456789"`, `"x"`} {
		list := append([]string(nil), good...)
		list[i] = bad
		if n, err := ParseNotify(join(list)); err == nil {
			t.Errorf("param %d = %s is accepted: %+v", i, bad, n)
		}
	}
}

func TestErrorText(t *testing.T) {
	tests := []struct{ raw, want string }{
		{``, ""},
		{`null`, ""},
		{`[21,"Job not found",null]`, "Job not found"},
		{`"Above target"`, "Above target"},
		{`{"code":23,"message":"Low difficulty"}`, "Low difficulty"},
		{`[]`, "[]"},
		{`5`, "5"},
	}
	for _, test := range tests {
		if got := ErrorText(json.RawMessage(test.raw)); got != test.want {
			t.Errorf("ErrorText(%s) = %q, want %q", test.raw, got, test.want)
		}
	}
}
