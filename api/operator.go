package api

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// Health is how the hub is.
type Health struct {
	Hub        string           `json:"hub" example:"hub.example.org"`
	Leads      bool             `json:"leads" doc:"This node decides."`
	Quarantine bool             `json:"quarantine" doc:"Restored from a backup: wallets are asked, never told."`
	Clock      string           `json:"clock,omitempty" doc:"How the machine's clock is off; until it is right nothing is decided."`
	Position   journal.Position `json:"position" doc:"Of the last durable event."`
	ViewsLag   journal.Position `json:"views_lag" doc:"Events that the lists have not taken in."`
	LogLag     int64            `json:"log_lag" doc:"Events that the public log has not taken in."`
	LogSize    int64            `json:"log_size" doc:"Entries in the public log."`
	Effects    int              `json:"effects" doc:"That wait for their outcome."`
	Buried     int              `json:"buried" doc:"Effects that were given up."`
	Exceptions int              `json:"exceptions" doc:"That wait to be resolved."`
	Rules      replica.Rules    `json:"rules" doc:"By which version of the rules the hub decides, and up to which it knows them."`
	Requests   int64            `json:"requests" doc:"Under way."`
	Streams    int64            `json:"streams" doc:"Of events, open."`
}

// Effects are what waits to be done outside.
type Effects struct {
	Pending int            `json:"pending"`
	Queues  []effect.Queue `json:"queues" nullable:"false"`
}

// BuriedEffect is an effect that was given up.
type BuriedEffect struct {
	Effect journal.Position `json:"effect" doc:"The event that asks for it."`
	Kind   string           `json:"kind" example:"pay.attempt_opened"`
	Peer   string           `json:"peer" example:"wechatpay"`
	Since  moongate.Time    `json:"since"`
	Tries  int              `json:"tries"`
	Reason string           `json:"reason"`
	At     moongate.Time    `json:"at" doc:"When it was given up."`
}

// Revival has a buried effect tried again.
type Revival struct {
	Effect journal.Position `json:"effect" minimum:"1"`
}

// Erasure deletes the key of a subject's personal fields.
type Erasure struct {
	Subject moongate.ID `json:"subject,omitzero" example:"sub_aeaqc_mfrggzdfmztwq2lknnwa"`
	Wallet  string      `json:"wallet,omitempty" maxLength:"128" doc:"In place of the subject, with the payer: whom a wallet knows by it."`
	Payer   string      `json:"payer,omitempty" maxLength:"128" doc:"The person's identifier at the wallet."`
}

const operatorTag = "Operation"

func (a *API) operatorRoutes() {
	register(a, op{path: "/v1/health", id: "health", tag: operatorTag, summary: "Look at the hub's health", scope: party.OperatorScope},
		func(context.Context, Principal, *struct{}) (Health, error) { return a.health(), nil })
	register(a, op{path: "/v1/effects", id: "effects", tag: operatorTag, summary: "Look at the queues of effects", detail: "One for each peer: wallets, payers, readers of webhooks.", scope: party.OperatorScope},
		func(context.Context, Principal, *struct{}) (Effects, error) {
			return Effects{Pending: len(a.hub.Machine().Pending(0, 0)), Queues: a.hub.Effects.Queues()}, nil
		})
	listNow(a, op{path: "/v1/effects/buried", id: "buried", tag: operatorTag, summary: "List effects that were given up", detail: "Oldest first.", scope: party.OperatorScope},
		func(in *PageInput) *PageInput { return in }, a.buried)
	submitAs(a, op{path: "/v1/effects/revive", id: "revive", tag: operatorTag, summary: "Have a buried effect tried again", scope: party.OperatorScope},
		func(_ context.Context, _ Principal, _ string, in *Revival) (prepared[struct{}], error) {
			return prepared[struct{}]{command: &replica.Revive{Effect: in.Effect}}, nil
		}, done[Revival])
	submitAs(a, op{
		path: "/v1/erasures", id: "erase", tag: operatorTag, summary: "Erase a person", scope: party.OperatorScope, status: http.StatusCreated,
		detail: "Deletes the key under which a subject's personal fields are enciphered. It is complete when logs, snapshots and backups that hold the key have expired.",
	}, func(_ context.Context, _ Principal, _ string, in *Erasure) (prepared[struct{}], error) {
		subject := in.Subject
		switch named := in.Wallet != "" && in.Payer != ""; {
		case subject.IsZero() == !named, (in.Wallet != "") != (in.Payer != ""):
			return prepared[struct{}]{}, &moongate.Error{Code: moongate.Malformed, Field: "subject", Message: "it is not said who", Hint: "name a subject, or a wallet and the person's identifier there"}
		case named:
			subject = a.hub.Payments.Person(in.Wallet, in.Payer)
		}
		return prepared[struct{}]{command: &replica.Erase{Subject: subject}}, nil
	}, done[Erasure])
	command[replica.Rules, replica.RaiseRules](a, op{path: "/v1/rules/raise", id: "raise-rules", tag: operatorTag, summary: "Have the hub decide by later rules", detail: "Once every node runs a version that knows them. There is no way back.", scope: party.OperatorScope})
	a.backupRoute()
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if !a.hub.Node.Leads() {
			writeProblem(w, r, &moongate.Error{Code: moongate.Busy, Message: "this node does not lead", Hint: "ask another"})
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte("ok\n"))
	})
}

