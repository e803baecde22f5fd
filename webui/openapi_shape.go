package webui

import (
	"slices"
	"strings"
)

// shape writes a schema the way its JSON looks, with kinds in the place of values and
// with what is to be known of a field behind it:
//
//	{
//	  "best": number or null,
//	  "at": string,              // time
//	  "workers": [
//	    {
//	      "name": string
//	    }
//	  ]
//	}
func (d *apiDoc) shape(s schema) string {
	var w strings.Builder
	d.write(&w, s, "", "")
	return w.String()
}

// write writes s behind what stands on its line already; tail is what ends the value.
func (d *apiDoc) write(w *strings.Builder, s schema, indent, tail string) {
	note := s.Description
	s = d.schema(s)
	if note == "" {
		note = s.Description
	}
	inner := indent + "  "
	switch {
	case slices.Contains(s.Type, "object") && (len(s.Properties) > 0 || s.Others.schema != nil):
		w.WriteString("{" + remark(note) + "\n")
		for i, p := range s.Properties {
			w.WriteString(inner + `"` + p.Name + `": `)
			end := ","
			if i == len(s.Properties)-1 && s.Others.schema == nil {
				end = ""
			}
			field := p.Schema
			if !slices.Contains(s.Required, p.Name) {
				field.Description = strings.TrimPrefix(field.Description+"; may be left out", "; ")
			}
			d.write(w, field, inner, end)
		}
		if s.Others.schema != nil {
			w.WriteString(inner + "NAME: ")
			d.write(w, *s.Others.schema, inner, "")
		}
		w.WriteString(indent + "}" + nullToo(s) + tail + "\n")
	case slices.Contains(s.Type, "array") && !d.nests(*s.Items):
		w.WriteString("[" + kindOfValue(d.schema(*s.Items)) + "]" + nullToo(s) + tail + remark(note) + "\n")
	case slices.Contains(s.Type, "array"):
		w.WriteString("[" + remark(note) + "\n" + inner)
		d.write(w, *s.Items, inner, "")
		w.WriteString(indent + "]" + nullToo(s) + tail + "\n")
	default:
		w.WriteString(kindOfValue(s) + tail + remark(note) + "\n")
	}
}

// nests tells whether a value is written in several lines.
func (d *apiDoc) nests(s schema) bool {
	s = d.schema(s)
	return len(s.Properties) > 0 || s.Others.schema != nil || slices.Contains(s.Type, "array")
}

// kindOfValue is what stands for a value that is neither object nor list.
func kindOfValue(s schema) string {
	if len(s.Enum) > 0 {
		return strings.Join(s.Enum, " or ")
	}
	kind := strings.Join(s.Type, " or ")
	if s.Format == "date-time" {
		kind = strings.Replace(kind, "string", "time", 1)
	}
	return kind
}

func nullToo(s schema) string {
	if slices.Contains(s.Type, "null") {
		return " or null"
	}
	return ""
}

func remark(note string) string {
	if note == "" {
		return ""
	}
	return "  // " + note
}
