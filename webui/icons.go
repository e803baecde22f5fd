package webui

import (
	"fmt"
	"html/template"
	"strings"
)

// icons are the drawings of templates/part_icons.html by name, for templates that
// learn from a value which one to show: {{icon .Name}}.
type icons map[string]template.HTML

const iconPrefix = "icon-"

func loadIcons() (icons, error) {
	sheet, err := template.ParseFS(templateFS, "templates/part_icons.html")
	if err != nil {
		return nil, err
	}
	all := icons{}
	for _, t := range sheet.Templates() {
		name, ok := strings.CutPrefix(t.Name(), iconPrefix)
		if !ok {
			continue
		}
		var svg strings.Builder
		if err := t.Execute(&svg, nil); err != nil {
			return nil, err
		}
		all[name] = template.HTML(svg.String())
	}
	return all, nil
}

func (i icons) svg(name string) (template.HTML, error) {
	svg, ok := i[name]
	if !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	return svg, nil
}
