package webui

import "net/http"

// healthPage shows every check with its reason and the next step. What it shows is on
// each page of an operator: the mark at its top is made of it.
func (s *site) healthPage(*http.Request, caller) (any, error) { return nil, nil }
