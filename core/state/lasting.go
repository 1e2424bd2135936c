package state

import (
	"context"
	"errors"
	"time"

	"github.com/sethvargo/go-retry"
)

// Waits between two tries begin with firstWait and double up to longestWait.
const (
	firstWait   = 50 * time.Millisecond
	longestWait = 2 * time.Second
	// oneTry bounds one try: a network that drops packets says nothing for many minutes.
	oneTry = 12 * time.Second
)

// lasting tries again, for as long as the store has patience, what failed for a reason that may pass: a database that is
// being started again, a connection that was lost, a file that is busy. What is tried must be harmless when it was
// done already, because the answer may be what was lost.
func (s *Store) lasting(ctx context.Context, do func(context.Context) error) error {
	waits := retry.WithMaxDuration(s.patience, retry.WithCappedDuration(longestWait, retry.NewExponential(firstWait)))
	var last error
	err := retry.Do(ctx, waits, func(ctx context.Context) error {
		attempt, cancel := context.WithTimeout(ctx, oneTry)
		defer cancel()
		last = do(attempt)
		if last != nil && ctx.Err() == nil && (s.back.passing(last) || attempt.Err() != nil) {
			return retry.RetryableError(last)
		}
		return last
	})
	if err != nil && last != nil && !errors.Is(err, last) {
		// It says more than that time was up.
		return last
	}
	return err
}
