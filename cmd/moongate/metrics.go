package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/moongate-hub/moongate/hub"
)

// metrics are what an operator's alarms hang on. None of them names a participant but the peers of effects, who are
// wallets and receivers of webhooks: where money waits must be seen.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(h *hub.Hub) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "moongate_http_requests_total", Help: "Requests answered, by part of the surface, method and status.",
		}, []string{"part", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "moongate_http_request_seconds", Help: "Time until a request was answered, by part of the surface; streams are left out.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"part"}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.seconds, newHubCollector(h),
	)
	return m
}

// handler serves /metrics.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	return mux
}

// counted counts the requests to a handler.
func (m *metrics) counted(next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := now()
		c := &countedAnswer{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			part := partOf(r.URL.Path)
			m.requests.WithLabelValues(part, methodOf(r.Method), strconv.Itoa(c.status)).Inc()
			if w.Header().Get("Content-Type") != "text/event-stream" {
				m.seconds.WithLabelValues(part).Observe(now().Sub(began).Seconds())
			}
		}()
		next.ServeHTTP(c, r)
	})
}

// partOf is the part of the surface that a path belongs to: few, whatever is asked for.
func partOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "v1", "l", "pay", "console", "log", "docs", "notify", "assets":
		return first
	}
	return "other"
}

func methodOf(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// countedAnswer notes the status.
type countedAnswer struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (w *countedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countedAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hubCollector reads the hub when it is asked.
type hubCollector struct {
	hub    *hub.Hub
	gauges []hubGauge

	waiting, running, failing *prometheus.Desc
}

type hubGauge struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*hub.Hub) float64
}

func newHubCollector(h *hub.Hub) *hubCollector {
	c := &hubCollector{
		hub:     h,
		waiting: prometheus.NewDesc("moongate_effects_waiting", "Calls to a peer that wait.", []string{"peer"}, nil),
		running: prometheus.NewDesc("moongate_effects_running", "Calls to a peer under way.", []string{"peer"}, nil),
		failing: prometheus.NewDesc("moongate_effects_failing", "Calls to a peer that failed since the last that did not.", []string{"peer"}, nil),
	}
	add := func(kind prometheus.ValueType, name, help string, read func(*hub.Hub) float64) {
		c.gauges = append(c.gauges, hubGauge{prometheus.NewDesc(name, help, nil, nil), kind, read})
	}
	add(prometheus.CounterValue, "moongate_events_total", "Events in the journal, durable.", func(h *hub.Hub) float64 { at, _ := h.Node.Durable(); return float64(at) })
	add(prometheus.GaugeValue, "moongate_view_lag_events", "Durable events that the lists do not show yet.", func(h *hub.Hub) float64 {
		at, _ := h.Node.Durable()
		return float64(max(at, h.Views.Position()) - h.Views.Position())
	})
	add(prometheus.GaugeValue, "moongate_log_lag_events", "Durable events that the public log has not taken in yet.", func(h *hub.Hub) float64 { return float64(h.Node.Log().Lag()) })
	add(prometheus.GaugeValue, "moongate_log_cosignatures", "Configured witnesses that have cosigned the checkpoint which is shown.", func(h *hub.Hub) float64 { return float64(len(h.Witnesses())) })
	add(prometheus.CounterValue, "moongate_log_entries_total", "Entries of the public log.", func(h *hub.Hub) float64 { return float64(h.Node.Log().Size()) })
	add(prometheus.GaugeValue, "moongate_effects_buried", "Effects that were given up and wait for an operator.", func(h *hub.Hub) float64 { return float64(len(h.Machine().Buried())) })
	add(prometheus.GaugeValue, "moongate_exceptions_open", "Exceptions that wait for a person, or for their money to go back.", func(h *hub.Hub) (n float64) {
		h.Machine().Read(func() { n = float64(h.Pay.Exceptions()) })
		return n
	})
	add(prometheus.GaugeValue, "moongate_clicks_waiting", "Clicks that a crash would take now: the loss window.", func(h *hub.Hub) float64 { return float64(h.Clicks.Stats().Waiting) })
	add(prometheus.CounterValue, "moongate_clicks_uncounted_total", "Clicks since the start that are recorded with their sales only: they found no room, or were turned down.", func(h *hub.Hub) float64 {
		s := h.Clicks.Stats()
		return float64(s.Uncounted + s.Abandoned)
	})
	add(prometheus.GaugeValue, "moongate_quarantine", "1 while a restored hub only asks wallets.", func(h *hub.Hub) float64 {
		if quarantined(h) {
			return 1
		}
		return 0
	})
	add(prometheus.GaugeValue, "moongate_leads", "1 on the node that decides.", func(h *hub.Hub) float64 {
		if h.Node.Leads() {
			return 1
		}
		return 0
	})
	return c
}

// Describe implements prometheus.Collector.
func (c *hubCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, g := range c.gauges {
		ch <- g.desc
	}
	ch <- c.waiting
	ch <- c.running
	ch <- c.failing
}

// Collect implements prometheus.Collector.
func (c *hubCollector) Collect(ch chan<- prometheus.Metric) {
	for _, g := range c.gauges {
		ch <- prometheus.MustNewConstMetric(g.desc, g.kind, g.read(c.hub))
	}
	for _, q := range c.hub.Effects.Queues() {
		ch <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(q.Waiting), q.Peer)
		ch <- prometheus.MustNewConstMetric(c.running, prometheus.GaugeValue, float64(q.Running), q.Peer)
		ch <- prometheus.MustNewConstMetric(c.failing, prometheus.GaugeValue, float64(q.Failing), q.Peer)
	}
}
