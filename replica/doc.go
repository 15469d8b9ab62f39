// Package replica orders commands, makes them durable and applies them: the hub as a deterministic state machine.
//
// A room plugs in with its state ([Room]), its handlers ([Handle]) and its events. Deciding is a method of the room: it
// reads the state, the [Step] and the command, and nothing else; it checks first and emits last. Folding is the only
// code that changes state, and the state lives in tables ([Table], [List], [Cell]) that the machine can freeze, write
// down, hash and restore without the room's help.
//
// A [Node] is a machine behind raft: waiting commands are batched into one entry, the entry is replicated and fsynced,
// applied by one goroutine, written to the journal and fsynced again, and only then acknowledged.
package replica
