// Package api serves the hub over HTTP: an OpenAPI 3.1 interface under /v1, the public log under /log, events as they
// happen, and the pages. It holds no rule: it authenticates, bounds and translates, and hands commands to the rooms.
package api
