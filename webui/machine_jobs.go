package webui

import (
	"context"
	"fmt"
)

// Jobs tells of the jobs and of what they did last: all of them, or one that exists.
func (m *machine) Jobs(ctx context.Context, only string) (jobsView, error) {
	const history = 60
	jobs, err := m.box.Jobs(ctx)
	if err != nil {
		return jobsView{}, fmt.Errorf("read jobs: %w", err)
	}
	var v jobsView
	for _, j := range jobs {
		if j.Name == only {
			v.Only = only
		}
		v.Jobs = append(v.Jobs, jobLine{
			Name: j.Name, Text: j.Text, Every: j.Every, Next: j.Next,
			Last: j.Last.Started, Ran: !j.Last.Finished.IsZero(), OK: j.Last.OK, Message: j.Last.Message,
		})
	}
	runs, err := m.box.JobRuns(ctx, v.Only, history)
	if err != nil {
		return jobsView{}, fmt.Errorf("read runs of jobs: %w", err)
	}
	for _, r := range runs {
		v.Runs = append(v.Runs, runLine(r))
	}
	return v, nil
}

func (m *machine) RunJob(ctx context.Context, name string, op operator, ip string) error {
	return asProblem(m.box.RunJob(ctx, name, op.Name, ip))
}
