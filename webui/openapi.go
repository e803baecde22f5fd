package webui

import (
	_ "embed" // the description of the API
	"fmt"
	"net/http"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openAPI []byte

// describeAPI sends the description of the API (OpenAPI 3.1).
func (s *site) describeAPI(w http.ResponseWriter, _ *http.Request, _ caller) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, err := w.Write(openAPI)
	return gone(err)
}

// apiDoc is the description of the API, as far as the page about it tells of it.
type apiDoc struct {
	Paths      map[string]map[string]operation // by path, then by method in lower case
	Components struct {
		Schemas    map[string]schema
		Parameters map[string]parameter
		Responses  map[string]response
	}
}

// operation is one method of a path.
type operation struct {
	Summary     string
	Parameters  []parameter
	RequestBody struct{ Content map[string]media } `yaml:"requestBody"`
	Responses   map[string]response                // by status, or "default"
}

type parameter struct {
	Ref         string `yaml:"$ref"`
	Name, In    string
	Description string
	Required    bool
	Schema      schema
}

type response struct {
	Ref     string           `yaml:"$ref"`
	Content map[string]media // by type
}

type media struct{ Schema schema }

// schema says what a value of JSON looks like.
type schema struct {
	Ref         string `yaml:"$ref"`
	Type        kinds
	Format      string
	Description string
	Enum        []string
	Default     any
	Items       *schema
	Properties  properties
	Others      others `yaml:"additionalProperties"`
	Required    []string
}

// kinds are the types that a value may have; a single one stands without brackets.
type kinds []string

// UnmarshalYAML implements [yaml.InterfaceUnmarshaler].
func (k *kinds) UnmarshalYAML(read func(any) error) error {
	var one string
	if read(&one) == nil {
		*k = kinds{one}
		return nil
	}
	return read((*[]string)(k))
}

// properties are the fields of an object, in the order of the file.
type properties []property

type property struct {
	Name   string
	Schema schema
}

// UnmarshalYAML implements [yaml.InterfaceUnmarshaler].
func (p *properties) UnmarshalYAML(read func(any) error) error {
	var order yaml.MapSlice
	var fields map[string]schema
	if err := read(&order); err != nil {
		return err
	}
	if err := read(&fields); err != nil {
		return err
	}
	for _, item := range order {
		name := fmt.Sprint(item.Key)
		*p = append(*p, property{name, fields[name]})
	}
	return nil
}

// others is what fields an object has beside the named ones: none, or any number of
// one kind.
type others struct{ *schema }

// UnmarshalYAML implements [yaml.InterfaceUnmarshaler].
func (o *others) UnmarshalYAML(read func(any) error) error {
	var allowed bool
	if read(&allowed) == nil {
		return nil
	}
	o.schema = &schema{}
	return read(o.schema)
}

func readAPIDoc() (*apiDoc, error) {
	var d apiDoc
	if err := yaml.Unmarshal(openAPI, &d); err != nil {
		return nil, fmt.Errorf("read openapi.yaml: %w", err)
	}
	return &d, nil
}

// schema, parameter and response follow a reference.

func (d *apiDoc) schema(s schema) schema {
	if s.Ref == "" {
		return s
	}
	return d.Components.Schemas[lastOf(s.Ref)]
}

func (d *apiDoc) parameter(p parameter) parameter {
	if p.Ref == "" {
		return p
	}
	return d.Components.Parameters[lastOf(p.Ref)]
}

func (d *apiDoc) response(r response) response {
	if r.Ref == "" {
		return r
	}
	return d.Components.Responses[lastOf(r.Ref)]
}

func lastOf(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }
