//go:build race

package orchestratormarathon_test

// raceEnabled says that the test binary sleeps for a second when it ends, unless it is told not to.
const raceEnabled = true
