package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/replica"
)

// shop is where the links lead.
const shop = "https://shop.example/teapot?colour=celadon"

// Redirect measures clicks through the link gate over HTTP against a handler that only answers 302, and beside them
// nginx where it is installed.
func Redirect(ctx context.Context, opt Options) (r *Result, err error) {
	dir, remove, err := opt.temp("redirect")
	if err != nil {
		return nil, err
	}
	defer remove()
	v, err := newLive(ctx, opt, filepath.Join(dir, "hub"), idle{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	code, err := v.placeLink(ctx)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(link.Path, v.hub.Links(nil))
	mux.HandleFunc("/bare", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", shop)
		w.WriteHeader(http.StatusFound)
	})
	v.serve(mux)
	other, err := startNginx(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer other.stop()

	size := opt.size()
	to := func(addr, path string) func() (measured, error) {
		b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", path, addr)
		return func() (measured, error) {
			return hammer(ctx, addr, size.connection, size.spell/2, opt.Now, func(int) ([]byte, error) { return b, nil }, " 302 ")
		}
	}
	runs := []func() (measured, error){to(v.address(), link.Path+code), to(v.address(), "/bare")}
	if other != nil {
		runs = append(runs, to(other.addr, "/"))
	}
	all := make([]measured, len(runs))
	before := v.bytes()
	for round := range 2 * size.rounds {
		opt.Progress(fmt.Sprintf("redirects, round %d of %d", round+1, 2*size.rounds))
		for i, run := range runs {
			m, err := run()
			if err != nil {
				return nil, v.fault(ctx, err)
			}
			all[i].add(m)
		}
	}
	if err := v.hub.Clicks.Flush(ctx); err != nil {
		return nil, err
	}
	g := all[0].asCase(fmt.Sprintf("signed click redirects, %d connections", size.connection), "redirects/s")
	g.against(&all[1])
	g.Target = 0.8
	stats := v.hub.Clicks.Stats()
	if n := stats.Recorded + stats.Uncounted; n != uint64(g.Count) || stats.Abandoned > 0 {
		return nil, fmt.Errorf("bench: %d redirects were answered, and %d of their clicks recorded, %d found no room, %d were turned down", g.Count, stats.Recorded, stats.Uncounted, stats.Abandoned)
	}
	g.Bytes = round(float64(v.bytes()-before) / float64(g.Count))
	g.Note = fmt.Sprintf("%d clicks recorded, %d found no room", stats.Recorded, stats.Uncounted)
	r = &Result{Name: "redirect", Machine: machine(), Cases: []Case{g, all[1].asCase("net/http that only answers 302", "redirects/s")}}
	if other != nil {
		n := all[2].asCase("nginx that only answers 302", "redirects/s")
		n.CPU, n.Others = 0, 0 // the work is in another process
		n.Note = other.version
		r.Cases = append(r.Cases, n)
	}
	return r, nil
}

// placeLink places a link to a registered destination, and gives its code.
func (v *live) placeLink(ctx context.Context) (string, error) {
	d, err := replica.Submit[link.DestinationAnswer](ctx, v.node, replica.Request{Caller: market, Command: &link.RegisterDestination{
		Name: "A teapot", Addresses: []link.Address{{Device: link.Web, URL: shop}},
	}})
	if err != nil {
		return "", err
	}
	placed, err := replica.Submit[link.LinkAnswer](ctx, v.node, replica.Request{Caller: publisher, Command: &link.PlaceLink{Destination: d.Destination, Agreement: v.agreement}})
	return placed.Code, err
}
