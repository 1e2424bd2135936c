// Package registries judges the docker registry plugin by the distribution
// project's own registry, version 3, embedded: a module of its own, so that
// nobody else gets its dependencies.
package registries
