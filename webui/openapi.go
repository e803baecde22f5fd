package webui

import (
	_ "embed" // the description of the API
	"net/http"
)

//go:embed openapi.yaml
var openAPI []byte

// describeAPI sends the description of the API (OpenAPI 3.1).
func (s *site) describeAPI(w http.ResponseWriter, _ *http.Request, _ caller) error {
	w.Header().Set("Content-Type", "application/yaml")
	_, err := w.Write(openAPI)
	return gone(err)
}
