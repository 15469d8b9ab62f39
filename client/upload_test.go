package client_test

import (
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// endless is a file that has no end, and counts what was read of it.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return len(p), nil
}

func TestUpload(t *testing.T) {
	s := &script{steps: []func(http.ResponseWriter){say(200, `{"id":"bil_1"}`), say(422, `{"code":"malformed","field":"line 4","detail":"a sum does not hold"}`), hangUp}}
	c := open(t, s)
	got, err := client.Upload[answer](t.Context(), c, "/v1/bills", url.Values{"wallet": {"crane"}}, strings.NewReader("a bill"))
	if err != nil || got.ID != "bil_1" {
		t.Fatalf("got %+v, %v", got, err)
	}
	r := s.requests()[0]
	if r.Method != http.MethodPost || r.URL.String() != "/v1/bills?wallet=crane" || s.body[0] != "a bill" ||
		r.Header.Get("Content-Type") != "application/octet-stream" || r.Header.Get("Authorization") != "Bearer mgt_secret" {
		t.Errorf("%s %s %q %v", r.Method, r.URL, s.body[0], r.Header)
	}
	var refusal *moongate.Error
	if _, err = client.Upload[answer](t.Context(), c, "/v1/bills", nil, strings.NewReader("cut")); !errors.As(err, &refusal) || refusal.Field != "line 4" {
		t.Errorf("a refusal became %v", err)
	}
	// The file was read: nobody can send it again but the caller.
	if _, err = client.Upload[answer](t.Context(), c, "/v1/bills", nil, strings.NewReader("lost")); moongate.CodeOf(err) != moongate.Unknown || len(s.requests()) != 3 {
		t.Errorf("%v after %d requests", err, len(s.requests()))
	}
}

// The answer comes when the hub has read the bill, however long that takes.
func TestUploadWaits(t *testing.T) {
	read, impatient := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			<-r.Context().Done() // whoever asks has given up
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		close(read)
		<-impatient
		say(200, `{"id":"bil_1"}`)(w)
	}))
	defer server.Close()
	hurried := http.DefaultTransport.(*http.Transport).Clone()
	hurried.ResponseHeaderTimeout = 20 * time.Millisecond
	c, err := client.New(client.Options{URL: server.URL, Token: "mgt_secret", Random: steady{}, Tries: 1, HTTP: &http.Client{Transport: hurried}})
	if err != nil {
		t.Fatal(err)
	}
	uploaded := make(chan error, 1)
	go func() {
		_, err := client.Upload[answer](t.Context(), c, "/v1/bills", nil, strings.NewReader("a bill"))
		uploaded <- err
	}()
	<-read
	// Another request begins to wait after the upload, and gives up before it.
	if _, err := client.Get[answer](t.Context(), c, "/v1/bills", nil); err == nil {
		t.Error("other requests wait as long")
	}
	close(impatient)
	if err := <-uploaded; err != nil {
		t.Error(err)
	}
}

func TestUploadSigned(t *testing.T) {
	public, private := party.PublicKey{}, ed25519.NewKeyFromSeed(make([]byte, 32))
	copy(public[:], private.Public().(ed25519.PublicKey))
	s := &script{steps: []func(http.ResponseWriter){say(200, `{"id":"bil_1"}`)}}
	c := open(t, s, func(o *client.Options) {
		o.Token = ""
		o.Signer = &httpsig.Signer{KeyID: public.ID(), Key: private, Now: func() moongate.Time { return moongate.At(time.Now()) }, Random: steady{}}
	})
	if _, err := client.Upload[answer](t.Context(), c, "/v1/bills", nil, strings.NewReader("a bill")); err != nil {
		t.Fatal(err)
	}
	s.requests()[0].URL.Scheme = "http"
	if _, err := (&httpsig.Verifier{Scheme: "http"}).Verify(s.requests()[0], []byte(s.body[0]), moongate.At(time.Now()), func(string) (ed25519.PublicKey, error) { return public[:], nil }); err != nil {
		t.Error(err)
	}
	file := &endless{}
	if _, err := client.Upload[answer](t.Context(), c, "/v1/bills", nil, file); moongate.CodeOf(err) != moongate.TooLarge || file.n > 4<<20 || len(s.requests()) != 1 {
		t.Errorf("%v, %d bytes were read, %d requests sent", err, file.n, len(s.requests()))
	}
}
