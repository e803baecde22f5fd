package webui

import (
	"slices"
	"strings"
)

// timeZones are the zones to choose from on a page without scripts, in which the
// browser's own cannot be known. One more can be among them: the chosen one.
func timeZones(chosen string) []string {
	zones := strings.Fields(`
		UTC
		Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Lagos Africa/Nairobi
		America/Anchorage America/Argentina/Buenos_Aires America/Bogota America/Caracas America/Chicago America/Denver
		America/Halifax America/Lima America/Los_Angeles America/Mexico_City America/New_York America/Phoenix
		America/Santiago America/Sao_Paulo America/St_Johns America/Toronto
		Asia/Almaty Asia/Baghdad Asia/Bangkok Asia/Beirut Asia/Colombo Asia/Dhaka Asia/Dubai Asia/Ho_Chi_Minh Asia/Hong_Kong
		Asia/Jakarta Asia/Jerusalem Asia/Karachi Asia/Kathmandu Asia/Kolkata Asia/Kuala_Lumpur Asia/Manila Asia/Riyadh
		Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Taipei Asia/Tashkent Asia/Tbilisi Asia/Tehran Asia/Tokyo Asia/Yangon
		Asia/Yekaterinburg
		Atlantic/Azores Atlantic/Reykjavik
		Australia/Adelaide Australia/Brisbane Australia/Darwin Australia/Perth Australia/Sydney
		Europe/Amsterdam Europe/Athens Europe/Berlin Europe/Brussels Europe/Bucharest Europe/Dublin Europe/Helsinki
		Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Madrid Europe/Moscow Europe/Oslo Europe/Paris
		Europe/Prague Europe/Rome Europe/Stockholm Europe/Vienna Europe/Warsaw Europe/Zurich
		Pacific/Auckland Pacific/Fiji Pacific/Honolulu`)
	if chosen != "" && !slices.Contains(zones, chosen) {
		zones = append(zones, chosen)
	}
	return zones
}
