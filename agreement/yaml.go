package agreement

import (
	"errors"
	"fmt"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxTokens bounds what the YAML parser gets: some of its work grows with the square of it.
const maxTokens = 24_000

// readYAML reads the part of YAML that JSON can say: block and flow collections and plain, quoted and block scalars.
//
// The parser is recursive and, on nonsense, slow beyond reason (79 s for 256 KiB of "{a: "), so the tokens are checked
// before it sees them: their number, their nesting, and that there is no anchor, alias, merge key, tag or directive.
func readYAML(data []byte) (*node, error) {
	tokens := lexer.Tokenize(string(data))
	kept, err := checkTokens(tokens)
	if err != nil {
		return nil, err
	}
	file, err := parser.Parse(kept, 0)
	if err != nil {
		return nil, yamlFault(err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, sourceFault(0, "the document is empty", "start from one of the examples: moongate agreement examples")
	}
	if len(file.Docs) > 1 {
		return nil, sourceFault(0, fmt.Sprintf("the file holds %d documents", len(file.Docs)), "keep one agreement a file")
	}
	return fromYAML(file.Docs[0].Body, 1)
}

// yamlFault keeps the parser's reason and line; its own rendering of the source is left out.
func yamlFault(err error) error {
	var e yaml.Error
	if errors.As(err, &e) {
		line := 0
		if t := e.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line
		}
		return sourceFault(line, fmt.Sprintf("the document is not YAML: %.120s", e.GetMessage()), "check indentation, colons and quotes")
	}
	return sourceFault(0, "the document is not YAML", "check indentation, colons and quotes")
}

var bannedTokens = map[token.Type]string{
	token.AnchorType:     "an anchor (&name)",
	token.AliasType:      "an alias (*name)",
	token.MergeKeyType:   "a merge key (<<)",
	token.TagType:        "a tag (!name)",
	token.DirectiveType:  "a directive (%NAME)",
	token.MappingKeyType: "an explicit key (?)",
}

// checkTokens refuses what the format does not use and what would make the parser work too hard. It gives the tokens
// without comments.
func checkTokens(tokens token.Tokens) (token.Tokens, error) {
	flow := 0             // open brackets
	var columns []int     // of the block collections around
	line, entries := 0, 0 // list dashes on this line
	var before token.Type // the token before this one
	kept := tokens[:0:0]
	for _, t := range tokens {
		at := t.Position.Line
		if len(kept) >= maxTokens {
			return nil, sourceFault(at, fmt.Sprintf("the document has more than %d parts", maxTokens), "refer to parties by an open role")
		}
		if what, banned := bannedTokens[t.Type]; banned {
			return nil, sourceFault(at, "the document contains "+what, "write the value out: what is signed must read the same to everybody")
		}
		switch t.Type {
		case token.CommentType:
			continue
		case token.InvalidType:
			return nil, sourceFault(at, fmt.Sprintf("the document is not YAML: %.120s", t.Error), "check indentation, colons and quotes")
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.CollectEntryType:
			if before == token.CollectEntryType {
				return nil, sourceFault(at, "two commas follow each other", "remove one")
			}
		}
		if at != line {
			line, entries = at, 0
			if flow == 0 {
				columns = nest(columns, t.Position.Column)
			}
		}
		if t.Type == token.SequenceEntryType {
			entries++
		}
		if flow < 0 || flow+entries+len(columns) > MaxDepth+2 {
			return nil, tooDeep(at)
		}
		before = t.Type
		kept = append(kept, t)
	}
	return kept, nil
}

// nest follows a line that starts at a column: deeper than the last opens a level, else levels close.
func nest(columns []int, column int) []int {
	for len(columns) > 0 && columns[len(columns)-1] > column {
		columns = columns[:len(columns)-1]
	}
	if len(columns) == 0 || columns[len(columns)-1] < column {
		columns = append(columns, column)
	}
	return columns
}

func fromYAML(n ast.Node, depth int) (*node, error) {
	line := 0
	if t := n.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	if depth > MaxDepth {
		return nil, tooDeep(line)
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		return fromMapping(n.Values, line, depth)
	case *ast.MappingValueNode:
		return fromMapping([]*ast.MappingValueNode{n}, line, depth)
	case *ast.SequenceNode:
		out := &node{kind: aList, line: line}
		for _, v := range n.Values {
			item, err := fromYAML(v, depth+1)
			if err != nil {
				return nil, err
			}
			out.list = append(out.list, item)
		}
		return out, nil
	case *ast.StringNode:
		return newText(n.Value, line)
	case *ast.LiteralNode:
		return newText(n.Value.Value, line)
	case *ast.IntegerNode:
		return newNumber(n.Token.Value, line)
	case *ast.FloatNode:
		return newNumber(n.Token.Value, line)
	case *ast.BoolNode:
		return &node{kind: aBool, text: fmt.Sprint(n.Value), line: line}, nil
	case *ast.NullNode:
		return nil, sourceFault(line, "a value is missing", "give one, or leave the field out")
	}
	return nil, sourceFault(line, fmt.Sprintf("%s is not used in agreements", n.Type()), "write a text, a whole number, true or false, a list or an object")
}

func fromMapping(values []*ast.MappingValueNode, line, depth int) (*node, error) {
	out := &node{kind: anObject, line: line}
	for _, v := range values {
		at := v.Key.GetToken().Position.Line
		var name string
		switch key := v.Key.(type) {
		case *ast.StringNode:
			name = key.Value
		case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
			return nil, sourceFault(at, fmt.Sprintf("%.40q cannot name a field", v.Key.GetToken().Value), "field names are words; put others in quotes")
		default:
			return nil, sourceFault(at, "a field's name is not a word", "")
		}
		value, err := fromYAML(v.Value, depth+1)
		if err != nil {
			return nil, err
		}
		if err := out.add(name, value, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}
