package backup_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/backup"
)

const passphrase = "a passphrase of tests"

// quick costs nothing.
var quick = backup.Lock{Passphrase: passphrase, WorkFactor: 2}

var made = time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)

func contents() map[string]string {
	return map[string]string{"ledger.db": strings.Repeat("a ledger ", 20_000), "shares.db": "shares", "passphrase": "", "second-factor.key": "\x00\x01"}
}

func manifestOf(files map[string]string) backup.Manifest {
	m := backup.Manifest{
		Format: backup.Format, Name: backup.Name("practice", made, 1), Network: "practice", Made: made, Program: "1.2.3",
		Schemas: map[string]int{"ledger.db": 18}, Wallet: "dmpool-practice",
	}
	for _, name := range []string{"ledger.db", "shares.db", "passphrase", "second-factor.key"} {
		if text, ok := files[name]; ok {
			sum := sha256.Sum256([]byte(text))
			m.Files = append(m.Files, backup.File{Name: name, Size: int64(len(text)), SHA256: sum[:]})
		}
	}
	return m
}

func opener(files map[string]string) func(string) (io.ReadCloser, error) {
	return func(name string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(files[name])), nil }
}

func written(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := backup.Write(context.Background(), &out, quick, manifestOf(contents()), opener(contents())); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// restored unpacks a backup into a folder and returns what is there.
func restored(t *testing.T, r io.Reader, with string) (backup.Manifest, map[string]string, error) {
	t.Helper()
	a, err := backup.Open(t.Context(), r, with)
	if err != nil {
		return backup.Manifest{}, nil, err
	}
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := a.Extract(root, 0); err != nil {
		return a.Manifest(), nil, err
	}
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return a.Manifest(), files, nil
}

func TestThereAndBack(t *testing.T) {
	m, files, err := restored(t, iotest.OneByteReader(bytes.NewReader(written(t))), passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manifestOf(contents()), m); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(contents(), files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWriteRefuses(t *testing.T) {
	good := manifestOf(contents())
	short := contents()
	short["ledger.db"] = "short"
	other := contents()
	other["shares.db"] = "sharks"
	for name, c := range map[string]struct {
		change func(m *backup.Manifest)
		files  map[string]string
	}{
		"a path":              {func(m *backup.Manifest) { m.Files[0].Name = "../ledger.db" }, contents()},
		"twice":               {func(m *backup.Manifest) { m.Files[1].Name = m.Files[0].Name }, contents()},
		"no files":            {func(m *backup.Manifest) { m.Files = nil }, contents()},
		"too short a content": {func(*backup.Manifest) {}, short},
		"another content":     {func(*backup.Manifest) {}, other},
	} {
		m := good
		m.Files = slices.Clone(good.Files)
		c.change(&m)
		if err := backup.Write(t.Context(), io.Discard, quick, m, opener(c.files)); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := backup.Write(ctx, io.Discard, quick, good, opener(contents())); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

// craft encrypts what is no backup, in the way of one.
func craft(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(quick.WorkFactor)
	w, err := age.Encrypt(&out, r)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewWriter(w)
	for _, h := range entries {
		text := h.PAXRecords["test"]
		delete(h.PAXRecords, "test")
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
		}
		if err := archive.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func entry(name, text string) tar.Header {
	return tar.Header{Name: name, Mode: 0o600, PAXRecords: map[string]string{"test": text}}
}

func manifest(t testing.TB, m any) tar.Header {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return entry("manifest.json", string(text))
}

// hostile are files that nobody should get anything out of, and why.
func hostile(t testing.TB) map[string]struct {
	content []byte
	want    error
} {
	t.Helper()
	whole := written(t)
	salted := slices.Clone(whole) // its letters are base64
	salted[35] = map[bool]byte{true: 'B', false: 'A'}[salted[35] == 'A']
	at := func(i int) []byte {
		spoiled := slices.Clone(whole)
		spoiled[i] ^= 1
		return spoiled
	}
	one := map[string]string{"shares.db": "shares"}
	small := manifestOf(one)
	traversal, absolute, many, huge, newer := small, small, small, small, small
	traversal.Files = []backup.File{{Name: "../shares.db", Size: 6, SHA256: small.Files[0].SHA256}}
	absolute.Files = []backup.File{{Name: "/etc/passwd", Size: 6, SHA256: small.Files[0].SHA256}}
	many.Files = slices.Repeat(small.Files, 65)
	huge.Files = []backup.File{{Name: "shares.db", Size: 1 << 62, SHA256: small.Files[0].SHA256}, {Name: "ledger.db", Size: 1 << 62, SHA256: small.Files[0].SHA256}}
	newer.Format = backup.Format + 1
	link := tar.Header{Name: "shares.db", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}
	sparse := entry("shares.db", "shares")
	sparse.PAXRecords["DMPOOL.test"] = "1"
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var toKey bytes.Buffer
	if w, err := age.Encrypt(&toKey, key.Recipient()); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return map[string]struct {
		content []byte
		want    error
	}{
		"nothing":               {nil, backup.ErrNotBackup},
		"text":                  {[]byte("Dear reader, this is a letter and no backup."), backup.ErrNotBackup},
		"a picture":             {bytes.Repeat([]byte{0x89, 'P', 'N', 'G'}, 1000), backup.ErrNotBackup},
		"encrypted to a key":    {toKey.Bytes(), backup.ErrNotBackup},
		"the intro alone":       {whole[:22], backup.ErrTruncated},
		"half a header":         {whole[:60], backup.ErrTruncated},
		"half":                  {whole[:len(whole)/2], backup.ErrTruncated},
		"the last byte missing": {whole[:len(whole)-1], backup.ErrAltered},
		"a chunk missing":       {whole[:len(whole)-len(whole)%65552+200], backup.ErrTruncated},
		"something behind it":   {append(slices.Clone(whole), 0), backup.ErrAltered},
		"a letter of the salt":  {salted, backup.ErrPassphrase},
		"a bit of the content":  {at(len(whole) / 2), backup.ErrAltered},
		"the last bit":          {at(len(whole) - 1), backup.ErrAltered},
		"costly":                {bytes.Replace(whole, []byte(" 2\n"), []byte(" 19\n"), 1), backup.ErrCostly},
		"no manifest":           {craft(t, entry("shares.db", "shares")), backup.ErrAltered},
		"empty archive":         {craft(t), backup.ErrTruncated},
		"manifest is no JSON":   {craft(t, entry("manifest.json", "hello")), backup.ErrNotBackup},
		"manifest is too large": {craft(t, entry("manifest.json", strings.Repeat(" ", 2<<20))), backup.ErrNotBackup},
		"unknown key":           {craft(t, entry("manifest.json", `{"format":1,"surprise":2}`)), backup.ErrAltered},
		"newer":                 {craft(t, manifest(t, newer)), backup.ErrNewer},
		"newer, and unknown":    {craft(t, entry("manifest.json", `{"format":7,"surprise":2}`)), backup.ErrNewer},
		"traversal":             {craft(t, manifest(t, traversal), entry("../shares.db", "shares")), backup.ErrAltered},
		"absolute":              {craft(t, manifest(t, absolute), entry("/etc/passwd", "shares")), backup.ErrAltered},
		"many":                  {craft(t, manifest(t, many)), backup.ErrAltered},
		"sizes overflow":        {craft(t, manifest(t, huge)), backup.ErrAltered},
		"file is missing":       {craft(t, manifest(t, small)), backup.ErrTruncated},
		"one file too many":     {craft(t, manifest(t, small), entry("shares.db", "shares"), entry("x", "y")), backup.ErrAltered},
		"another name":          {craft(t, manifest(t, small), entry("ledger.db", "shares")), backup.ErrAltered},
		"another size":          {craft(t, manifest(t, small), entry("shares.db", "share")), backup.ErrAltered},
		"another content":       {craft(t, manifest(t, small), entry("shares.db", "sharks")), backup.ErrAltered},
		"a link":                {craft(t, manifest(t, small), link), backup.ErrAltered},
		"what tar can besides":  {craft(t, manifest(t, small), sparse), backup.ErrAltered},
	}
}

func TestBadInput(t *testing.T) {
	for name, c := range hostile(t) {
		_, files, err := restored(t, bytes.NewReader(c.content), passphrase)
		if !errors.Is(err, c.want) || files != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for _, wrong := range []string{"", "another passphrase", passphrase + " "} {
		if _, _, err := restored(t, bytes.NewReader(written(t)), wrong); !errors.Is(err, backup.ErrPassphrase) {
			t.Errorf("passphrase %q: %v", wrong, err)
		}
	}
	broken := errors.New("the disk was pulled out")
	whole := written(t)
	for _, at := range []int{0, 40, 300, len(whole) / 2, len(whole)} {
		_, _, err := restored(t, io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(broken)), passphrase)
		if !errors.Is(err, broken) || errors.Is(err, backup.ErrAltered) {
			t.Errorf("a reader that fails at %d: %v", at, err)
		}
	}
}

// TestNoRoom asks for more than any disk has; nothing of it is written.
func TestNoRoom(t *testing.T) {
	small := manifestOf(map[string]string{"shares.db": "shares"})
	small.Files[0].Size = 1 << 60
	_, files, err := restored(t, bytes.NewReader(craft(t, manifest(t, small), entry("shares.db", "shares"))), passphrase)
	if !errors.Is(err, backup.ErrNoRoom) || files != nil {
		t.Errorf("%v, want %v", err, backup.ErrNoRoom)
	}
}

// FuzzOpen reads files that are anything.
func FuzzOpen(f *testing.F) {
	for _, c := range hostile(f) {
		if len(c.content) < 4096 { // large ones make the search slow
			f.Add(c.content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.Contains(content[:min(len(content), 200)], []byte(" 1")) {
			return // a factor that takes seconds
		}
		a, err := backup.Open(t.Context(), bytes.NewReader(content), passphrase)
		if err != nil {
			return
		}
		var sum int64
		err = a.Each(func(_ backup.File, r io.Reader) error {
			n, err := io.Copy(io.Discard, r)
			sum += n
			return err
		})
		if sum > int64(len(content)) || err == nil && sum != a.Manifest().Bytes() {
			t.Errorf("%d bytes out of %d, and %d were announced: %v", sum, len(content), a.Manifest().Bytes(), err)
		}
	})
}