func (a *API) buried(_ context.Context, _ Principal, _ *PageInput, after string, limit int) (rows []BuriedEffect, next string, err error) {
	from := uint64(0)
	if after != "" {
		if from, err = strconv.ParseUint(after, 10, 64); err != nil {
			return nil, "", err
		}
	}
	for _, d := range a.hub.Machine().Buried() {
		if d.Position <= journal.Position(from) {
			continue
		}
		if len(rows) == limit {
			return rows, strconv.FormatUint(uint64(rows[limit-1].Effect), 10), nil
		}
		rows = append(rows, BuriedEffect{d.Position, d.Pending.Kind, d.Pending.Peer, d.Pending.Since, d.Tries, d.Reason, d.At})
	}
	return rows, "", nil
}

// Done is the answer that has nothing to say.
type Done struct{}

func done[C any](Principal, string, *C, struct{}) Done { return Done{} }

func (a *API) health() Health {
	at, _ := a.hub.Node.Durable()
	h := Health{
		Hub: a.hub.Config.Name, Leads: a.hub.Node.Leads(), Position: at, LogLag: a.hub.Node.Log().Lag(), LogSize: a.hub.Node.Log().Size(),
		Effects: len(a.hub.Machine().Pending(0, 0)), Buried: len(a.hub.Machine().Buried()), Requests: a.load.requests.Load(), Streams: a.load.streams.Load(),
	}
	if fault := a.hub.Node.ClockFault(); fault != nil {
		h.Clock = fault.Message
	}
	if views := a.hub.Views.Position(); views < at {
		h.ViewsLag = at - views
	}
	a.hub.Machine().Read(func() { h.Exceptions, h.Rules = a.hub.Pay.Exceptions(), a.hub.Machine().Rules() })
	_, err := os.Stat(filepath.Join(a.hub.Config.Data, hub.QuarantineFile))
	h.Quarantine = err == nil
	return h
}

// backupRoute streams a backup. It goes on for as long as it takes, and its reader must keep up.
func (a *API) backupRoute() {
	raw(a, op{
		path: "/v1/backup", id: "backup", tag: operatorTag, summary: "Take a backup", scope: party.OperatorScope,
		detail: "Journal, vault and newest checkpoint as a tar archive under zstd, the manifest last; the hub goes on meanwhile. A stream that breaks off has no manifest, and restores nothing.",
	}, "application/zstd", func(w http.ResponseWriter, _ *http.Request, _ Principal, _ *struct{}) error {
		if !a.backing.TryLock() {
			return &moongate.Error{Code: moongate.Busy, Message: "another backup is being taken", Hint: "wait until it is done"}
		}
		defer a.backing.Unlock()
		w.Header().Set("Content-Type", "application/zstd")
		w.Header().Set("Content-Disposition", `attachment; filename="moongate-`+a.hub.Now().UTC().Format("20060102-150405")+`.tar.zst"`)
		_, err := a.hub.Backup(a.patient(w))
		return err
	})
}
