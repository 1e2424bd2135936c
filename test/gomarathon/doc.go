// Package gomarathon lets go-marathon, a client that others wrote for real
// Marathons, judge our Marathon test server.
//
// It is a module of its own so that the client and what it needs stay out of
// the project's module graph.
package gomarathon
