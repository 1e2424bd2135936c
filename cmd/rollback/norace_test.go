//go:build !race

package main

// raced: this executable looks for races, which makes it many times slower.
const raced = false
