// Package hub assembles the rooms into one machine, and gives it a configuration, secrets, views, effects, backups and
// a check of everything (fsck). It holds no rule of its own: a rule lives in a room.
package hub
