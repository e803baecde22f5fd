package webui

import (
	"net/http"
	"time"
)

// deviceJSON is a miner of the home network that was added.
type deviceJSON struct {
	ID        int64             `json:"id"`
	IP        string            `json:"ip"`
	Model     string            `json:"model"`
	Firmware  *string           `json:"firmware"`
	API       string            `json:"api"`
	State     string            `json:"state"` // here, elsewhere, away, other, unasked
	Hashrate  *float64          `json:"hashrate_hs"`
	Celsius   *float64          `json:"temperature_c"`
	Watts     *float64          `json:"power_w"`
	PerTH     *float64          `json:"joules_per_th"`
	Pool      *minerPoolJSON    `json:"pool"`
	Worker    *deviceWorkerJSON `json:"worker"` // null: it mines elsewhere
	Connected bool              `json:"connected"`
	Kept      bool              `json:"old_pool_kept"`
	Answered  *time.Time        `json:"last_answer_at"`
}

type minerPoolJSON struct {
	URL  string `json:"url"`
	User string `json:"user"`
}

type deviceWorkerJSON struct {
	Address string `json:"address"`
	Name    string `json:"name"`
}

func deviceOf(d deviceLine) deviceJSON {
	v := deviceJSON{
		ID: d.ID, IP: d.IP, Model: d.Model, Firmware: orNull(d.Firmware), API: d.API, State: d.State,
		Hashrate: d.Rate, Celsius: d.Celsius, Watts: d.Watts, PerTH: d.PerTH(),
		Connected: d.Connected, Kept: d.Kept, Answered: timeOf(d.At),
	}
	if d.Pool.URL != "" {
		v.Pool = &minerPoolJSON{d.Pool.URL, d.Pool.User}
	}
	if d.Address != "" {
		v.Worker = &deviceWorkerJSON{d.Address, d.Worker}
	}
	return v
}

// apiDevices lists the miners of the home network that were added.
func (s *site) apiDevices(r *http.Request) (any, error) {
	v, err := s.box.Devices(r.Context())
	if err != nil {
		return nil, err
	}
	return paged(r, v.Devices, deviceOf)
}
