package webui

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool/payout"
)

func (m *machine) Wallet(ctx context.Context) (walletPage, error) {
	if _, err := m.desk(); err != nil {
		return walletPage{}, err
	}
	w, sounding := m.walletStatus(ctx), m.box.Sounding()
	v := walletPage{
		FeeRates: feesOf(sounding),
		Name:     w.Name, Address: w.Address, Problem: w.Problem, Loaded: w.Loaded, Cold: w.Cold, Locked: w.NeedsKey, Unlock: w.Unlock, Kept: w.Kept, KeptIn: w.KeptIn,
		Restorable: w.Restorable, Paid: w.Paid, Missing: w.Missing, Words: w.Words, Ask: w.Ask, Print: w.Print, TestedAt: w.TestedAt,
		Copied: w.Backup.LastSound(), Failed: w.Backup.Problem, Copies: w.Copies, Folder: w.Folder,
		Limit: w.Limit.Sats, Over: w.Limit.Over, Advice: w.Limit.Advice, Target: w.Limit.Cold, Next: w.Limit.NextCold, NextAt: w.Limit.NextAt,
		DraftsSweep: w.Limit.Draft, OwnOver: w.Limit.Own.Over, Own: w.Limit.Own.All,
	}
	if w.Known {
		v.Trusted, v.Immature, v.Pending = &w.Trusted, &w.Immature, &w.Pending
	}
	if c := sounding.Coins; c != nil && w.Loaded {
		v.Coins = &coinsView{c.Free, c.Taken}
	}
	return v, nil
}

func (m *machine) DrawWords(ctx context.Context, op operator, ip string) ([]string, error) {
	if _, err := m.desk(); err != nil {
		return nil, err
	}
	defer m.wallet.forget()
	words, err := m.box.DrawWords(ctx, op.Name, ip)
	return words, asProblem(err)
}

func (m *machine) ChangeWallet(ctx context.Context, c walletChange) error {
	if _, err := m.desk(); err != nil {
		return err
	}
	defer m.wallet.forget()
	restoring := appliance.Restoring{Passphrase: c.Passphrase, Actor: c.Operator.Name, IP: c.IP}
	switch c.Action {
	case walletConfirm:
		return asProblem(m.box.ConfirmWords(ctx, c.Some, c.Operator.Name, c.IP))
	case walletTest:
		return asProblem(m.box.TestWords(ctx, c.Words, c.Operator.Name, c.IP))
	case walletWords:
		restoring.Words, restoring.Since = c.Words, c.Since
		return asProblem(m.box.RestoreWallet(ctx, restoring))
	case walletCopy:
		restoring.Copy = c.Copy
		return asProblem(m.box.RestoreWallet(ctx, restoring))
	case walletKeep:
		return asProblem(m.box.ChangeUnlock(ctx, appliance.UnlockChange{Unlock: c.Unlock, Passphrase: c.Passphrase, Actor: c.Operator.Name, IP: c.IP}))
	case walletLimit:
		return asProblem(m.box.SetWalletLimit(ctx, appliance.LimitChange{Sats: c.Limit, Cold: c.Target, Draft: c.Draft, Actor: c.Operator.Name, IP: c.IP}))
	}
	return fmt.Errorf("change wallet: there is no action %q", c.Action)
}

func (m *machine) DraftSweep(ctx context.Context, op operator, key string, all bool, ip string) (int64, error) {
	desk, err := m.desk()
	if err != nil {
		return 0, err
	}
	p, err := desk.Sweep(ctx, payout.SweepRequest{
		DraftRequest: payout.DraftRequest{Actor: op.Name, IP: ip, IdemKey: requestKey(op, fmt.Sprintf("sweep:%v:%s", all, key))}, All: all,
	})
	m.inVain(ctx, op, "payout.sweep", payoutRef(p.ID), ip, err)
	return p.ID, asProblem(err)
}

func (m *machine) UploadWallet(ctx context.Context, file io.Reader, c walletChange) error {
	if _, err := m.desk(); err != nil {
		return err
	}
	defer m.wallet.forget()
	return asProblem(m.box.RestoreUpload(ctx, file, appliance.Restoring{Passphrase: c.Passphrase, Actor: c.Operator.Name, IP: c.IP}))
}

func (m *machine) CopyOfWallet(ctx context.Context, op operator, ip string) (walletCopyFile, error) {
	if _, err := m.desk(); err != nil {
		return walletCopyFile{}, err
	}
	defer m.wallet.forget()
	file, err := m.box.CopyOfWallet(ctx, op.Name, ip)
	if err != nil {
		return walletCopyFile{}, asProblem(err)
	}
	return walletCopyFile{file, filepath.Base(file.Name())}, nil
}
