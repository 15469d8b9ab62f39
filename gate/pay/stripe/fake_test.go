package stripe_test

import (
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/stripe"
	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
	"github.com/moongate-hub/moongate/money"
)

// account is one that [stripetest] plays, behind a socket and under a clock of its own.
type account struct {
	*stripetest.Account
	url string
	now time.Time
	t   testing.TB
}

func open(t testing.TB) (*account, *stripe.Wallet) {
	t.Helper()
	a := &account{t: t, now: time.Date(2026, 5, 4, 8, 0, 0, 0, time.UTC)}
	a.Account = stripetest.New(func() time.Time { return a.now })
	server := httptest.NewServer(a.Account)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a, a.connect(t)
}

// connect gives a connector that remembers nothing, as after a restart.
func (a *account) connect(t testing.TB) *stripe.Wallet {
	t.Helper()
	w, err := stripe.New(stripe.Config{
		SecretKey: stripetest.SecretKey, WebhookSecret: stripetest.WebhookSecret, Currencies: []money.Currency{{'U', 'S', 'D'}, {'E', 'U', 'R'}}, Transfers: true, BaseURL: a.url,
		Now: func() time.Time { return a.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// officialMock starts Stripe's own mock, and gives its address.
func officialMock(t *testing.T) string {
	t.Helper()
	mock, err := filepath.Abs(filepath.Join("..", "..", "..", ".cache", "bin", "stripe-mock"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mock); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("stripe-mock is not built (make tools): %v", err)
		}
		t.Skip("stripe-mock is not built: make tools does")
	}
	cmd := exec.Command(mock, "-http-port", "0", "-https-port", "-1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return "http://" + listening(t, out)
}

// listening reads the address from what the official mock prints when it starts.
func listening(t *testing.T, out io.Reader) string {
	t.Helper()
	text := make([]byte, 0, 4096)
	buf := make([]byte, 512)
	for {
		n, err := out.Read(buf)
		text = append(text, buf[:n]...)
		if _, rest, ok := strings.Cut(string(text), "Listening for HTTP at address: "); ok {
			if address, _, ok := strings.Cut(rest, "\n"); ok {
				go io.Copy(io.Discard, out)
				address = strings.TrimSpace(address)
				return strings.Replace(address, "[::]", "127.0.0.1", 1)
			}
		}
		if err != nil {
			t.Fatalf("stripe-mock said: %s", text)
		}
	}
}
