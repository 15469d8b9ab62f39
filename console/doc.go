// Package console draws Moongate's pages: the operator's and participants' console, the shopper's cashier, the page of
// a blocked link and the public page of the log.
//
// It holds no rule and no storage. Whoever serves a page fills one of the plain structs that implement [Page] and calls
// [Renderer.Render]; everything a page says comes from that struct, the [PageContext] and the message [Catalogue], and
// nothing from a clock. Pages work without JavaScript; with it, parts that change are fetched again by htmx, times move
// into the reader's zone, and charts over time can be read point by point.
//
// Every page obeys [ContentSecurityPolicy]: no script and no style stands in a page, only links to the files that
// [Renderer.Assets] serves under names that change with their content.
package console
