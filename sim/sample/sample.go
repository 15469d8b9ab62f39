// Package sample carries a small set of orders of the project's own making, in the two formats that a replay reads,
// so that every command in the README works on a fresh clone. The shops, people and prices are invented.
//
//	olist/           120 orders of a marketplace with sellers of very different size, January to April 2025: split
//	                 tender, several sellers in an order, payments a centavo off, orders without items or payment
//	online-retail/   some 300 lines of one shop, with cancellations whose sale can and cannot be found, and with the lines
//	                 that a till's export has and a replay must refuse
//
// The files are written by the generator in this package's tests (go test ./sim/sample -update), which also says what
// is in them; they are never edited by hand.
package sample

import (
	"embed"
	"io/fs"
)

//go:embed olist online-retail
var files embed.FS

// OnlineRetailFile is the name of the shop's file in [OnlineRetail].
const OnlineRetailFile = "online_retail.csv"

// Olist is the folder of the marketplace's export, as package olist reads it.
func Olist() fs.FS { return folder("olist") }

// OnlineRetail is the folder of the shop's file, as package retail reads it.
func OnlineRetail() fs.FS { return folder("online-retail") }

func folder(name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the folder is embedded above: the build would have failed
	}
	return sub
}
