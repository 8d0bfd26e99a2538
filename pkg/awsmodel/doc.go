// Package awsmodel says which operation on which resource an HTTP request to AWS asks for, from the models of all
// services, which are embedded. It is pure: what it does not understand exactly, it refuses.
package awsmodel
