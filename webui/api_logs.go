package webui

import (
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/logbook"
)

type logJSON struct {
	At      time.Time         `json:"at"`
	Level   string            `json:"level"`
	Part    string            `json:"part"` // of the program
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields"`
}

func logOf(r logbook.Record) logJSON {
	line := newLogLine(r)
	v := logJSON{At: line.At.UTC(), Level: line.Level, Part: line.Part, Message: line.Message, Fields: map[string]string{}}
	for _, a := range line.Attrs {
		v.Fields[a.Key] = a.Value
	}
	return v
}

// apiLogs lists the newest lines of the program's own log, newest first. The filters
// are those of the page.
func (s *site) apiLogs(r *http.Request) (any, error) {
	q := r.URL.Query()
	if text := q.Get("level"); text != "" && new(slog.Level).UnmarshalText([]byte(text)) != nil {
		return nil, invalid("The level is debug, info, warn or error.")
	}
	q.Set("q", q.Get("search"))
	var records []logbook.Record
	if s.book != nil {
		f, _ := logFilter(q)
		records = s.book.Read(f, logFileSize)
	}
	slices.Reverse(records)
	return paged(r, records, logOf)
}
