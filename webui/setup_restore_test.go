package webui

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/backup"
	"github.com/dmpool/dmpool/pool/sqlite"
)

const backupPhrase = "Planted Secret of an old box"

// oldBox is a backup of a box that was set up, with nothing mined yet.
func oldBox(t *testing.T, change ...func(*backup.Manifest)) []byte {
	t.Helper()
	dir := t.TempDir()
	err := appliance.SetUp(t.Context(), dir, appliance.Answers{
		Network: "regtest", Operator: appliance.OperatorAnswer{User: "grandma", Password: password}, Pool: appliance.PoolAnswer{Name: new("Old Barn")},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ledger.db")
	if err := sqlite.Copy(t.Context(), filepath.Join(dir, "regtest", "ledger.db"), file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	m := backup.Manifest{
		Name: backup.Name("regtest", noon, 1), Network: "regtest", Made: noon, Program: "1.2.3",
		Files: []backup.File{{Name: "ledger.db", Size: int64(len(text)), SHA256: sum[:]}},
	}
	for _, c := range change {
		c(&m)
	}
	var out bytes.Buffer
	err = backup.Write(t.Context(), &out, backup.Lock{Passphrase: backupPhrase, WorkFactor: 4}, m, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(text)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bring uploads a file on the page of the set-up.
func (w *visit) bring(passphrase string, content []byte) answer {
	w.t.Helper()
	token := hidden(w.t, w.get("/setup/restore").body, "token")
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, field := range [][2]string{{"token", token}, {"passphrase", passphrase}} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			w.t.Fatal(err)
		}
	}
	file, err := form.CreateFormFile("file", "../../etc/dmpool.age")
	if err == nil {
		_, err = file.Write(content)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		w.t.Fatal(err)
	}
	return w.do(http.MethodPost, setupRestorePath, nil, func(r *http.Request) {
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
	})
}

// restoring sends one of the forms without a file.
func (w *visit) restoring(what string) answer {
	w.t.Helper()
	return w.do(http.MethodPost, "/setup/restore/"+what, url.Values{"token": {hidden(w.t, w.get("/setup/restore").body, "token")}})
}

// A new box goes on as the one of a backup: the file is shown first, and then the old
// password opens it.
func TestSetupFromBackup(t *testing.T) {
	w, wizard, dir := openSetup(t)
	if got := w.get("/setup/restore"); got.Header.Get("Location") != "/setup/welcome" {
		t.Errorf("without the code: %d to %s", got.StatusCode, got.Header.Get("Location"))
	}
	w.claim(dir)
	if got := w.say("start", "start", "backup"); got.Header.Get("Location") != "/setup/restore" {
		t.Fatalf("start: %d to %s", got.StatusCode, got.Header.Get("Location"))
	}
	checkPage(t, w.get("/setup/restore").body)
	content := oldBox(t)
	for name, test := range map[string]struct {
		passphrase string
		content    []byte
		want       string
	}{
		"another passphrase": {"a guess", content, "does not open this backup"},
		"no file":            {backupPhrase, nil, "no backup of DMPool"},
		"a picture":          {backupPhrase, []byte("\x89PNG\r\n\x1a\n<script>"), "no backup of DMPool"},
		"half of it":         {backupPhrase, content[:len(content)/2], "not copied completely"},
		"altered":            {backupPhrase, altered(content), "altered or damaged"},
		"of tomorrow":        {backupPhrase, oldBox(t, func(m *backup.Manifest) { m.Files[0].Name = "telepathy.db" }), "newer version"},
	} {
		got := w.bring(test.passphrase, test.content)
		checkPage(t, got.body)
		if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.body, test.want) || strings.Contains(got.body, "Planted") {
			t.Errorf("%s: status %d, without %q", name, got.StatusCode, test.want)
		}
	}
	if got := w.restoring("take"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("take without a file: status %d", got.StatusCode)
	}
	for range 2 {
		if got := w.bring(backupPhrase, content); got.Header.Get("Location") != "/setup/restore" {
			t.Fatalf("upload: %d to %s, %s", got.StatusCode, got.Header.Get("Location"), got.body)
		}
		page := w.get("/setup/restore").body
		checkPage(t, page)
		for _, want := range []string{"grandma", "Old Barn", "2026-11-22"} {
			if !strings.Contains(page, want) {
				t.Errorf("what is in it does not show %q", want)
			}
		}
		if got := w.restoring("drop"); got.StatusCode != http.StatusSeeOther || strings.Contains(w.get("/setup/restore").body, "grandma") {
			t.Errorf("drop: status %d", got.StatusCode)
		}
	}
	w.bring(backupPhrase, content)
	if got := w.restoring("take"); got.Header.Get("Location") != "/login" {
		t.Fatalf("take: %d to %s, %s", got.StatusCode, got.Header.Get("Location"), got.body)
	}
	select {
	case <-wizard.Ended():
	case <-time.After(time.Minute):
		t.Fatal("the set-up has not ended")
	}
	a, err := appliance.New(t.Context(), appliance.Config{DataDir: dir})
	if err == nil { // the wizard has the directory
		t.Error(a.Close())
	}
	box, err := wizard.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	if op, _, err := box.Login(t.Context(), "grandma", password, "127.0.0.1"); err != nil || op.Name != "grandma" {
		t.Errorf("sign-in with the old password: %+v, %v", op, err)
	}
}

func altered(content []byte) []byte {
	text := bytes.Clone(content)
	text[len(text)-1000] ^= 1
	return text
}

// Nobody else than who holds the set-up uploads anything.
func TestSetupRestoreBelongsToTheHolder(t *testing.T) {
	w, _, _ := openSetup(t)
	for _, path := range []string{setupRestorePath, "/setup/restore/take", "/setup/restore/drop"} {
		if got := w.do(http.MethodPost, path, nil); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d", path, got.StatusCode)
		}
	}
}
