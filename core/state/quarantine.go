package state

import (
	"context"
	"fmt"
	"time"
)

// BadImage is an image known bad. It is told by its digest, or, where that is not known, by its tag.
type BadImage struct {
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"`
	Tag        string    `json:"tag"`
	Reason     string    `json:"reason"`
	Operation  string    `json:"operation,omitempty"`
	AddedBy    string    `json:"added_by"`
	At         time.Time `json:"at"`
}

// Quarantine records images as bad. One that is recorded already stays as it was recorded first.
func (s *Store) Quarantine(ctx context.Context, images []BadImage) error {
	for _, b := range images {
		if _, err := s.exec(ctx, `INSERT INTO quarantine (repository, digest, tag, reason, operation, added_by, at)
			VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (repository, digest, tag) DO NOTHING`,
			b.Repository, b.Digest, b.Tag, b.Reason, b.Operation, b.AddedBy, micros(b.At)); err != nil {
			return fmt.Errorf("quarantine %s:%s: %w", b.Repository, b.Tag, err)
		}
	}
	return nil
}

// Pardon takes an image out of quarantine, by digest or tag, and returns how many records there were of it.
func (s *Store) Pardon(ctx context.Context, repository, digest, tag string) (int64, error) {
	n, err := s.exec(ctx, "DELETE FROM quarantine WHERE repository = ? AND (digest = ? AND digest <> '' OR tag = ? AND tag <> '')", repository, digest, tag)
	if err != nil {
		return 0, fmt.Errorf("take %s out of quarantine: %w", repository, err)
	}
	return n, nil
}

// Quarantined lists the images known bad, newest first.
func (s *Store) Quarantined(ctx context.Context) ([]BadImage, error) {
	all := []BadImage{}
	err := s.each(ctx, func(scan func(...any) error) error {
		var b BadImage
		var at int64
		err := scan(&b.Repository, &b.Digest, &b.Tag, &b.Reason, &b.Operation, &b.AddedBy, &at)
		b.At = instant(at)
		all = append(all, b)
		return err
	}, "SELECT repository, digest, tag, reason, operation, added_by, at FROM quarantine ORDER BY at DESC, repository, tag")
	if err != nil {
		return nil, fmt.Errorf("list the images in quarantine: %w", err)
	}
	return all, nil
}

// Hold is an app that is to stay as it is until it is released.
type Hold struct {
	Environment string    `json:"environment"`
	App         string    `json:"app"`
	Image       string    `json:"image"`
	Operation   string    `json:"operation"`
	Reason      string    `json:"reason"`
	HeldBy      string    `json:"held_by"`
	At          time.Time `json:"at"`
}

// Hold records holds; a newer one of the same app takes the place of the older.
func (s *Store) Hold(ctx context.Context, holds []Hold) error {
	for _, h := range holds {
		if _, err := s.exec(ctx, `INSERT INTO holds (environment, app, image, operation, reason, held_by, at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (environment, app) DO UPDATE SET image = excluded.image, operation = excluded.operation,
				reason = excluded.reason, held_by = excluded.held_by, at = excluded.at`,
			h.Environment, h.App, h.Image, h.Operation, h.Reason, h.HeldBy, micros(h.At)); err != nil {
			return fmt.Errorf("hold %s: %w", h.App, err)
		}
	}
	return nil
}

// Holds lists the holds of an environment, or of all with "", by app.
func (s *Store) Holds(ctx context.Context, environment string) ([]Hold, error) {
	all := []Hold{}
	err := s.each(ctx, func(scan func(...any) error) error {
		var h Hold
		var at int64
		err := scan(&h.Environment, &h.App, &h.Image, &h.Operation, &h.Reason, &h.HeldBy, &at)
		h.At = instant(at)
		all = append(all, h)
		return err
	}, "SELECT environment, app, image, operation, reason, held_by, at FROM holds WHERE environment = ? OR ? = '' ORDER BY environment, app", environment, environment)
	if err != nil {
		return nil, fmt.Errorf("list the holds: %w", err)
	}
	return all, nil
}

// Release forgets the hold of an app, and reports whether there was one.
func (s *Store) Release(ctx context.Context, environment, app string) (bool, error) {
	n, err := s.exec(ctx, "DELETE FROM holds WHERE environment = ? AND app = ?", environment, app)
	if err != nil {
		return false, fmt.Errorf("release %s: %w", app, err)
	}
	return n > 0, nil
}
