package wechatpay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

// javaSDK has Maven fetch the official SDK for Java, as Maven Central has it, with what it needs.
const javaSDK = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>official</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.github.wechatpay-apiv3</groupId><artifactId>wechatpay-java</artifactId><version>0.2.17</version></dependency>
  </dependencies>
</project>
`

// loopback carries notifications to shops on this machine, and to nobody else.
type loopback struct{}

func (loopback) RoundTrip(r *http.Request) (*http.Response, error) {
	if host, _, err := net.SplitHostPort(r.URL.Host); err != nil || host != "127.0.0.1" {
		return nil, errors.New("not on this machine")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestOfficialSDKForJava drives the sandbox over loopback with the official SDK for Java, unchanged: its signer, its
// certificate downloader, its public-key mode, its checks of answers and notifications, its services and its bills.
func TestOfficialSDKForJava(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches packages and starts a process")
	}
	java, noJava := exec.LookPath("java")
	maven, noMaven := exec.LookPath("mvn")
	_, noCompiler := exec.LookPath("javac") // java compiles a program of one file where the JDK is there
	if err := errors.Join(noJava, noMaven, noCompiler); err != nil {
		t.Skipf("a JDK and Maven are not here, so the official SDK for Java cannot be run: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fetch := exec.CommandContext(ctx, maven, "-q", "-B", "-f", file("pom.xml", []byte(javaSDK)), "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "lib"))
	if out, err := fetch.CombinedOutput(); err != nil {
		t.Skipf("the official SDK for Java cannot be fetched: %v\n%s", err, out)
	}

	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	defer server.Close()
	next := 0
	var behind atomic.Int64 // by how much the wallet's clock is behind: two days at first, so that there is a bill
	behind.Store(int64(48 * time.Hour))
	now := func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) }
	wallet, err := wechatpay.New(sandbox.Config{
		Name: "Lotus Pay", BaseURL: server.URL, Now: now, Random: rand.Reader, Scale: 1000, Carrier: loopback{},
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer wallet.Close()
	handler = wallet
	m, err := wallet.AddMerchant(mchID, appID)
	if err != nil {
		t.Fatal(err)
	}
	day := now().In(sandbox.Beijing).Format(time.DateOnly)
	(&world{clock: sandbox.NewClock(now()), t: t, wallet: wallet, m: m}).pay("BILLED-01", 4_200)
	behind.Store(0)

	id, public, err := wallet.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(ctx, java, "-cp", filepath.Join(dir, "lib", "*"), filepath.Join("testdata", "Official.java"),
		server.URL, m.MchID, m.AppID, m.SerialNo, file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: sandbox.MarshalKey(m.PrivateKey)})), m.APIv3Key,
		file("pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), id, day, "BILLED-01")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if v := wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}
