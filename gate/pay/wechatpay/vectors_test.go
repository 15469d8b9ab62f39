package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// dataDir finds published data. Where CI is set it must be there.
func dataDir(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set")
		}
		t.Skip("MOONGATE_DATA is not set: no published data to test with")
	}
	return filepath.Join(root, path)
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(dataDir(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// TestWycheproofAESGCM runs the vectors whose sizes the protocol uses (key of 256 bits, nonce of 96, tag of 128), and
// checks that every other nonce size is refused rather than a panic.
func TestWycheproofAESGCM(t *testing.T) {
	var file struct {
		TestGroups []struct {
			IVSize, KeySize, TagSize int
			Tests                    []struct {
				TCID                                        int `json:"tcId"`
				Key, IV, AAD, Msg, CT, Tag, Result, Comment string
			}
		}
	}
	readJSON(t, "vectors/wycheproof-aes_gcm_test.json", &file)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ran := 0
	for _, g := range file.TestGroups {
		if g.KeySize != 256 {
			continue
		}
		for _, v := range g.Tests {
			ran++
			s := sealed{
				Algorithm: "AEAD_AES_256_GCM", Nonce: string(unhex(v.IV)), AssociatedData: string(unhex(v.AAD)),
				Ciphertext: base64.StdEncoding.EncodeToString(append(unhex(v.CT), unhex(v.Tag)...)),
			}
			text, err := s.open(string(unhex(v.Key)))
			if good := v.Result == "valid" && g.IVSize == 96; good != (err == nil) || (good && hex.EncodeToString(text) != v.Msg) {
				t.Errorf("case %d (%s, nonce of %d bits): %x %v", v.TCID, v.Result, g.IVSize, text, err)
			}
			if err != nil && !errors.Is(err, errForged) {
				t.Errorf("case %d: %v", v.TCID, err)
			}
		}
	}
	if ran < 60 {
		t.Errorf("only %d cases ran", ran)
	}
}

// TestWycheproofRSA: SHA256withRSA signatures, among them forgeries that lax padding checks let through.
func TestWycheproofRSA(t *testing.T) {
	var file struct {
		TestGroups []struct {
			PublicKeyPem string
			Tests        []struct {
				TCID                      int `json:"tcId"`
				Msg, Sig, Result, Comment string
			}
		}
	}
	readJSON(t, "vectors/wycheproof-rsa_signature_2048_sha256_test.json", &file)
	for _, g := range file.TestGroups {
		block, _ := pem.Decode([]byte(g.PublicKeyPem))
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range g.Tests {
			message, err1 := hex.DecodeString(v.Msg)
			signature, err2 := hex.DecodeString(v.Sig)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			good := checkRSA(parsed.(*rsa.PublicKey), message, signature) == nil
			if good != (v.Result == "valid") && v.Result != "acceptable" {
				t.Errorf("case %d (%s, %s): good is %v", v.TCID, v.Result, v.Comment, good)
			}
		}
	}
}

// The notification that the official Go SDK's own test carries, with its certificate (wechatpay-go, Apache-2.0).
const (
	sdkKey  = "testMchAPIv3Key0"
	sdkBody = `{"id":"3119dfba-e649-5eec-ab1e-3412bc4d2e17","create_time":"2021-06-24T16:37:26+08:00","resource_type":"encrypt-resource","event_type":"PAYSCORE.USER_OPEN_SERVICE","summary":"签约成功","resource":{"original_type":"payscore","algorithm":"AEAD_AES_256_GCM","ciphertext":"YDS3lKPaC4Y52Gf3uhft5qUBlIa8b428AWTtTauHQfQrRw+X1WpiuHIDy0vo1Vd6VEq67aVyqPdDYMkRVSDaZL3iZttevRMOoPKMifozg6XPWjIZumks/GpT48lI4NizyeaqLBokNebthah3o1H76qSlO9NkDjp9bzmKLEYYH9TEklFUpsvPqOTOcgSLgh21YJXYR7dEBXFgRLiNIKRgO5JdXh1hccRUAlyVWxE54PXpnQ==","associated_data":"payscore","nonce":"Kj7QIyUiYx1q"}}`
	sdkText = `{"mchid":"1234567890","appid":"054aa7d7a2a54ab5898df65bd96f001c","create_time":"2020-06-30T12:12:00+08:00","out_contract_code":"21640bdbd08e473e828f3206a2741c6e"}`
	sdkCert = `-----BEGIN CERTIFICATE-----
MIIDVzCCAj+gAwIBAgIJANfOWdH1ItcBMA0GCSqGSIb3DQEBCwUAMEIxCzAJBgNV
BAYTAlhYMRUwEwYDVQQHDAxEZWZhdWx0IENpdHkxHDAaBgNVBAoME0RlZmF1bHQg
Q29tcGFueSBMdGQwHhcNMjEwNDI3MDg1NTIzWhcNMzEwNDI1MDg1NTIzWjBCMQsw
CQYDVQQGEwJYWDEVMBMGA1UEBwwMRGVmYXVsdCBDaXR5MRwwGgYDVQQKDBNEZWZh
dWx0IENvbXBhbnkgTHRkMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA
2VCTd91fnUn73Xy9DLvt/V62TVxRTEEstVdeRaZ3B3leO0pldE806mXO4RwdHXag
HQ4vGeZN0yqm++rDsGK+U3AH7kejyD2pXshNP9Cq5YwbptiLGtjcquw4HNxJQUOm
DeJf2vg6byms9RUipiq4SzbJKqJFlUpbuIPDpSpWz10PYmyCNeDGUUK65E5h2B83
4uxl1zNLYQCrkdBzb8oUxwYeP5a2DNxmjL5lsJML7DGr5znsevnoqGRwTm9fxCGf
y8wus7hwKz6clt3Whmmda7UAdb1c08hEQFVRbF14AR73xbnd8N0obCWJPCbzMCtk
aSef4FdEEgEXJiw0VAJT8wIDAQABo1AwTjAdBgNVHQ4EFgQUT1c7nd/SUO76HSoZ
umNUJv1R5PwwHwYDVR0jBBgwFoAUT1c7nd/SUO76HSoZumNUJv1R5PwwDAYDVR0T
BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAfTjxKRQMzNB/U6ZoCUS+BSNfa2Oh
0plMN6ZuzwiVVZwg1jywvv5yv04koS7Pd4i9E4gt9ZBUQXlpq+A3oOCEEHNRR6b2
kyazGRM7s0OP5X21WrbpSmKmU6K7hkfx30yYs08LVs/Q8DIhvaj1FCFeJzUCzYn/
fHMq4tsbKO0dKAeydPM/nrUZBmaYQVKMVOORGLFjFKVO7JV6Kq/R86ouhjEPgJOe
2xulNBUcjicqtZlBdEh/PWCYP2SpGVDclKm8jeo175T3EVAkdKzzmfpxtMmnMlmq
cTJOU9TxuGvNASMtjj7pYIerTx+xgZDXEVBWFW9PjJ0TV06tCRsgSHItgg==
-----END CERTIFICATE-----`
)

// TestSDKNotification: the SDK's own signed notification passes within five minutes of its time and not after; any
// changed byte of it fails.
func TestSDKNotification(t *testing.T) {
	at := time.Unix(1624523846, 0)
	header := http.Header{}
	for k, v := range map[string]string{
		"Wechatpay-Nonce": "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz", "Wechatpay-Timestamp": "1624523846", "Wechatpay-Serial": "D7CE59D1F522D701",
		"Wechatpay-Signature": "tJHIiIS9eB2hAYstmAmbbD3ZE5LiIm/Ug5tuL4fC0YOFRWIHV39UFIZXC0e9Wl6lBu6sKvkqDkzpqzBsVHyXFlbYZTOQrVdG4b6LfTnK4mikv9++ixJMd3vTf2yCqvBkh98zs3Ds5zsYQakzbcwhmw4fMJs4nPLws28H0UW9FjDR//rxELLwXvV1VEA1IBLX70xptjL8hrfUjEE8kkry6yNJTHZRU8CAc7qHli2Ng1V1qb9ARbK8A3ThmFmPQvRGrapI/jS2laKKgYUmfdEdkNO6B2Cke5e8VTxY406ArAmQ90GAihDwIcb16TQMnzCMBoutnwZKNiKRACrFmtxw2Q==",
	} {
		header.Set(k, v)
	}
	block, _ := pem.Decode([]byte(sdkCert))
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	now := at
	tr := newTrust(nil, &Config{APIv3Key: sdkKey, Now: func() time.Time { return now }})
	tr.keys = map[string]platformKey{"D7CE59D1F522D701": {key: cert.PublicKey.(*rsa.PublicKey), until: cert.NotAfter}}
	tr.tried = at
	if err := tr.verify(t.Context(), header, []byte(sdkBody)); err != nil {
		t.Errorf("at its time: %v", err)
	}
	for _, off := range []time.Duration{-skew, skew, time.Hour} {
		now = at.Add(off)
		if err := tr.verify(t.Context(), header, []byte(sdkBody)); !errors.Is(err, errForged) {
			t.Errorf("%s off: %v", off, err)
		}
	}
	now = at.Add(skew - time.Second)
	if err := tr.verify(t.Context(), header, []byte(sdkBody)); err != nil {
		t.Errorf("just in time: %v", err)
	}
	for i := range sdkBody {
		changed := []byte(sdkBody)
		changed[i] ^= 1
		if err := tr.verify(t.Context(), header, changed); !errors.Is(err, errForged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	var n struct {
		Resource sealed `json:"resource"`
	}
	if err := json.Unmarshal([]byte(sdkBody), &n); err != nil {
		t.Fatal(err)
	}
	if text, err := n.Resource.open(sdkKey); err != nil || string(text) != sdkText {
		t.Errorf("decrypts to %s, %v", text, err)
	}
}

// TestJavaNotification decrypts the resource in the official Java SDK's tests, which is the Go SDK's.
func TestJavaNotification(t *testing.T) {
	var n struct {
		Resource sealed `json:"resource"`
	}
	readJSON(t, "vectors/wechatpay/java/core/src/test/resources/notification/wechat_pay_notification.json", &n)
	if text, err := n.Resource.open(sdkKey); err != nil || string(text) != sdkText {
		t.Errorf("decrypts to %s, %v", text, err)
	}
}
