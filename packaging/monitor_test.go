package packaging

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dmpool/dmpool/appliance/metrics"
)

// exported is what a query may ask for: by name, the labels and their values.
type exported map[string]map[string][]string

// readExported reads a scrape of a box of which everything is known, and what the
// process tells of itself. Prometheus adds two labels to each line, and one metric.
func readExported(t *testing.T) exported {
	t.Helper()
	scrape, err := os.Open(filepath.Join("..", "appliance", "metrics", "testdata", "full.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer scrape.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(scrape)
	if err != nil {
		t.Fatal(err)
	}
	all := exported{"up": {}}
	for name, f := range families {
		labels := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
			for _, q := range m.GetSummary().GetQuantile() {
				labels["quantile"] = append(labels["quantile"], fmt.Sprint(q.GetQuantile()))
			}
			if m.GetHistogram() != nil {
				all[name+"_bucket"] = map[string][]string{"le": nil}
			}
			if m.GetHistogram() != nil || m.GetSummary() != nil {
				all[name+"_sum"], all[name+"_count"] = map[string][]string{}, map[string][]string{}
			}
		}
		all[name] = labels
	}
	own, err := metrics.NewRegistry(func() (metrics.Snapshot, error) { return metrics.Snapshot{}, nil }).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range own {
		if strings.HasPrefix(f.GetName(), "process_") {
			all[f.GetName()] = map[string][]string{}
		}
	}
	return all
}

// functions are those of Prometheus that are used here: the parser knows more, which
// only its own makers' database has.
var functions = []string{"rate", "increase", "changes", "predict_linear", "time", "histogram_quantile", "sort_desc", "topk", "sum"}

// check parses a query and compares all that it asks for with what there is. It
// returns the labels that an answer can have.
func (e exported) check(t *testing.T, query string) (labels []string) {
	t.Helper()
	expr, err := metricsql.Parse(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return nil
	}
	labels = []string{"instance", "job"}
	metricsql.VisitAll(expr, func(part metricsql.Expr) {
		switch part := part.(type) {
		case *metricsql.FuncExpr:
			if !slices.Contains(functions, part.Name) {
				t.Errorf("%s: function %s", query, part.Name)
			}
		case *metricsql.AggrFuncExpr:
			if !slices.Contains(functions, part.Name) {
				t.Errorf("%s: function %s", query, part.Name)
			}
		case *metricsql.MetricExpr:
			labels = append(labels, e.checkSelector(t, query, part)...)
		}
	})
	metricsql.VisitAll(expr, func(part metricsql.Expr) {
		var named []string
		switch part := part.(type) {
		case *metricsql.AggrFuncExpr:
			named = part.Modifier.Args
		case *metricsql.BinaryOpExpr:
			named = part.GroupModifier.Args
		}
		for _, label := range named {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: nothing has a label %s", query, label)
			}
		}
	})
	return labels
}

func (e exported) checkSelector(t *testing.T, query string, m *metricsql.MetricExpr) (labels []string) {
	t.Helper()
	if len(m.LabelFilterss) != 1 || m.LabelFilterss[0][0].Label != "__name__" {
		t.Errorf("%s: a selector without a name", query)
		return nil
	}
	name := m.LabelFilterss[0][0].Value
	known, ok := e[name]
	if !ok {
		t.Errorf("%s: nothing is called %s", query, name)
	}
	for label := range known {
		labels = append(labels, label)
	}
	for _, f := range m.LabelFilterss[0][1:] {
		values, ok := known[f.Label]
		switch {
		case f.Label == "instance", f.Label == "job" && f.Value == "dmpool", f.Value == anything:
			continue
		case !ok:
			t.Errorf("%s: %s has no label %s", query, name, f.Label)
		case f.Label == "network": // the scrape is of one box, which has one
			values = []string{"main", "testnet4", "signet"}
		}
		for value := range strings.SplitSeq(f.Value, "|") {
			if !slices.Contains(values, value) {
				t.Errorf("%s: %s is never %s", query, f.Label, value)
			}
		}
	}
	return labels
}

// anything stands in for what a person chooses on the dashboard.
const anything = "chosen"

var variable = strings.NewReplacer("$instance", anything, "$address", anything)

// legend finds the labels that a line is named by.
var legend = regexp.MustCompile(`\{\{(\w+)\}\}`)

