package devicetest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dmpool/dmpool/appliance/device"
)

// antminer leaves out a comma, puts one too many, and writes a number that is none.
func (m *CGMiner) antminer(command, parameter string) string {
	const by = "cgminer 4.9.0"
	switch command {
	case "version":
		return `{` + verdict("S", 22, "CGMiner versions", by) + `,"VERSION":[{"BMMiner":"2.0.0","API":"3.1","Miner":"16.8.1.3","CompileTime":"Fri Nov 17 17:37:49 CST 2017","Type":"Antminer S9"}],"id":1}`
	case "summary":
		return `{` + verdict("S", 11, "Summary", by) + `,"SUMMARY":[{"Elapsed":85,"GHS 5s":"13500.21","GHS av":13498.77,"Utility":nan,"Device Hardware%":0.0001,}],"id":1}`
	case "stats":
		return `{` + verdict("S", 70, "CGMiner stats", by) + `,"STATS":[{"BMMiner":"2.0.0","Type":"Antminer S9"}{"STATS":0,"ID":"BC50","GHS 5s":"13500.21","temp_num":3,"temp1":0,"temp6":61,"temp7":60,"temp8":62,"temp2_6":76,"temp2_7":75,"temp2_8":77,"temp_max":62,"chain_acn6":63}],"id":1}`
	}
	return m.common(command, parameter, by)
}

// whatsMiner has its verdict at the top in most answers, and no version.
func (m *CGMiner) whatsMiner(command, parameter string) string {
	head := func(kind string, code int, text string) string {
		return `"STATUS":"` + kind + `","When":1765004019,"Code":` + strconv.Itoa(code) + `,"Msg":` + text + `,"Description":"btminer"`
	}
	switch command {
	case "get_version":
		return `{` + head("S", 131, `{"api_ver":"2.0.5","fw_ver":"20230911.12.Rel","platform":"H616","chip":"K10P"}`) + `}`
	case "summary":
		return `{"STATUS":[{"STATUS":"S","Msg":"Summary"}],"SUMMARY":[{"Elapsed":2648,"MHS av":84983730.62,"MHS 5s":102423869.64,"MHS 1m":86361423.46,"HS RT":86361423.46,"Temperature":77.00,"Power":3593,"Power Rate":42.31,"MAC":"C6:07:20:00:1E:C2","Firmware Version":"'20230911.12.Rel'","Chip Temp Min":82.29,"Chip Temp Max":96.89}],"id":1}`
	case "pools":
		return `{"STATUS":[{"STATUS":"S","Msg":"1 Pool(s)"}],"POOLS":[` + m.listed() + `],"id":1}`
	case "devdetails":
		return `{"STATUS":[{"STATUS":"S","Msg":"Device Details"}],"DEVDETAILS":[{"DEVDETAILS":0,"Name":"SM","Driver":"bitmicro","Model":"M30S+_VE40"}],"id":1}`
	case "update_pools", "addpool", "switchpool":
		return `{` + head("E", 45, `"permission denied"`) + `}`
	}
	return `{` + head("E", 14, `"invalid cmd"`) + `}`
}

const avalonFigures = "Ver[Nano3s-25021401_56abae7] LVer[25021401_56abae7] State[1] Elapsed[133923] Temp[0] ITemp[-273] OTemp[63] TMax[97] TAvg[89] TarT[90] Fan1[2040] FanR[41%] PS[0 0 27535 4 0 3727 139] GHSspd[6512.71] GHSmm[6575.18] GHSavg[6564.14] WU[91700.36] MPO[140] WORKMODE[2]"

// avalon keeps what setpool says for after its restart, and repeats passwords.
func (m *CGMiner) avalon(command, parameter string) string {
	const by = "cgminer 4.11.1"
	say := func(kind string, code int, text string) string {
		return `{` + verdict(kind, code, text, by) + `,"id":1}`
	}
	switch {
	case command == "version":
		return `{` + verdict("S", 22, "CGMiner versions", by) + `,"VERSION":[{"CGMiner":"4.11.1","API":"3.7","PROD":"Avalon Nano3s","MODEL":"Nano3s","LVERSION":"25021401_56abae7","DNA":"020100003cbe4d15","MAC":"e0e1a93f3053","UPAPI":"2"}],"id":1}`
	case command == "summary":
		return `{` + verdict("S", 11, "Summary", by) + `,"SUMMARY":[{"Elapsed":133923,"MHS av":6564727.78,"MHS 5s":5443351.11,"MHS 1m":6649033.64}],"id":1}`
	case command == "estats":
		return `{` + verdict("S", 70, "CGMiner stats", by) + `,"STATS":[{"STATS":0,"ID":"AVANANO0","MM ID0":"` + avalonFigures + `"}],"id":1}`
	case command == "setpool":
		part := split(parameter)
		if len(part) != 6 || part[0] != "admin" || part[1] != "web password" {
			return say("E", 202, "userpass err for "+parameter)
		}
		return say("S", 203, m.keep(part[2], part[3:]))
	case command == "ascset" && strings.HasPrefix(parameter, "0,reboot"):
		m.restart()
		return say("I", 118, "ASC 0 set info: reboot")
	case command == "pools":
		return m.common(command, parameter, by)
	}
	return say("E", 14, "Invalid command")
}

// avalonA10 has no command of its own for pools, and six figures of power.
func (m *CGMiner) avalonA10(command, parameter string) string {
	const by = "cgminer 4.11.1"
	switch {
	case command == "version":
		return `{` + verdict("S", 22, "CGMiner versions", by) + `,"VERSION":[{"CGMiner":"4.11.1","API":"3.7","PROD":"AvalonMiner 10xx","MODEL":"10xx","VERSION":"19090589_789f8e9t_965ebdct","DNA":"0000000000000000","MAC":"aaa5836a0f14"}],"id":1}`
	case command == "estats":
		return `{` + verdict("S", 70, "CGMiner stats", by) + `,"STATS":[{"STATS":0,"ID":"AVA100","MM ID0":"Ver[1066-19101244] Temp[25] TMax[74] TAvg[66] PS[0 1217 1279 221 2834 1280] GHSavg[50291.83]"}],"id":1}`
	case command == "ascset" && strings.HasPrefix(parameter, "0,setpool,"):
		part := split(parameter)
		if len(part) != 7 || part[2] != "root" || part[3] != "root" {
			return `{` + verdict("I", 118, "ASC 0 set info: userpass err", by) + `,"id":1}`
		}
		return `{` + verdict("I", 118, "ASC 0 set info: "+m.keep("0", part[4:]), by) + `,"id":1}`
	case command == "setpool":
		return `{` + verdict("E", 14, "Invalid command", by) + `,"id":1}`
	}
	return m.avalon(command, parameter)
}

// keep keeps a pool for after the restart.
func (m *CGMiner) keep(number string, part []string) string {
	n, _ := strconv.Atoi(number)
	m.next = slices.Clone(m.pools)
	if at := slices.IndexFunc(m.next, func(p listed) bool { return p.number == n }); at >= 0 {
		m.next[at] = listed{device.Pool{URL: part[0], User: part[1]}, n, part[2]}
	}
	return "pool " + number + " success set to " + part[0] + "\nworker is " + part[1] + "\nworkerpassword is " + part[2] + "\nPlease reboot miner to make config work.\n"
}

func (m *CGMiner) restart() {
	m.resets++
	if m.next != nil {
		m.pools, m.next = m.next, nil
	}
}
