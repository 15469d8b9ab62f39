package agreement

// Catalogues gives the sentences of both languages to the test that compares them.
func Catalogues() (en, zh words) { return english, chinese }
