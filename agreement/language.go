package agreement

// Language is a language that documents are explained in.
type Language string

// Languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)
