package webui

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// referenceView fills templates/reference.html: every route of the API, out of its
// description and of the table of routes. What the description says is English in
// every language, as the API is.
type referenceView struct {
	Base   string // of the URLs, as this reader calls the box
	Groups []apiGroup
}

// apiGroup is a part of the API under the heading reference.group.NAME.
type apiGroup struct {
	Name   string
	Routes []apiRoute
}

// apiRoute is one route as its users see it.
type apiRoute struct {
	ID, Method, Path string
	Summary          string
	Who              string // reference.who.NAME
	PerMinute        int
	Parameters       []apiParameter
	Body             string // what a command holds, see apiDoc.shape
	Status, Kind     string // of the answer
	Answer           string
	Errors           []int
	Curl             string // with %s where the base of the URL stands
}

type apiParameter struct{ Name, In, Kind, Default, Text string }

// Example is the call on the command line, for whoever calls the box so.
func (a apiRoute) Example(base string) string { return fmt.Sprintf(a.Curl, base) }

// apiGroups are the parts of the API in the order of the page.
func apiGroups() []string { return []string{"public", "compatible", "sign_in", "money", "desk"} }

// apiRoutesOf joins the table of routes and the description. Who may call and how
// often is in the table, which is what the server does. It panics when the description
// lacks a route, as the table does when a line of it is wrong.
func apiRoutesOf(table []route, d *apiDoc) (list []apiGroup) {
	groups := map[string][]apiRoute{}
	for _, rt := range table {
		method, path, _ := strings.Cut(rt.pattern, " ")
		op, ok := d.Paths[path][strings.ToLower(method)]
		if !ok {
			panic("webui: openapi.yaml has no " + rt.pattern)
		}
		line := d.route(rt, method, path, op)
		group := "desk"
		switch {
		case isCompatible(op):
			group = "compatible"
		case rt.access == public:
			group = "public"
		case rt.access == entrance:
			group = "sign_in"
		case strings.HasPrefix(path, "/api/payments/"):
			group = "money"
		}
		groups[group] = append(groups[group], line)
	}
	for _, name := range apiGroups() {
		list = append(list, apiGroup{name, groups[name]})
	}
	return list
}

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

func (d *apiDoc) route(rt route, method, path string, op operation) apiRoute {
	a := apiRoute{
		ID:     strings.Trim(notInID.ReplaceAllString(strings.ToLower(rt.pattern), "-"), "-"),
		Method: method, Path: path, Summary: op.Summary,
		Who:       map[access]string{public: "anyone", entrance: "sign_in", readers: "readers", monitors: "readers", operators: "operators"}[rt.access],
		PerMinute: rt.limit.perMinute(),
		Errors:    errorsOf(rt, op),
	}
	for _, p := range op.Parameters {
		p = d.parameter(p)
		if p.Name == tokenHeader {
			continue // scripts have a token, and browsers their own pages
		}
		kind := kindOfValue(d.schema(p.Schema))
		text := apiParameter{Name: p.Name, In: p.In, Kind: kind, Text: p.Description}
		if p.Schema.Default != nil {
			text.Default = fmt.Sprint(p.Schema.Default)
		}
		a.Parameters = append(a.Parameters, text)
	}
	for _, m := range op.RequestBody.Content {
		a.Body = d.shape(m.Schema)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status == "default" {
			continue
		}
		for kind, m := range d.response(op.Responses[status]).Content {
			a.Status, a.Kind, a.Answer = status, kind, d.shape(m.Schema)
		}
	}
	a.Curl = curl(rt, method, path)
	return a
}

// curl is an example of a call. What is secret goes in by a file, so that neither
// the shell's history nor the list of processes has it.
func curl(rt route, method, path string) string {
	line := "curl"
	if rt.access != public && rt.access != entrance {
		line += " -H 'Authorization: Bearer TOKEN'"
	}
	if method == http.MethodPost {
		if rt.access != entrance {
			line += " -H 'Idempotency-Key: MADE-UP'"
		}
		line += " --json @command.json"
	}
	path = placeholderInPath.ReplaceAllStringFunc(path, func(name string) string { return strings.ToUpper(name[1 : len(name)-1]) })
	return line + " %s" + path
}

var placeholderInPath = regexp.MustCompile(`\{[a-z]+\}`)

// errorsOf are the refusals that a route may answer with, by what stands before it
// and by what it takes. 500 is never meant, and so is not in the list.
func errorsOf(rt route, op operation) (list []int) {
	command, pathNames := strings.HasPrefix(rt.pattern, http.MethodPost), strings.Contains(rt.pattern, "{")
	if command || pathNames || len(op.Parameters) > 0 {
		list = append(list, http.StatusBadRequest)
	}
	if command {
		list = append(list, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if command && rt.access == operators {
		list = append(list, http.StatusConflict, http.StatusUnprocessableEntity)
	}
	if rt.access != public {
		list = append(list, http.StatusUnauthorized, http.StatusForbidden)
	}
	if pathNames || isCompatible(op) || rt.access == monitors {
		list = append(list, http.StatusNotFound)
	}
	list = append(list, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	slices.Sort(list)
	return list
}

// isCompatible tells of a route that a setting can switch off.
func isCompatible(op operation) bool { return strings.HasPrefix(op.Summary, "in the shape of ") }

// reference shows the API to whoever writes a program for it.
func (s *site) reference(r *http.Request, _ caller) (any, error) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return referenceView{Base: scheme + r.Host, Groups: s.described}, nil
}

// PerMinute is how often most routes may be asked.
func (v referenceView) PerMinute() int { return v.Groups[0].Routes[0].PerMinute }

// Errors are all refusals, for the table of what they mean.
func (v referenceView) Errors() (list []int) {
	for _, g := range v.Groups {
		for _, r := range g.Routes {
			list = append(list, r.Errors...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
