package sandbox

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
)

// record is one line of the state file: something as it now is. Of several lines about the same thing the last counts.
type record struct {
	Platform  *savedPlatform `json:",omitempty"`
	Public    *savedPublic   `json:",omitempty"`
	Merchant  *savedMerchant `json:",omitempty"`
	Order     *order         `json:",omitempty"`
	Refund    *refund        `json:",omitempty"`
	Notice    *notice        `json:",omitempty"`
	Violation *Violation     `json:",omitempty"`
}

type savedPlatform struct {
	Cert  []byte // DER
	Key   []byte // PKCS #8
	Signs time.Time
}

type savedPublic struct {
	ID  string
	Key []byte // PKCS #8
}

type savedMerchant struct {
	MchID, AppID, SerialNo, APIv3Key string
	Key                              []byte // PKCS #8
}

func (p *platform) saved() *savedPlatform {
	return &savedPlatform{Cert: p.cert.Raw, Key: pkcs8(p.key), Signs: p.signs}
}

func (m *merchant) saved() *savedMerchant {
	return &savedMerchant{MchID: m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, APIv3Key: m.APIv3Key, Key: pkcs8(m.PrivateKey)}
}

func pkcs8(key *rsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(fmt.Sprintf("sandbox: %v", err)) // an RSA key always has this form
	}
	return der
}

func parseKey(der []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return k, nil
}

// load puts a record back where it belongs; the caller holds the lock.
func (w *Wallet) load(r record) error {
	switch {
	case r.Platform != nil:
		key, err := parseKey(r.Platform.Key)
		if err != nil {
			return err
		}
		cert, err := x509.ParseCertificate(r.Platform.Cert)
		if err != nil {
			return err
		}
		w.platform = append(w.platform, &platform{key: key, cert: cert, serial: strings.ToUpper(hex.EncodeToString(cert.SerialNumber.Bytes())), signs: r.Platform.Signs})
		w.platform = w.platform[max(0, len(w.platform)-2):]
	case r.Public != nil:
		key, err := parseKey(r.Public.Key)
		if err != nil {
			return err
		}
		w.public = &platform{key: key, serial: r.Public.ID}
	case r.Merchant != nil:
		key, err := parseKey(r.Merchant.Key)
		if err != nil {
			return err
		}
		s := r.Merchant
		w.merchants[s.MchID] = newMerchant(Merchant{MchID: s.MchID, AppID: s.AppID, SerialNo: s.SerialNo, APIv3Key: s.APIv3Key, PrivateKey: key})
	case r.Order != nil:
		return w.loadOrder(r.Order)
	case r.Refund != nil:
		m := w.merchants[r.Refund.MchID]
		if m == nil {
			return fmt.Errorf("refund %q of an unknown merchant", r.Refund.No)
		}
		m.refunds[r.Refund.No] = r.Refund
	case r.Notice != nil:
		delete(w.notices, r.Notice.ID)
		if !r.Notice.Ended {
			w.notices[r.Notice.ID] = r.Notice
		}
	case r.Violation != nil:
		w.violations = append(w.violations, *r.Violation)
	}
	return nil
}

func (w *Wallet) loadOrder(o *order) error {
	m := w.merchants[o.MchID]
	if m == nil {
		return fmt.Errorf("order %q of an unknown merchant", o.No)
	}
	if m.orders[o.No] == nil {
		w.orders++
	}
	m.orders[o.No] = o
	if o.TransactionID != "" {
		m.byRef[o.TransactionID] = o
		if _, paid := m.byAttach[o.Attach]; o.Attach != "" && !paid {
			m.byAttach[o.Attach] = o.No
		}
	}
	return nil
}

// Book is what a wallet holds for a merchant, for comparing with a bill or a ledger.
type Book struct {
	Payments []Payment
	Refunds  []Refunded
}

// Payment is a paid order in a [Book].
type Payment struct {
	OutTradeNo, TransactionID, Attach string
	Total, Fee                        int64 // fen
}

// Refunded is a refund in a [Book] that moved money or still may.
type Refunded struct {
	OutRefundNo, RefundID, OutTradeNo, State string
	Amount, FeeBack                          int64 // fen
}

// Book copies a merchant's book, sorted by number.
func (w *Wallet) Book(mchID string) Book {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b Book
	m := w.merchants[mchID]
	if m == nil {
		return b
	}
	for _, no := range slices.Sorted(maps.Keys(m.orders)) {
		if o := m.orders[no]; o.TransactionID != "" {
			b.Payments = append(b.Payments, Payment{OutTradeNo: no, TransactionID: o.TransactionID, Attach: o.Attach, Total: o.Total, Fee: o.Fee})
		}
	}
	for _, no := range slices.Sorted(maps.Keys(m.refunds)) {
		if r := m.refunds[no]; r.State != closed {
			b.Refunds = append(b.Refunds, Refunded{OutRefundNo: no, RefundID: r.RefundID, OutTradeNo: r.OrderNo, State: r.State, Amount: r.Amount, FeeBack: r.FeeBack})
		}
	}
	return b
}

// store is the state file: JSON lines, appended. It is not synced: it survives the end of the process, which is what it
// is for, not that of the machine.
type store struct{ file *os.File }

// openStore reads every record and opens the file for appending. A last line that was cut off by the end of the process
// is dropped; damage anywhere else is an error.
func openStore(path string, load func(record) error) (*store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(file)
	var good int64
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		var r record
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err = d.Decode(&r); err == nil {
			err = load(r)
		}
		if err != nil {
			bad := &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("%s line %d", path, line), Message: err.Error(), Hint: "the file is damaged; move it away to start with an empty book"}
			return nil, errors.Join(bad, file.Close())
		}
		good += int64(len(text))
	}
	if err := file.Truncate(good); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &store{file: file}, nil
}

func (s *store) append(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.file.Write(append(line, '\n'))
	return err
}

func (s *store) close() error { return s.file.Close() }
