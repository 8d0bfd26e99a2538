package roles

// Changed is a list with the changes that make sense.
var Changed = changed
