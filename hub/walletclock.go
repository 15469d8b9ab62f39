package hub

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// realWallets are where the wallets themselves are.
var realWallets = map[string]string{"wechatpay": "https://api.mch.weixin.qq.com", "alipay": "https://openapi.alipay.com", "stripe": "https://api.stripe.com"}

// Address is where the wallet is reached; "" where it is not known.
func (w *WalletConfig) Address() string {
	if w.BaseURL != "" {
		return w.BaseURL
	}
	return realWallets[w.Kind]
}

// Offset is how far this machine's clock is ahead of a wallet's: what the wallet says in the Date of any answer, to the
// second. The error says that nobody answered, or without a date.
func (w *WalletConfig) Offset(ctx context.Context, now func() time.Time) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Address(), http.NoBody)
	if err != nil {
		return 0, fmt.Errorf("wallet %s: %w", w.Name, err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	before := now()
	resp, err := client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("wallet %s: %w", w.Name, err)
	}
	_ = resp.Body.Close() // its date is all that counts
	middle := before.Add(now().Sub(before) / 2)
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("wallet %s: its answer has no date", w.Name)
	}
	return middle.Sub(at).Round(time.Second), nil
}

// ClockTolerance is how far a clock may be from a wallet's: wallets turn away what is signed five minutes off.
const ClockTolerance = time.Minute

// WalletClock asks the wallets what time it is, and tells whether one that answers agrees with this machine's clock and none
// disagrees.
func (c *Config) WalletClock(now func() time.Time) func(context.Context) bool {
	return func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		agreed := false
		for i := range c.Wallets {
			off, err := c.Wallets[i].Offset(ctx, now)
			if err != nil {
				continue
			}
			if off.Abs() > ClockTolerance {
				return false
			}
			agreed = true
		}
		return agreed
	}
}
