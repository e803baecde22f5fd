//go:build browser

package webui

import (
	"os"
	"testing"
)

// Every page of the first set-up, as TestPagesInBrowser looks at all others.
func TestSetupInBrowser(t *testing.T) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	browser := startBrowser(t)
	t.Setenv("DMPOOL_BITCOIND", "") // which would answer for the node
	fresh, _, _ := openSetup(t)
	practice, _, dir := openSetupWith(t, Options{HTTPS: keptPages(t)})
	practice.claim(dir)
	for _, a := range goodAnswers() {
		practice.say(a[0], a[1:]...)
	}
	public, _, dir := openSetup(t) // a network with a node to think about
	public.claim(dir)
	for _, a := range goodAnswers()[:3] {
		public.say(a[0], a[1:]...)
	}
	public.say("network", "network", "signet")
	public.say("node", "node", "own", "prune", "auto")
	secret, _, dir := openSetup(t)
	secret.wantsFactor(dir)
	codes, _, dir := openSetup(t)
	codes.wantsFactor(dir)
	codes.press("/setup/factor", "code", phone(t, secretOn(codes.get("/setup/factor").body)))
	brought, _, dir := openSetup(t)
	brought.claim(dir)
	brought.bring(backupPhrase, oldBox(t))
	all := []target{
		{"setup-restore", "setup/restore", public, false, false, false},
		{"setup-brought", "setup/restore", brought, false, false, true},
		{"setup-factor", "setup/factor", secret, false, false, true},
		{"setup-factor-codes", "setup/factor", codes, false, false, false},
		{"setup-help", "setup/help?from=welcome", fresh, false, false, false},
		{"setup-core", "setup/core", public, false, false, false},
		{"setup-welcome", "setup/welcome", fresh, false, false, true},
		{"setup-node-public", "setup/node", public, false, false, true},
		{"setup-wallet-public", "setup/wallet", public, false, false, false},
	}
	for _, step := range []string{"start", "operator", "check", "network", "node", "rules", "wallet", "access", "review"} {
		all = append(all, target{"setup-" + step, "setup/" + step, practice, false, false, true})
	}
	t.Run("pages", func(t *testing.T) {
		for _, tg := range all {
			for _, l := range languages() {
				t.Run(tg.name+" "+l.Tag, func(t *testing.T) {
					t.Parallel()
					look := &inspection{t: t, target: tg, lang: l.Tag, axe: string(axe)}
					look.run(browser)
				})
			}
		}
	})
}
