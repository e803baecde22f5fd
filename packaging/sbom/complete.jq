# What cyclonedx-gomod cannot know, or gets wrong: the version, the commit's date in
# place of the moment, the C code, and the licences that its detector confuses with
# their neighbours (ISC with 0BSD, BSD-3-Clause with BSD-Source-Code). The detector's
# finding stays as evidence; `licenses` is what we have read ourselves.

def licensed($id): .licenses = [{license: {id: $id}}];

# The modules are the same on each machine that packages are made for.
def everywhere: .purl |= sub("&goos=[a-z0-9]+&goarch=[a-z0-9]+"; "");

def read_ourselves:
  if .name | test("^github\\.com/(btcsuite|decred|dmpool)/") then licensed("ISC")
  elif .name | test("^(std$|golang\\.org/x/)") then licensed("BSD-3-Clause")
  else . end;

def sqlite: {
  "bom-ref": "pkg:generic/sqlite@\($sqlite)",
  type: "library",
  name: "sqlite",
  version: $sqlite,
  description: "The amalgamation inside github.com/mattn/go-sqlite3, compiled in.",
  scope: "required",
  purl: "pkg:generic/sqlite@\($sqlite)",
  cpe: "cpe:2.3:a:sqlite:sqlite:\($sqlite):*:*:*:*:*:*:*",
  externalReferences: [{type: "website", url: "https://sqlite.org"}]
} | licensed("blessing");

([.components[] | select(.name == "github.com/mattn/go-sqlite3")["bom-ref"]]) as $carriers
| if $carriers | length != 1 then error("go-sqlite3 is there \($carriers | length) times") else . end
| .metadata.timestamp = $when
| .metadata.tools |= map(del(.hashes))
| .metadata.component |= (
    .version = $version
    | .purl = "pkg:golang/github.com/dmpool/dmpool@\($version)?type=module"
    | read_ourselves)
| .components |= map(read_ourselves | everywhere)
| .components += [sqlite]
| .dependencies |= map(if .ref == $carriers[0] then .dependsOn += [sqlite["bom-ref"]] else . end)
| .dependencies += [{ref: sqlite["bom-ref"]}]
