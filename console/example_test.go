package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/money"
)

// A page is a plain struct; a handler fills it and lets the renderer answer.
func ExampleRenderer_Serve() {
	pages, err := console.New(console.Words())
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+console.AssetPath, pages.Assets())
	mux.HandleFunc("GET "+console.Routes["payments"], func(w http.ResponseWriter, r *http.Request) {
		lang, theme := console.Preferences(w, r)
		context := console.PageContext{Lang: lang, Theme: theme, Query: r.URL.Query(), Now: 1_763_611_200 * moongate.Second}
		payments := console.Payments{Lines: []console.PaymentLine{{
			ID: "pay_aeaqc_mfrggzdfmztwq2lknnwa", Order: "7-0417", Amount: money.Of(26800, money.CNY), State: "succeeded",
			Merchant: console.Party{ID: "old-kiln", Name: "Old Kiln Pottery"},
		}}}
		if err := pages.Serve(w, r, http.StatusOK, context, payments); err != nil {
			http.Error(w, "cannot draw the page", http.StatusInternalServerError)
		}
	})

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/console/payments?lang=zh", nil))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), "已付款"), strings.Contains(w.Body.String(), "268.00"))
	// Output: 200 true true
}
