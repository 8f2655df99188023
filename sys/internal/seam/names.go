package seam

// A NameFailure is what an error of the system's resolver of names means.
type NameFailure uint8

const (
	// NameUnclear: the error is not one of the resolver, or says nothing.
	NameUnclear NameFailure = iota
	// NameNotFound: there is no such name.
	NameNotFound
	// NameWithoutData: the name exists, and has no address of the family.
	NameWithoutData
	// NameTryAgain: no server gave an answer that counts.
	NameTryAgain
	// NameRefused: it will not work later either.
	NameRefused
	// NameCancelled: the lookup was cancelled.
	NameCancelled
)