// Every query of the dashboard asks for what the box tells, of one box, and names its
// lines by labels that they have.
func TestGrafanaDashboard(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("grafana", "dmpool.json"))
	if err != nil {
		t.Fatal(err)
	}
	type target struct{ Expr, LegendFormat string }
	var dashboard struct {
		UID    string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []target
		}
		Annotations struct{ List []target }
		Templating  struct {
			List []struct{ Name, Type, Query string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	all, asked, ids := readExported(t), map[string]bool{}, map[int]bool{}
	taken := map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("panel %q is where %q is, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, q := range p.Targets {
			query := variable.Replace(q.Expr)
			labels := all.check(t, query)
			for name := range all {
				if regexp.MustCompile(`\b` + name + `\{`).MatchString(query) {
					asked[name] = true
					if !strings.Contains(q.Expr, name+`{instance="$instance"`) {
						t.Errorf("%s: not of one box", q.Expr)
					}
				}
			}
			for _, m := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: %s is no label of it", q.Expr, m[1])
				}
			}
		}
	}
	for _, a := range dashboard.Annotations.List {
		all.check(t, variable.Replace(a.Expr))
	}
	for _, v := range dashboard.Templating.List {
		if selector, label, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(v.Query, "label_values("), ")"), ", "); ok {
			if labels := all.check(t, variable.Replace(selector)); !slices.Contains(labels, label) {
				t.Errorf("variable %s: %s", v.Name, v.Query)
			}
		}
	}
	if !strings.Contains(string(raw), `rate(accepted_difficulty_total{instance=\"$instance\"}[5m]) * 4294967296`) {
		t.Error("the hash rate is not that of the difficulties")
	}
	if len(asked) < 35 {
		t.Errorf("only %d names are on the dashboard", len(asked))
	}
}

// rules is a file of alert rules.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

var labelInText = regexp.MustCompile(`\$labels\.(\w+)`)

// Every alert asks for what the box tells, and its text names what it is about.
func TestPrometheusRules(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("prometheus", "dmpool.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file rules
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	texts := template.New("").Funcs(template.FuncMap{
		"humanize": fmt.Sprint, "humanizeDuration": fmt.Sprint, "humanizePercentage": fmt.Sprint,
	})
	all, names := readExported(t), map[string]bool{}
	for _, r := range file.Groups[0].Rules {
		labels := all.check(t, r.Expr)
		if names[r.Alert] || !strings.HasPrefix(r.Alert, "DMPool") || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("alert %q, labels %v", r.Alert, r.Labels)
		}
		names[r.Alert] = true
		if _, err := metricsql.DurationValue(r.For, 0); r.For != "" && err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
		for _, key := range []string{"summary", "description"} {
			text := r.Annotations[key]
			if text == "" || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "!") {
				t.Errorf("%s: %s %q", r.Alert, key, text)
			}
			if _, err := texts.Parse("{{$labels := .Labels}}{{$value := .Value}}" + text); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			for _, m := range labelInText.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(labels, m[1]) {
					t.Errorf("%s: %s is no label of it", r.Alert, m[1])
				}
			}
		}
		if !strings.Contains(r.Annotations["summary"], "$labels.") {
			t.Errorf("%s: its summary does not say which box", r.Alert)
		}
	}
	if len(names) < 20 {
		t.Errorf("only %d alerts were looked at", len(names))
	}
}

// The example names the rules where the package lays them down, and a job as they
// expect it.
func TestPrometheusExample(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("prometheus", "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var example struct {
		RuleFiles []string `yaml:"rule_files"`
		Scrape    []struct {
			Job           string                                 `yaml:"job_name"`
			Authorization struct{ Type, CredentialsFile string } `yaml:"authorization"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(raw, &example); err != nil {
		t.Fatal(err)
	}
	if len(example.Scrape) != 1 || example.Scrape[0].Job != "dmpool" || example.Scrape[0].Authorization.Type != "Bearer" {
		t.Errorf("scrapes %+v", example.Scrape)
	}
	install, err := os.ReadFile(filepath.Join("debian", "dmpool.install"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"prometheus/dmpool.rules.yml", "prometheus/prometheus.yml", "grafana/dmpool.json"} {
		if !strings.Contains(string(install), "packaging/"+file+" usr/share/dmpool/"+filepath.Dir(file)+"\n") {
			t.Errorf("the package does not hold %s", file)
		}
	}
	if want := []string{"/usr/share/dmpool/prometheus/dmpool.rules.yml"}; !slices.Equal(example.RuleFiles, want) {
		t.Errorf("rules %q, want %q", example.RuleFiles, want)
	}
}
