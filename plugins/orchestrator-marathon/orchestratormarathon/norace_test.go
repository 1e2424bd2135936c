//go:build !race

package orchestratormarathon_test

const raceEnabled = false
