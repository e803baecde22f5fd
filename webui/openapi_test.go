package webui

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// wholeAPI is the description of the API, with all that is in it.
type wholeAPI map[string]any

func describedAPI(t *testing.T) wholeAPI {
	t.Helper()
	var doc wholeAPI
	if err := yaml.Unmarshal(openAPI, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at walks down a path of keys.
func (d wholeAPI) at(v any, keys ...string) any {
	for _, key := range keys {
		m, _ := d.follow(v).(map[string]any)
		v = m[key]
	}
	return d.follow(v)
}

// follow replaces a reference by what it names.
func (d wholeAPI) follow(v any) any {
	m, _ := v.(map[string]any)
	name, ok := m["$ref"].(string)
	if !ok {
		return v
	}
	return d.at(map[string]any(d), strings.Split(strings.TrimPrefix(name, "#/"), "/")...)
}

// The description and the table of routes name the same methods and paths.
func TestOpenAPIRoutes(t *testing.T) {
	doc := describedAPI(t)
	var described, routed []string
	for path, methods := range doc.at(map[string]any(doc), "paths").(map[string]any) {
		for method := range methods.(map[string]any) {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, rt := range mustSite(t, newGolden()).routes() {
		for _, part := range []string{" /api/", " /pool/", " /users/", " /metrics"} {
			if strings.Contains(rt.pattern, part) {
				routed = append(routed, rt.pattern)
			}
		}
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("described %q,\nrouted %q", described, routed)
	}
}

// Every answer has the shape that the description says, and problems have theirs.
func TestOpenAPIAnswers(t *testing.T) {
	doc := describedAPI(t)
	for path, methods := range doc.at(map[string]any(doc), "paths").(map[string]any) {
		for method, operation := range methods.(map[string]any) {
			t.Run(strings.ToUpper(method)+" "+path, func(t *testing.T) {
				w := open(t, newGolden())
				w.signIn()
				_, p := fillIn("GET " + path)
				if strings.Contains(path, "{hash}") {
					p = strings.Replace(path, "{hash}", w.box.block.Hash, 1)
				}
				resp := w.answerOf(method, p)
				schema := doc.at(operation, "responses", fmt.Sprint(resp.StatusCode), "content", resp.Header.Get("Content-Type"), "schema")
				if schema == nil {
					t.Fatalf("status %d with %s is not described: %s", resp.StatusCode, resp.Header.Get("Content-Type"), resp.body)
				}
				if resp.Header.Get("Content-Type") == "application/json" {
					doc.check(t, path, schema, readJSON(t, resp.body))
				}
				w.clock.add(13 * time.Hour) // the session is over
				if doc.at(operation, "security") == nil {
					return
				}
				refused := w.do(strings.ToUpper(method), p, nil)
				problem := doc.at(operation, "responses", "default", "content", refused.Header.Get("Content-Type"), "schema")
				doc.check(t, path, problem, readJSON(t, refused.body))
			})
		}
	}
}

// answerOf asks as an operator. Commands are those that succeed on golden data.
func (w *visit) answerOf(method, path string) answer {
	if method == "get" {
		return w.get(path)
	}
	fields := map[string]any{}
	switch path {
	case "/api/auth/login":
		fields = map[string]any{"username": "admin", "password": password}
	case "/api/payments/config":
		fields = map[string]any{"rev": 7, "settings": map[string]any{"fee_bps": 1}, "password": password}
	case "/api/workers/" + aliceAddress + "/ban":
		fields = map[string]any{"reason": "Sends duplicates."}
	case "/api/workers/" + aliceAddress + "/unban":
		w.box.bans = []banLine{{banned: banned{Address: aliceAddress}}}
	case "/api/workers/" + aliceAddress + "/tags":
		fields = map[string]any{"tag": "attic"}
	case "/api/config":
		fields = map[string]any{"rev": 7, "start_difficulty": 32}
	case "/api/payments/broadcast/42":
		fields = map[string]any{"rev": 3, "digest": strings.Repeat("5a", 32), "total_sats": 1_222_300, "password": password}
	case "/api/alerts/rules":
		fields = map[string]any{"name": "Dry spell", "condition": map[string]any{"type": "no_block", "duration_minutes": 600}, "level": "info"}
	case "/api/alerts/rules/worker_offline":
		fields = map[string]any{"level": "critical", "channels": []int{42}}
	case "/api/backup/42/delete", "/api/backup/42/restore":
		fields = map[string]any{"password": password}
	case "/api/payments/cancel/42":
		fields = map[string]any{"rev": 3}
	}
	return w.command(path, "key", fields)
}

func readJSON(t *testing.T, text string) (v any) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// check compares a value with its schema: type, and of objects that nothing is
// missing and nothing unknown is there.
func (d wholeAPI) check(t *testing.T, where string, schema, v any) {
	t.Helper()
	s, ok := d.follow(schema).(map[string]any)
	if !ok {
		t.Fatalf("%s is not described", where)
	}
	kinds, many := s["type"].([]any)
	if !many {
		kinds = []any{s["type"]}
	}
	if kind := kindOf(v); !slices.Contains(kinds, any(kind)) && (kind != "integer" || !slices.Contains(kinds, any("number"))) {
		t.Errorf("%s is %s, described as %v", where, kind, kinds)
		return
	}
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			d.check(t, fmt.Sprintf("%s[%d]", where, i), s["items"], item)
		}
	case map[string]any:
		d.checkObject(t, where, s, v)
	case string:
		if _, err := time.Parse(time.RFC3339, v); s["format"] == "date-time" && err != nil {
			t.Errorf("%s is %q, which is no time", where, v)
		}
	}
}

func (d wholeAPI) checkObject(t *testing.T, where string, s, v map[string]any) {
	t.Helper()
	properties, _ := s["properties"].(map[string]any)
	if properties == nil && s["additionalProperties"] == nil {
		return // any object
	}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		schema, known := properties[key]
		if !known {
			schema, known = s["additionalProperties"].(map[string]any)
		}
		if !known {
			t.Errorf("%s.%s is not described", where, key)
			continue
		}
		d.check(t, where+"."+key, schema, v[key])
	}
	required, _ := s["required"].([]any)
	for _, key := range required {
		if _, there := v[key.(string)]; !there {
			t.Errorf("%s.%s is missing", where, key)
		}
	}
}

// kindOf is a value's type in the words of JSON Schema.
func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "integer"
		}
	}
	return "number"
}

// The description is served as it is.
func TestOpenAPIIsServed(t *testing.T) {
	w := open(t, newGolden())
	if resp := w.get("/api/openapi.yaml"); resp.StatusCode != http.StatusOK || resp.body != string(openAPI) {
		t.Errorf("status %d, %d bytes", resp.StatusCode, len(resp.body))
	}
}
