package webui

import (
	"strings"
	"testing"
)

// yamlDoc reads the part of YAML that openapi.yaml is written in: maps and lists
// by indentation or in flow style, on one line each, and quoted or plain scalars,
// which are all texts here.
type yamlDoc struct {
	t     *testing.T
	lines []string
}

func readYAML(t *testing.T, text string) any {
	t.Helper()
	d := &yamlDoc{t: t}
	for line := range strings.SplitSeq(text, "\n") {
		if trimmed := strings.TrimSpace(line); trimmed != "" && !strings.HasPrefix(trimmed, "#") {
			d.lines = append(d.lines, line)
		}
	}
	v := d.block(0)
	if len(d.lines) > 0 {
		t.Fatalf("not understood: %s", d.lines[0])
	}
	return v
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// block reads the lines that are indented by depth.
func (d *yamlDoc) block(depth int) any {
	if strings.HasPrefix(d.lines[0][depth:], "- ") {
		var list []any
		for len(d.lines) > 0 && indent(d.lines[0]) == depth && strings.HasPrefix(d.lines[0][depth:], "- ") {
			line := d.lines[0]
			if item := line[depth+2:]; strings.HasPrefix(item, "{") || !strings.Contains(item, ":") {
				list = append(list, d.flow(item))
				d.lines = d.lines[1:]
				continue
			}
			d.lines[0] = line[:depth] + "  " + line[depth+2:]
			list = append(list, d.block(depth+2))
		}
		return list
	}
	m := map[string]any{}
	for len(d.lines) > 0 && indent(d.lines[0]) == depth {
		key, rest := d.scalar(d.lines[0][depth:], ":")
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ":"))
		d.lines = d.lines[1:]
		if _, twice := m[key]; twice {
			d.t.Fatalf("%s stands there twice", key)
		}
		if rest != "" {
			m[key] = d.flow(rest)
			continue
		}
		m[key] = d.block(indent(d.lines[0]))
	}
	return m
}

// flow reads a value that ends with its line.
func (d *yamlDoc) flow(text string) any {
	v, rest := d.value(text, "")
	if rest != "" {
		d.t.Fatalf("%q is left of %q", rest, text)
	}
	return v
}

// value reads one value and returns what stands behind it. A plain scalar ends
// before any of the characters in ends.
func (d *yamlDoc) value(text, ends string) (any, string) {
	switch {
	case strings.HasPrefix(text, "{"):
		m, rest := map[string]any{}, text[1:]
		for !strings.HasPrefix(rest, "}") {
			var key string
			key, rest = d.scalar(strings.TrimLeft(rest, ", "), ":")
			m[key], rest = d.value(strings.TrimPrefix(rest, ": "), ",}")
		}
		return m, rest[1:]
	case strings.HasPrefix(text, "["):
		list, rest := []any{}, text[1:]
		for !strings.HasPrefix(rest, "]") {
			var v any
			v, rest = d.value(strings.TrimLeft(rest, ", "), ",]")
			list = append(list, v)
		}
		return list, rest[1:]
	}
	return d.scalar(text, ends)
}

func (d *yamlDoc) scalar(text, ends string) (value, rest string) {
	if !strings.HasPrefix(text, "'") {
		if at := strings.IndexAny(text, ends); ends != "" && at >= 0 {
			return text[:at], text[at:]
		}
		if ends == ":" {
			d.t.Fatalf("no key in %q", text)
		}
		return text, ""
	}
	for at := 1; at < len(text); at++ {
		if text[at] != '\'' {
			continue
		}
		if at+1 < len(text) && text[at+1] == '\'' {
			at++
			continue
		}
		return strings.ReplaceAll(text[1:at], "''", "'"), text[at+1:]
	}
	d.t.Fatalf("the quote in %q does not end", text)
	return "", ""
}
